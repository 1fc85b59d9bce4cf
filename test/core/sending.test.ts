/** The order in which bodies leave: after a lost answer (D2), and where Dynatrace calls something malformed (D12). */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import type { DecodedPoint } from '../../functions/cli/world/otlp-decoder.ts';
import {
  MAX_WAIT_TICKS,
  NO_CAUTION,
  cautionAtEnd,
  cautionAtStart,
  maxBodyPoints,
} from '../../functions/core/caution.ts';
import { MAX_BODY_POINTS } from '../../functions/core/dynatrace.ts';
import { MAX_VAIN_DIVISIONS } from '../../functions/core/sending.ts';
import {
  MAX_PAUSE_INTERVALS,
  MAX_SUSPECTS,
  nextSuspects,
  suspectsAt,
} from '../../functions/core/suspects.ts';
import { type SentBody, type World, createWorld, target } from '../fakes/ports.ts';
import { counters } from './story.ts';

const A = target('10.0.0.1:8000');
const OLD = -100_000;

/** A world whose target counts one more each run; the bodies of a run as `gauges`, `deltas` or both. */
function counting(names: readonly string[] = ['a_total']) {
  const world = createWorld();
  let value = 1;
  const run = async (tickS: number): Promise<readonly string[]> => {
    const before = world.bodies.length;
    const page = counters(Object.fromEntries(names.map((name) => [name, value++])), OLD);
    world.script.scrape = () => page;
    await world.run(tickS, [A]);
    return world.bodies.slice(before).map(kindOf);
  };
  return { world, run };
}

function kindOf({ points }: SentBody): string {
  const kinds = new Set(points.map((point) => (point.type === 'gauge' ? 'gauges' : 'deltas')));
  return [...kinds].sort().join('+');
}

const total = (world: World, name = 'a_total'): number =>
  world.bodies
    .flatMap(({ stored }) => stored)
    .filter((point) => point.name === name)
    .reduce((sum, point) => sum + (point.value ?? 0), 0);

describe('D2: after a lost answer', () => {
  test('gauges go first, deltas once they were answered', async () => {
    const { world, run } = counting();
    await run(0);
    world.script.answer = () => 'unknown';
    assert.deepEqual(await run(60), ['deltas+gauges']);
    assert.deepEqual(await run(120), ['gauges'], 'the canary was not answered');
    world.script.answer = () => 'accepted';
    assert.deepEqual(await run(180), ['gauges'], 'deltas wait a tick after two in a row');
    assert.deepEqual(await run(240), ['gauges', 'deltas']);
    assert.deepEqual(await run(300), ['deltas+gauges']);
    assert.equal(total(world), 5);
  });

  test('a canary that is refused keeps the deltas back as well', async () => {
    const { world, run } = counting();
    await run(0);
    world.script.answer = () => 'unknown';
    await run(60);
    world.script.answer = () => 'retry';
    assert.deepEqual(await run(120), ['gauges']);
    world.script.answer = () => 'accepted';
    assert.deepEqual(await run(180), ['gauges', 'deltas']);
    assert.equal(total(world), 3);
  });

  test('one lost answer doubles at most one body', async () => {
    const { world, run } = counting();
    await run(0);
    world.script.answer = () => 'unknown_stored';
    for (let i = 1; i <= 10; i++) await run(60 * i);
    world.script.answer = () => 'accepted';
    for (let i = 11; i <= 100; i++) await run(60 * i);
    assert.equal(total(world), 100 + 1, 'the body of the first lost answer, and no other');
  });

  test('a run that never ended counts as a lost answer', async () => {
    const { world, run } = counting();
    await run(0);
    world.script.end = () => 'failed';
    assert.deepEqual(await run(60), ['deltas+gauges']);
    world.script.end = () => undefined;
    assert.deepEqual(await run(120), ['gauges', 'deltas']);
    assert.deepEqual(await run(180), ['deltas+gauges']);
    assert.equal(total(world), 3);
  });

  test('bodies shrink and deltas wait, up to a bound', () => {
    let caution = NO_CAUTION;
    const steps = Array.from({ length: 10 }, () => {
      caution = cautionAtEnd(caution, 'unknown');
      return [maxBodyPoints(caution), caution.waitTicks];
    });
    assert.deepEqual(steps.slice(0, 4), [
      [MAX_BODY_POINTS / 2, 0],
      [MAX_BODY_POINTS / 4, 1],
      [MAX_BODY_POINTS / 8, 3],
      [Math.floor(MAX_BODY_POINTS / 16), 7],
    ]);
    assert.deepEqual(steps.at(-1), [Math.floor(MAX_BODY_POINTS / 1024), MAX_WAIT_TICKS]);
    assert.equal(maxBodyPoints({ unknowns: 32, waitTicks: 0 }), 1);
    assert.deepEqual(cautionAtEnd({ unknowns: 3, waitTicks: 3 }, 'not_sent'), { unknowns: 3, waitTicks: 2 });
    assert.deepEqual(cautionAtEnd({ unknowns: 3, waitTicks: 0 }, 'answered'), NO_CAUTION);
    assert.deepEqual(cautionAtStart({ unknowns: 1, waitTicks: 0 }, 2), { unknowns: 3, waitTicks: 3 });
    assert.deepEqual(cautionAtStart(NO_CAUTION, 0), NO_CAUTION);
  });
});

describe('D12: no poison', () => {
  const NAMES = Array.from({ length: 40 }, (_, i) => `a${i}_total`);
  const poisonous = (poison: string) => (points: readonly DecodedPoint[]) =>
    points.some(({ name }) => name === poison) ? ('malformed' as const) : ('accepted' as const);

  test('one series that Dynatrace refuses stops no other, and is suspected', async () => {
    const { world, run } = counting(NAMES);
    await run(0);
    world.script.answer = poisonous('a7_total');
    await run(60);
    const suspects = (await world.run(61, [A])).targets[0]?.suspects;
    assert.deepEqual(suspects, ['a7_total']);
    for (const name of NAMES) assert.equal(total(world, name), name === 'a7_total' ? 0 : 40, name);
  });

  test('it travels alone, with growing pauses, and leaves whole once it is taken', async () => {
    const { world, run } = counting(NAMES);
    await run(0);
    world.script.answer = poisonous('a7_total');
    await run(60);
    const posts: number[] = [];
    for (let i = 2; i <= 16; i++) {
      const before = world.bodies.length;
      await run(60 * i);
      const tries = world.bodies
        .slice(before)
        .filter(({ points }) => points.some((p) => p.name === 'a7_total'));
      assert(tries.every(({ points }) => points.length === 1));
      if (tries.length > 0) posts.push(i);
    }
    assert.deepEqual(posts, [3, 7, 15], 'two, four, eight intervals later');
    world.script.answer = () => 'accepted';
    for (let i = 17; i <= 40; i++) await run(60 * i);
    assert.equal(total(world, 'a7_total'), 40 * 40);
    assert.deepEqual((await world.run(2460, [A])).targets[0]?.suspects, []);
  });

  test('if nothing of it is taken it is an outage: no suspects, all stays pending', async () => {
    const { world, run } = counting(NAMES);
    await run(0);
    world.script.answer = () => 'malformed';
    const bodies = await run(60);
    assert.equal(bodies.length, 1 + 2 * MAX_VAIN_DIVISIONS);
    world.script.answer = () => 'accepted';
    const report = await world.run(120, [A]);
    assert.deepEqual(report.targets[0]?.suspects, []);
    for (const name of NAMES) assert.equal(total(world, name), 40);
  });

  test('a gauge can be the poison: it pauses, counted, and the deltas go on', async () => {
    const world = createWorld();
    world.script.scrape = () => `${counters({ a_total: 1 }, OLD)}# TYPE g gauge\ngg 1\n`;
    await world.run(0, [A]);
    world.script.answer = poisonous('gg');
    await world.run(60, [A]);
    const report = await world.run(120, [A]);
    assert.deepEqual(report.targets[0]?.suspects, ['gg']);
    assert.equal(report.drops.suspect, 1);
    assert.equal(report.exports.length, 1, 'nothing is searched for any more');
  });

  test('pauses and their number are bounded', () => {
    let suspects = nextSuspects([], new Set(['x']), new Set(), 0, 60_000);
    for (let i = 0; i < 20; i++) suspects = nextSuspects(suspects, new Set(['x']), new Set(), 0, 60_000);
    assert.equal(suspects[0]?.untilTickMs, MAX_PAUSE_INTERVALS * 60_000);
    assert.equal(suspectsAt(suspects, MAX_PAUSE_INTERVALS * 60_000 - 1).get('x'), 'paused');
    assert.equal(suspectsAt(suspects, MAX_PAUSE_INTERVALS * 60_000).get('x'), 'due');
    const many = new Set(Array.from({ length: MAX_SUSPECTS + 1 }, (_, i) => `s${i}`));
    const kept = nextSuspects(suspects, many, new Set(), 0, 60_000);
    assert.equal(kept.length, MAX_SUSPECTS);
    assert(
      kept.some(({ key }) => key === 'x'),
      'the one that was refused most often stays',
    );
    assert.deepEqual(nextSuspects(kept, new Set(), new Set(kept.map(({ key }) => key)), 0, 60_000), []);
  });
});
