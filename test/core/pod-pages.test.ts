/** D11: whose page it is that an address shows, when pods come and go faster than they are listed. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { createMemory } from '../../functions/core/point-names.ts';
import type { Target } from '../../functions/core/model.ts';
import { FRESH_LIST_MS, ofItsPod } from '../../functions/core/pod-page.ts';
import { takeIn } from '../../functions/core/take-in.ts';
import { createTarget } from '../../functions/core/targets.ts';
import { createWorld, deltasOf } from '../fakes/ports.ts';
import { T0_MS } from '../fakes/virtual-time.ts';
import { counters } from './story.ts';

const ADDRESS = '10.0.1.17:8000';

/** The pod `uid` on the one address, as a list has it that was read at `listedS`. */
function pod(uid: string, listedS: number): Target {
  const identity = { job: 'nim', instance: ADDRESS, scheme: 'http', address: ADDRESS } as const;
  const target = createTarget({ ...identity, path: '', params: [] }, undefined, uid);
  return { ...target, listedAtMs: T0_MS + listedS * 1_000 };
}

/** Page after page of the address, and the deltas of each tick. */
function scrapes() {
  const world = createWorld();
  return async (tickS: number, target: Target, total: number, startS: number) => {
    world.script.scrape = () => counters({ a_total: total }, startS);
    const before = world.bodies.length;
    const { targets } = await world.run(tickS, [target]);
    const bodies = world.bodies.slice(before);
    const up = bodies.flatMap(({ points }) => points).find(({ name }) => name === 'up')?.value;
    return { deltas: deltasOf(bodies), up, error: targets[0]?.error?.replace(/:.*/, '') };
  };
}

describe('the page of a pod', () => {
  test("is another pod's if its process began after the list: it counts once, for the other, when that is listed", async () => {
    const scrape = scrapes();
    await scrape(0, pod('old', 0), 5, -100_000);
    assert.deepEqual((await scrape(60, pod('old', 60), 8, -100_000)).deltas, ['a_total 3 (0,60]']);
    // The API server is silent, and the old list stays in force.
    const refused = { deltas: [], up: 0, error: 'another_process' };
    assert.deepEqual(await scrape(120, pod('old', 60), 4, 90), refused);
    assert.deepEqual(await scrape(180, pod('old', 60), 6, 90), refused);
    assert.deepEqual((await scrape(240, pod('new', 240), 9, 90)).deltas, ['a_total 9 (180,240]']);
  });

  test('is its own a tick later if only its container restarted', async () => {
    const scrape = scrapes();
    await scrape(0, pod('a', 0), 5, -100_000);
    assert.deepEqual((await scrape(60, pod('a', 60), 2, 61)).deltas, []);
    assert.deepEqual((await scrape(120, pod('a', 120), 3, 61)).deltas, ['a_total 3 (0,120]']);
  });
});

describe('whether a page is that of its pod', () => {
  const NOW_MS = T0_MS + 100_000;
  const verdict = (
    startMs: number | undefined,
    listedAtMs: number | undefined,
    response: { readonly complete?: boolean; readonly dateMs?: number } = {},
  ) => {
    const memory = createMemory();
    const text = counters({ a_total: 5 }, startMs === undefined ? undefined : (startMs - T0_MS) / 1_000);
    const page = { complete: true, ...response };
    const body = new TextEncoder().encode(text);
    const scraped = { code: 'page', body, path: '/metrics', ...page } as const;
    const facts = { tickMs: T0_MS, maxStalenessMs: 0 };
    const run = { target: pod('a', 0), baseline: undefined };
    const taken = takeIn(run, scraped, NOW_MS, facts, () => true, memory);
    return ofItsPod(taken, listedAtMs === undefined ? {} : { listedAtMs }, page, NOW_MS).code;
  };

  test('is told by the start of its process and the moment of the list', () => {
    assert.equal(verdict(T0_MS, T0_MS), 'taken');
    assert.equal(verdict(T0_MS + 1, T0_MS), 'another_process');
    assert.equal(verdict(T0_MS + 1, undefined), 'taken', 'no pod');
  });

  test("is told on the server's own clock, where it has a Date", () => {
    const aheadMs = 50_000;
    const dateMs = NOW_MS + aheadMs;
    assert.equal(verdict(T0_MS + aheadMs, T0_MS, { dateMs }), 'taken');
    assert.equal(verdict(T0_MS + aheadMs + 1, T0_MS, { dateMs }), 'another_process');
  });

  test('is not told by a start after the page itself', () => {
    assert.equal(verdict(NOW_MS + 30_000, T0_MS), 'another_process');
    assert.equal(verdict(NOW_MS + 30_001, T0_MS), 'taken');
  });

  test('cannot be told of a page that was cut before its start time, unless the list is new', () => {
    const complete = false;
    assert.equal(verdict(undefined, NOW_MS - FRESH_LIST_MS, { complete }), 'taken');
    assert.equal(verdict(undefined, NOW_MS - FRESH_LIST_MS - 1, { complete }), 'another_process');
    assert.equal(verdict(undefined, T0_MS), 'taken', 'a whole page without one');
  });
});
