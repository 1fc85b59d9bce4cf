/** What a failed commit does to the runs behind it, and how a run divides its time. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { MAX_CONCURRENT_SCRAPES, SCRAPE_SHARE, WRITE_FIRST_SHARE } from '../../functions/core/pipeline.ts';
import {
  RUN_BUDGET_MS,
  createWorld,
  gaugesOf,
  instanceOf,
  oneCounter,
  printPoint,
  target,
} from '../fakes/ports.ts';
import { T0_MS } from '../fakes/virtual-time.ts';
import { counters } from './story.ts';

const A = target('10.0.0.1:8000');
const B = target('10.0.0.2:8000');
const C = target('10.0.0.3:8000');

describe('commits', () => {
  test('D2: after a failed commit the item is written first, and the increment leaves twice at most', async () => {
    const { run, script, shards, calls } = oneCounter();
    await run(0, 5);
    script.commit = () => 'failed';
    const failed = await run(60, 7);
    assert.deepEqual(failed.deltas, ['a_total 2 (0,60]']);
    assert.equal(failed.report.commitsFailed, 1);
    assert.equal(failed.report.targets[0]?.commitError, 'failed: cannot commit: out of order');
    assert.deepEqual(shards.get(0)?.legacy.uncommitted, [A.key]);
    // The store stays out of order: nothing leaves but gauges.
    for (const tickS of [120, 180]) {
      const held = await run(tickS, 8);
      assert.deepEqual(held.deltas, []);
      assert.equal(held.report.pointsSent, 5);
      assert.equal(held.report.pending, 1);
      assert.deepEqual(shards.get(0)?.legacy.uncommitted, [A.key]);
    }
    script.commit = () => undefined;
    calls.length = 0;
    assert.deepEqual((await run(240, 9)).deltas, ['a_total 4 (0,240]']);
    const commit = `commit ${A.instance}`;
    assert.deepEqual(calls, ['claim', 'load', `scrape ${A.instance}`, commit, 'export', commit, 'end']);
    assert.deepEqual(shards.get(0)?.legacy.uncommitted, []);
    assert.deepEqual((await run(300, 9)).deltas, ['a_total 0 (240,300]']);
  });

  test('D2: held targets still say that they are up', async () => {
    const { run, script, bodies } = oneCounter();
    await run(0, 5);
    script.commit = () => 'failed';
    await run(60, 7);
    await run(120, 8);
    assert(gaugesOf(bodies.slice(2)).includes('up 1 @120'));
  });

  test('a commit whose answer was lost is read again: nothing leaves twice', async () => {
    const { run, script } = oneCounter();
    await run(0, 5);
    script.commit = () => 'lost';
    await run(60, 7);
    script.commit = () => undefined;
    assert.deepEqual((await run(120, 8)).deltas, ['a_total 1 (60,120]']);
  });

  test('D2: written first, but the answer was lost: held, and nothing leaves twice', async () => {
    const { run, script } = oneCounter();
    await run(0, 5);
    script.commit = () => 'failed';
    await run(60, 7);
    script.commit = () => 'lost';
    assert.deepEqual((await run(120, 8)).deltas, []);
    script.commit = () => undefined;
    assert.deepEqual((await run(180, 9)).deltas, ['a_total 4 (0,180]']);
    assert.deepEqual((await run(240, 9)).deltas, ['a_total 0 (180,240]']);
  });

  test('D2: not written first, but at the end: held in this run only', async () => {
    const { run, script } = oneCounter();
    await run(0, 5);
    script.commit = () => 'failed';
    await run(60, 7);
    let writes = 0;
    script.commit = () => (writes++ === 0 ? 'failed' : undefined);
    const held = await run(120, 8);
    assert.deepEqual(held.deltas, []);
    assert.equal(held.item?.lastTickMs, T0_MS + 120_000);
    assert.equal(held.report.commitsFailed, 0);
    assert.deepEqual((await run(180, 9)).deltas, ['a_total 4 (0,180]']);
  });

  test('a conflict is counted, and nothing guessed', async () => {
    const { run, script, shards, items } = oneCounter();
    await run(0, 5);
    script.commit = () => 'conflict';
    const { report } = await run(60, 7);
    assert.equal(report.targets[0]?.commitError, 'conflict: another run wrote this item');
    assert.equal(report.commitsFailed, 1);
    assert.equal(items.get(A.key)?.writer, 'another');
    assert.deepEqual(shards.get(0)?.legacy.uncommitted, [A.key]);
    script.commit = () => undefined;
    assert.deepEqual((await run(120, 8)).deltas, ['a_total 3 (0,120]']);
  });

  test('D2: a target that could not be read stays uncommitted until it was written', async () => {
    const { run, script, shards, calls } = oneCounter();
    await run(0, 5);
    script.commit = () => 'failed';
    await run(60, 7);
    script.load = () => 'unread';
    await run(120, 7);
    assert.deepEqual(shards.get(0)?.legacy.uncommitted, [A.key]);
    script.load = () => undefined;
    script.commit = () => undefined;
    calls.length = 0;
    await run(180, 8);
    assert.deepEqual(calls.slice(3, 5), [`commit ${A.instance}`, 'export']);
  });

  test('what a run could not commit is pending still, and no gap was filled', async () => {
    const { run, script } = oneCounter();
    await run(0, 5);
    script.answer = () => 'retry';
    await run(60, 7);
    script.answer = () => 'accepted';
    script.commit = () => 'failed';
    assert.equal((await run(120, 8)).report.caughtUp, 0);
  });

  test('the end of a run may fail: the next one goes on', async () => {
    const { run, script } = oneCounter();
    await run(0, 5);
    for (const [tickS, fault] of [
      [60, 'failed'],
      [120, 'lost'],
      [180, 'hangs'],
    ] as const) {
      script.end = () => fault;
      const { report, deltas } = await run(tickS, 5 + tickS);
      assert.equal(report.code, 'ended');
      assert.deepEqual(deltas, [`a_total 60 (${tickS - 60},${tickS}]`]);
    }
  });
});

describe('time', () => {
  test('scrapes that hang leave time to export and commit', async () => {
    const world = createWorld();
    world.script.scrape = (of) => (of === A ? { hangs: true } : counters({ a_total: 5 }));
    const report = await world.run(0, [A, B]);
    const startMs = 5_000;
    assert.equal(world.bodies[0]?.atMs, startMs + RUN_BUDGET_MS * SCRAPE_SHARE);
    assert(world.bodies[0].deadlineMs < startMs + RUN_BUDGET_MS);
    assert.equal(report.targets[0]?.error, 'timeout: cannot scrape: as scripted');
    assert.deepEqual(
      world.writes.map(({ applied }) => applied),
      [true, true],
    );
  });

  test('an export that hangs leaves time to commit', async () => {
    const { run, script, writes } = oneCounter();
    await run(0, 5);
    script.answer = () => 'hangs';
    await run(60, 7);
    const last = writes.at(-1);
    assert(last?.applied === true && last.atMs < 5_000 + 60_000 + RUN_BUDGET_MS);
    script.answer = () => 'accepted';
    assert.deepEqual((await run(180, 8)).deltas, ['a_total 3 (0,180]']);
  });

  test('D2: an item that is written first and hangs leaves the others their time', async () => {
    const world = createWorld();
    let value = 5;
    world.script.scrape = () => counters({ a_total: value });
    await world.run(0, [A, B]);
    value = 7;
    world.script.commit = (item) => (item.key === A.key ? 'failed' : undefined);
    await world.run(60, [A, B]);
    value = 8;
    world.script.commit = (item) => (item.key === A.key ? 'hangs' : undefined);
    await world.run(120, [A, B]);
    const body = world.bodies[2];
    assert(body !== undefined);
    assert.equal(body.atMs, 5_000 + 120_000 + RUN_BUDGET_MS * WRITE_FIRST_SHARE);
    assert(body.atMs < body.deadlineMs);
    const theirs = body.points.filter((point) => instanceOf(point) === B.instance);
    assert(theirs.map(printPoint).includes('a_total 1 (60,120]'));
    assert.equal(world.items.get(B.key)?.lastTickMs, T0_MS + 120_000);
  });

  test('scrapes run side by side, so many at once', async () => {
    const world = createWorld();
    const many = Array.from({ length: MAX_CONCURRENT_SCRAPES + 2 }, (_, i) => target(`10.0.1.${i}:8000`));
    world.script.scrape = () => ({ hangs: true });
    await world.run(0, many);
    assert.equal(world.bodies[0]?.atMs, 5_000 + RUN_BUDGET_MS * SCRAPE_SHARE);
    assert.equal(world.items.size, many.length);
  });
});

describe('many targets', () => {
  test('each has its own way through the run', async () => {
    const world = createWorld();
    world.script.scrape = (of) => (of === B ? { fails: 'tls' } : counters({ a_total: of === A ? 1 : 2 }));
    const report = await world.run(0, [A, B, C]);
    assert.deepEqual(
      report.targets.map(({ instance, up }) => [instance, up]),
      [
        [A.instance, true],
        [B.instance, false],
        [C.instance, true],
      ],
    );
    assert.deepEqual(report.drops, { initial: 2 });
    assert.equal(world.bodies.length, 1);
  });

  test('a warm run and a cold one say the same', async () => {
    const page = (n: number) => counters({ a_total: n, 'b_total{x="1"}': 2 * n });
    const warm = createWorld();
    for (const n of [1, 2, 3]) {
      const before = warm.items.get(A.key);
      warm.script.scrape = () => page(n);
      await warm.run(60 * n, [A]);
      const cold = createWorld();
      if (before !== undefined) cold.items.set(A.key, before);
      cold.script.scrape = () => page(n);
      await cold.run(60 * n, [A]);
      assert.deepEqual(cold.items.get(A.key)?.baseline, warm.items.get(A.key)?.baseline);
      assert.deepEqual(cold.bodies[0]?.points, warm.bodies[n - 1]?.points);
    }
  });
});
