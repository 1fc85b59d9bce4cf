/** What a shard says of itself: at the next tick, never twice, bounded. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { createMemory } from '../../functions/core/point-names.ts';
import type { RunReport } from '../../functions/core/report.ts';
import { type SelfFacts, readSelfFacts } from '../../functions/core/self-facts.ts';
import {
  MAX_REJECTION_REASONS,
  MAX_SELF_POINTS,
  nextSelfFacts,
  selfPoints,
} from '../../functions/core/self-metrics.ts';
import { type Answer, createWorld, printPoint, target } from '../fakes/ports.ts';

const SELF = 'nim_to_dynatrace.';
const DROPS =
  'initial bucket_mismatch replica_flip nan negative invalid_histogram duplicate filtered unsendable given_up suspect gauge_not_delivered'.split(
    ' ',
  );

/** One target with a counter, a run a minute; answers with what arrived of the product itself. */
function shard() {
  const world = createWorld();
  const only = target('10.0.0.1:8000');
  let value = 0;
  world.script.scrape = () => `# TYPE a_total counter\na_total ${++value}\n`;
  const run = async (tickS: number, answer: Answer = 'accepted'): Promise<readonly string[]> => {
    world.script.answer = () => answer;
    const before = world.bodies.length;
    await world.run(tickS, [only], { selfMetrics: true });
    return world.bodies
      .slice(before)
      .flatMap(({ stored }) => stored)
      .filter(({ name }) => name.startsWith(SELF))
      .map((point) => printPoint(point).slice(SELF.length));
  };
  return { ...world, run };
}

const countsOf = (points: readonly string[]) => points.filter((point) => point.includes('('));

describe('self-metrics', () => {
  test('what a run counted arrives at the next tick, over the window between the two', async () => {
    const { run } = shard();
    assert.deepEqual(await run(0), []);
    const points = (await run(60)).map((point) => point.replace(/^(export\.\w+) \d+/, '$1 n'));
    assert.deepEqual(points, [
      'points.sent 5 (0,60]',
      'exports.unknown 0 (0,60]',
      'points.dropped{reason="initial"} 1 (0,60]',
      'pending.points 0 @60',
      'pending.age 0 @60',
      'export.duration n @60',
      'export.size n @60',
      'series.tracked 1 @60',
    ]);
  });

  test('what was surely not accepted is kept, and goes out over a longer window', async () => {
    const { run } = shard();
    await run(0);
    assert.deepEqual(await run(60, 'retry'), []);
    assert.deepEqual(countsOf(await run(120)), [
      'points.sent 5 (0,120]',
      'exports.unknown 0 (0,120]',
      'points.dropped{reason="initial"} 1 (0,120]',
      'points.dropped{reason="gauge_not_delivered"} 10 (60,120]',
    ]);
  });

  test('what may have arrived is given up: a lost answer is counted, its body’s counts are not sent again', async () => {
    for (const lost of ['unknown', 'unknown_stored'] as const) {
      const { run } = shard();
      await run(0);
      await run(60, lost);
      const counts = countsOf(await run(120));
      assert(counts.includes('exports.unknown 1 (60,120]'), counts.join('; '));
      assert(
        counts.every((point) => point.endsWith('(60,120]')),
        counts.join('; '),
      );
    }
  });

  test('what a dead run may have sent is given up', async () => {
    const { run, script } = shard();
    await run(0);
    script.end = () => 'hangs';
    assert.equal(countsOf(await run(60)).length, 3);
    script.end = () => undefined;
    assert.deepEqual(await run(120), []);
    assert(countsOf(await run(180)).every((point) => point.endsWith('(120,180]')));
  });

  test('it has a resource of its own, without an address, and is no target of the report', async () => {
    const { run, bodies, ports, items } = shard();
    await run(0);
    await run(60);
    const own = bodies.flatMap(({ points }) => points).filter(({ name }) => name.startsWith(SELF));
    for (const { resource } of own)
      assert.deepEqual(Object.fromEntries(resource), {
        'service.name': 'nim-to-dynatrace',
        'service.instance.id': 'shard-0',
      });
    assert.equal(items.size, 1);
    assert.equal(typeof ports.export, 'function');
  });

  test('none where it is not asked for', async () => {
    const { run, bodies } = createWorld();
    for (const tickS of [0, 60]) await run(tickS, [target('10.0.0.1:8000')]);
    assert(!bodies.flatMap(({ points }) => points).some(({ name }) => name.startsWith(SELF)));
  });
});

describe(`at most ${MAX_SELF_POINTS} points`, () => {
  const reasons = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ reason: `R${i}`, metric: 'm', points: 1 }));
  const report = (rejections: RunReport['rejections']): RunReport => ({
    tickMs: 60_000,
    shard: 0,
    code: 'ended',
    targets: [],
    exports: [],
    pointsSent: 1,
    pointsRejected: rejections.length,
    rejections,
    drops: Object.fromEntries(DROPS.map((reason) => [reason, 1])),
    pending: 1,
    pendingSinceMs: 0,
    seriesTracked: 1,
    caughtUp: 1,
    commitsFailed: 0,
    durationMs: 1,
  });
  const next = (facts: SelfFacts | undefined, rejections: RunReport['rejections']) =>
    nextSelfFacts(selfPoints(facts, 0, 60_000, createMemory()), report(rejections));
  const pointsOf = (facts: SelfFacts) => selfPoints(facts, 0, 120_000, createMemory()).run.sendables.length;

  test('with every reason there is, and the same once more while nothing is accepted', () => {
    const eight = next(undefined, reasons(MAX_REJECTION_REASONS));
    assert.equal(pointsOf(eight), MAX_SELF_POINTS - 1);
    const nine = next(undefined, reasons(MAX_REJECTION_REASONS + 3));
    assert.equal(pointsOf(nine), MAX_SELF_POINTS);
    assert.equal(nine.counts.find(({ reason }) => reason === 'OTHER')?.value, 3);
    const others = reasons(20).map((one) => ({ ...one, reason: `X${one.reason}` }));
    const again = next(nine, others);
    assert.equal(pointsOf(again), MAX_SELF_POINTS);
    assert.equal(again.counts.find(({ reason }) => reason === 'OTHER')?.value, 23);
  });

  test('as text and back; what is not as it should be is nothing', () => {
    const facts = next(undefined, reasons(1));
    assert.deepEqual(readSelfFacts(JSON.stringify(facts)), facts);
    for (const text of ['', '{', 'null', '[]', '{}', '{"counts":[{}]}'])
      assert.equal(readSelfFacts(text), undefined, text);
    const strange = { ...facts, counts: [{ name: 'toString', value: 1, sinceMs: 0 }] };
    assert.equal(readSelfFacts(JSON.stringify(strange)), undefined);
    assert.equal(readSelfFacts(JSON.stringify({ ...facts, counts: [null] })), undefined);
  });
});
