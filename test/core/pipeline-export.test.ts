/** What each answer of Dynatrace does to the series of its body, and to the bodies behind it. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { MAX_BODY_POINTS } from '../../functions/core/dynatrace.ts';
import type { ExportCode } from '../../functions/core/outcome.ts';
import {
  type Answer,
  type Script,
  type SentBody,
  createWorld,
  deltasOf,
  instanceOf,
  oneCounter,
  printPoint,
  target,
} from '../fakes/ports.ts';
import { counters } from './story.ts';

/** `up` and four of `scrape_*`. */
const REPORT_GAUGES = 5;
/** With its gauges, one target fills one body to the last point. */
const FULL = MAX_BODY_POINTS - REPORT_GAUGES;
const TARGETS = [1, 2, 3].map((i) => target(`10.0.0.${i}:8000`));
const NAMES = TARGETS.map(({ instance }) => instance);

const SERIES = Array.from({ length: FULL }, (_, i) => `a_total{i="${i}"}`);

function page(value: number): string {
  return `# TYPE a_total counter\n${SERIES.map((series) => `${series} ${value}\n`).join('')}`;
}

/** The state after a first run, at tick 0: every counter of every target stands at 1. */
const known = (async () => {
  const world = createWorld();
  world.script.scrape = () => page(1);
  await world.run(0, TARGETS);
  return world.items;
})();

/** Three known targets of one full body each. */
async function threeBodies() {
  const world = createWorld();
  for (const [key, item] of await known) world.items.set(key, item);
  const run = async (tickS: number, value: number, answers: readonly Answer[] | Script['answer']) => {
    world.script.scrape = () => page(value);
    world.script.answer = typeof answers === 'function' ? answers : (_, nth) => answers[nth] ?? 'accepted';
    const before = world.bodies.length;
    const report = await world.run(tickS, TARGETS);
    return { report, bodies: world.bodies.slice(before) };
  };
  const pending = (): readonly string[] =>
    TARGETS.flatMap(({ key, instance }) =>
      world.items.get(key)?.pendingSinceMs === undefined ? [] : [instance],
    );
  return { ...world, run, pending };
}

/** Whose deltas a body carries. */
function carried(bodies: readonly SentBody[]): readonly string[] {
  return bodies.map(({ points }) => [...new Set(points.map(instanceOf))].join());
}

/** The delta of the first series of each target in turn. */
function firstDeltas(bodies: readonly SentBody[]): readonly string[] {
  const all = bodies.flatMap(({ points }) => points).map((point) => printPoint(point));
  return all.filter((line) => line.startsWith('a_total{i="0"}'));
}

describe('three bodies, the first of which is answered', () => {
  const [first = '', second = '', third = ''] = NAMES;
  const CASES: readonly [code: ExportCode, posted: readonly string[], pending: readonly string[]][] = [
    ['accepted', NAMES, []],
    ['partial', NAMES, []],
    ['refused', [first], NAMES],
    ['retry', [first], NAMES],
    ['unknown', [first], NAMES],
    ['waiting_for_token', [first], NAMES],
    ['waiting_for_endpoint', [first], NAMES],
  ];
  for (const [code, posted, pending] of CASES) {
    test(`D4: ${code}: ${pending.length} targets keep what they owe, and no body is repeated`, async () => {
      const world = await threeBodies();
      const { report, bodies } = await world.run(60, 3, [code]);
      assert.deepEqual(carried(bodies), posted);
      assert.deepEqual(world.pending(), pending);
      assert.equal(report.exports[0]?.outcome.code, code);
      assert.equal(report.pending, pending.length * FULL);
      assert.equal(report.pointsSent, (3 - pending.length) * MAX_BODY_POINTS);
      const lostGauges = pending.length * REPORT_GAUGES;
      assert.deepEqual(report.drops, lostGauges === 0 ? {} : { gauge_not_delivered: lostGauges });
      const [item, other] = [0, 2].map((i) => world.items.get(TARGETS[i]?.key ?? ''));
      const why = code === 'accepted' || code === 'partial' ? '' : ': as scripted';
      assert.equal(item?.lastOutcome, `${code}${why}`);
      // What never left was not answered.
      assert.equal(other?.lastOutcome, 'accepted');

      const next = await world.run(120, 4, []);
      const owed = (instance: string): string =>
        pending.includes(instance) ? 'a_total{i="0"} 3 (0,120]' : 'a_total{i="0"} 1 (60,120]';
      assert.deepEqual(firstDeltas(next.bodies), [owed(first), owed(second), owed(third)]);
      assert.equal(next.report.caughtUp, pending.length);
      assert.deepEqual(world.pending(), []);
    });
  }

  test('D2: what was accepted before an unknown outcome is not sent again', async () => {
    const world = await threeBodies();
    const { bodies } = await world.run(60, 3, ['accepted', 'unknown_stored']);
    assert.deepEqual(carried(bodies), [first, second]);
    assert.deepEqual(world.pending(), [second, third]);
    const next = await world.run(120, 4, []);
    assert.deepEqual(firstDeltas(next.bodies), [
      'a_total{i="0"} 1 (60,120]',
      'a_total{i="0"} 3 (0,120]',
      'a_total{i="0"} 3 (0,120]',
    ]);
  });

  test('a partial success is final: what it rejects is counted and not sent again', async () => {
    const world = await threeBodies();
    const { report } = await world.run(60, 3, [{ partial: 7 }, { partial: 1 }]);
    assert.equal(report.pointsRejected, 8);
    assert.equal(report.pointsSent, 3 * MAX_BODY_POINTS - 8);
    assert.deepEqual(world.pending(), []);
    const next = await world.run(120, 4, []);
    assert(deltasOf(next.bodies).every((line) => line.endsWith(' 1 (60,120]')));
  });

  test('nothing is sent to a Dynatrace that stays away: an outage ends in one point a series', async () => {
    const world = await threeBodies();
    for (let i = 1; i <= 4; i++) {
      const { bodies } = await world.run(60 * i, 1 + i, ['retry']);
      assert.equal(bodies.length, 1);
    }
    const { bodies, report } = await world.run(300, 6, []);
    assert(deltasOf(bodies).every((line) => line.endsWith(' 5 (0,300]')));
    assert.equal(report.caughtUp, 3);
  });
});

describe('413: too large', () => {
  test('the body is halved until it fits, and everything arrives once', async () => {
    const world = await threeBodies();
    const answer: Script['answer'] = ({ length }) => (length > 1_000 ? 'too_large' : 'accepted');
    const { report, bodies } = await world.run(60, 3, answer);
    const stored = bodies.flatMap((body) => body.stored);
    assert.equal(stored.length, 3 * MAX_BODY_POINTS);
    const series = stored.map((point) => `${instanceOf(point)} ${printPoint(point)}`);
    assert.equal(new Set(series).size, series.length);
    assert.equal(report.pointsSent, 3 * MAX_BODY_POINTS);
    assert.equal(report.exports.filter(({ outcome }) => outcome.code === 'too_large').length, 9);
    assert.deepEqual(world.pending(), []);
  });

  test('a single series that is too large by itself stays pending, the others go', async () => {
    const world = createWorld();
    const only = target('10.0.0.1:8000');
    const names = Array.from({ length: 40 }, (_, i) => `a${i}_total`);
    const show = (value: number) => counters(Object.fromEntries(names.map((name) => [name, value])));
    world.script.scrape = () => show(1);
    await world.run(0, [only]);
    world.script.answer = (points) =>
      points.some(({ name }) => name === 'a7_total') ? 'too_large' : 'accepted';
    world.script.scrape = () => show(3);
    const report = await world.run(60, [only]);
    assert.equal(report.pending, 1);
    assert.equal(report.pointsSent, 39 + REPORT_GAUGES);
    assert(report.exports.length <= 2 * Math.ceil(Math.log2(45)) + 1);
    world.script.answer = () => 'accepted';
    world.script.scrape = () => show(4);
    const before = world.bodies.length;
    await world.run(120, [only]);
    const deltas = deltasOf(world.bodies.slice(before));
    assert.equal(deltas.length, 40);
    assert.deepEqual(
      deltas.filter((line) => !line.endsWith(' 1 (60,120]')),
      ['a7_total 3 (0,120]'],
    );
  });

  test('an answer that ends the sending ends it between two halves as well', async () => {
    const world = await threeBodies();
    const { bodies, report } = await world.run(60, 3, ['too_large', 'accepted', 'unknown']);
    assert.equal(bodies.length, 3);
    assert.equal(report.pointsSent, MAX_BODY_POINTS / 2);
    const next = await world.run(120, 4, []);
    const long = deltasOf(next.bodies).filter((line) => line.endsWith(' 3 (0,120]'));
    const short = deltasOf(next.bodies).filter((line) => line.endsWith(' 1 (60,120]'));
    assert.equal(short.length, MAX_BODY_POINTS / 2);
    assert.equal(long.length, 3 * FULL - MAX_BODY_POINTS / 2);
  });
});

describe('waiting for a token, from the first run on', () => {
  test('the run scrapes and commits as under 503, and costs no increment', async () => {
    const { run, script } = oneCounter();
    script.answer = () => 'waiting_for_token';
    const { item } = await run(0, 5);
    assert.equal(item?.lastOutcome, 'waiting_for_token: as scripted');
    assert.equal(item.lastExportAtMs, undefined);
    assert.equal((await run(60, 7)).report.pending, 1);
    assert.equal((await run(120, 9)).report.pointsSent, 0);
    script.answer = () => 'accepted';
    const { deltas, report } = await run(180, 10);
    assert.deepEqual(deltas, ['a_total 5 (0,180]']);
    assert.equal(report.caughtUp, 1);
  });
});

describe('a full shard', () => {
  test('150 targets share bodies, and one that is not taken touches only what had not left', async () => {
    const targets = Array.from({ length: 150 }, (_, i) => target(`10.0.${i}.1:8000`));
    const show = (value: number) =>
      counters(Object.fromEntries(Array.from({ length: 55 }, (_, i) => [`a_total{i="${i}"}`, value])));
    const world = createWorld();
    world.script.scrape = () => show(1);
    await world.run(0, targets);
    world.script.scrape = () => show(3);
    world.script.answer = (_, nth) => (nth === 1 ? 'retry' : 'accepted');
    const before = world.bodies.length;
    const report = await world.run(60, targets);
    const bodies = world.bodies.slice(before);
    assert.deepEqual(
      bodies.map(({ points }) => points.length),
      [3_000, 3_000],
    );
    assert.equal(report.pending, 100 * 55);
    const waiting = report.targets.filter(({ pending }) => pending > 0).map(({ instance }) => instance);
    const sent = new Set(bodies[0]?.points.map(instanceOf));
    assert.deepEqual(
      waiting,
      report.targets.map(({ instance }) => instance).filter((instance) => !sent.has(instance)),
    );
  });
});
