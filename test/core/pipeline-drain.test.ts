/** D4: what a vanished target owes goes out without its page, its document or its process. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import type { Target } from '../../functions/core/model.ts';
import { createTarget } from '../../functions/core/targets.ts';
import { deltasOf, createWorld, target } from '../fakes/ports.ts';
import { T0_MS } from '../fakes/virtual-time.ts';
import { counters } from './story.ts';

const A = target('10.0.0.1:8000');
const DAY_S = 86_400;

/** A target that counted 3 which Dynatrace would not take, and then was named no more. */
async function vanished() {
  const world = createWorld();
  world.script.scrape = () => counters({ a_total: 5 });
  await world.run(0, [A]);
  world.script.scrape = () => counters({ a_total: 8 });
  world.script.answer = () => 'retry';
  await world.run(60, [A]);
  const drain = async (tickS: number) => {
    const [bodies, calls] = [world.bodies.length, world.calls.length];
    const report = await world.run(tickS, [], { drains: [A.key] });
    return { report, deltas: deltasOf(world.bodies.slice(bodies)), calls: world.calls.slice(calls) };
  };
  return { ...world, drain };
}

describe('a vanished target', () => {
  test('is loaded and sent, not scraped, and owes nothing any more', async () => {
    const { script, drain, items, bodies } = await vanished();
    script.answer = () => 'accepted';
    const { report, deltas, calls } = await drain(120);
    assert.deepEqual(deltas, ['a_total 3 (0,120]']);
    assert(!calls.some((call) => call.startsWith('scrape')));
    assert.deepEqual([report.targets[0]?.vanished, report.pending], [true, 0]);
    const item = items.get(A.key);
    assert.deepEqual(
      [item?.pendingSinceMs, item?.job, item?.url],
      [undefined, 'nim', 'http://10.0.0.1:8000/v1/metrics'],
    );
    const sent = bodies
      .at(-1)
      ?.points.map(({ name, resource }) => [name, Object.fromEntries(resource)['service.instance.id']]);
    assert.deepEqual(sent, [['a_total', '10.0.0.1:8000']], 'no up: nobody scraped it');
  });

  test('keeps what it owes while Dynatrace is away', async () => {
    const { script, drain, run } = await vanished();
    await drain(120);
    script.answer = () => 'accepted';
    assert.deepEqual((await drain(180)).deltas, ['a_total 3 (0,180]']);
    script.scrape = () => counters({ a_total: 9 });
    await run(240, [A]);
    assert.equal((await run(300, [A])).pending, 0);
  });

  test('that is named again goes on where it was', async () => {
    const { script, run, bodies } = await vanished();
    script.answer = () => 'accepted';
    script.scrape = () => counters({ a_total: 9 });
    const before = bodies.length;
    await run(120, [A]);
    assert.deepEqual(deltasOf(bodies.slice(before)), ['a_total 4 (0,120]']);
  });

  test('is given up max_staleness after its last sight, counted, not silently', async () => {
    for (const [tickS, givenUp] of [
      [60 + 25 * 3600, undefined],
      [61 + 25 * 3600, 1],
    ] as const) {
      const { script, drain, items } = await vanished();
      script.answer = () => 'retry';
      const { report, deltas } = await drain(tickS);
      assert.equal(report.drops.given_up, givenUp);
      assert.equal(deltas.length, givenUp === undefined ? 1 : 0);
      assert.equal(items.get(A.key)?.pendingSinceMs === undefined, givenUp !== undefined);
    }
  });

  test('is never given up when max_staleness is 0', async () => {
    const { script, run, bodies } = await vanished();
    script.answer = () => 'accepted';
    const before = bodies.length;
    await run(400 * DAY_S, [], { drains: [A.key], maxStalenessMs: 0 });
    assert.equal(deltasOf(bodies.slice(before)).length, 1);
  });

  test('whose item is gone, unread or unreadable is left alone', async () => {
    for (const fault of ['gone', 'unread', 'unreadable'] as const) {
      const { script, drain, items, writes } = await vanished();
      if (fault === 'gone') items.clear();
      else script.load = () => fault;
      const before = writes.length;
      const { report, deltas } = await drain(120);
      assert.deepEqual([report.targets, deltas, writes.length - before], [[], [], 0]);
    }
  });
});

/** Pods that follow each other on one address, as a StatefulSet's on the host's network do: all else is equal. */
describe('a pod that replaced another on its address', () => {
  const identity = {
    job: 'nim',
    instance: '10.0.0.7:8000',
    scheme: 'http',
    address: '10.0.0.7:8000',
  } as const;
  const [OLD, NEW, NEWEST] = ['uid-1', 'uid-2', 'uid-3'].map((uid) =>
    createTarget({ ...identity, path: '', params: [] }, undefined, uid),
  ) as [Target, Target, Target];

  /** At 60 the old one owes 3 which Dynatrace would not take; the new one started since. */
  async function replaced() {
    const world = createWorld();
    world.script.scrape = () => counters({ a_total: 5 });
    await world.run(0, [OLD]);
    world.script.scrape = () => counters({ a_total: 8 });
    world.script.answer = () => 'retry';
    await world.run(60, [OLD]);
    world.script.answer = () => 'accepted';
    world.script.scrape = () => counters({ a_total: 4, process_start_time_seconds: T0_MS / 1000 + 90 });
    const tick = async (tickS: number, current: Target, drains: readonly Target[] = []) => {
      const before = world.bodies.length;
      await world.run(tickS, [current], { drains: drains.map(({ key }) => key) });
      const points = world.bodies.slice(before).flatMap((body) => body.points);
      const ups = points.filter(({ name }) => name === 'up').length;
      return { deltas: deltasOf(world.bodies.slice(before)), ups };
    };
    return { ...world, tick };
  }

  test('waits a tick with its deltas while the old one sends what it owed: one point per series and tick', async () => {
    const { tick, items } = await replaced();
    assert.deepEqual(await tick(120, NEW, [OLD]), { deltas: ['a_total 3 (0,120]'], ups: 1 });
    assert.equal(items.get(OLD.key)?.pendingSinceMs, undefined);
    assert.deepEqual(await tick(180, NEW), { deltas: ['a_total 4 (60,180]'], ups: 1 });
  });

  test('waits for each of several, which go one by one', async () => {
    const { tick, script } = await replaced();
    script.answer = () => 'retry';
    await tick(120, NEW);
    script.answer = () => 'accepted';
    const all = [OLD, NEW];
    assert.deepEqual((await tick(180, NEWEST, all)).deltas, ['a_total 3 (0,180]']);
    assert.deepEqual((await tick(240, NEWEST, all)).deltas, ['a_total 4 (60,240]']);
    assert.deepEqual((await tick(300, NEWEST, all)).deltas, ['a_total 4 (120,300]']);
  });

  test('waits for nobody whose item cannot be written first (D2), nor for suspects in their pause (D12)', async () => {
    const held = await replaced();
    held.script.commit = ({ key }) => (key === OLD.key ? 'failed' : undefined);
    assert.deepEqual((await held.tick(120, NEW, [OLD])).deltas, ['a_total 3 (0,120]']);
    assert.deepEqual((await held.tick(180, NEW, [OLD])).deltas, ['a_total 4 (60,180]']);

    const poisoned = await replaced();
    poisoned.script.answer = (points) =>
      points.some(({ name, value }) => name === 'a_total' && value === 3) ? 'malformed' : 'accepted';
    const isTold = async (tickS: number) =>
      (await poisoned.tick(tickS, NEW, [OLD])).deltas.includes('a_total 4 (60,180]');
    assert.deepEqual([await isTold(120), await isTold(180)], [false, true]);
  });
});
