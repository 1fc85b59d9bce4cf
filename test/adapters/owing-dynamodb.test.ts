import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { MAX_OWING_KEYS, createOwing } from '../../functions/adapters/owing-dynamodb.ts';
import type { TargetItem } from '../../functions/core/ports.ts';
import { type StateTable, TABLE, TICK_MS, clock, openStateTable, soon, stateOf } from './state-table.ts';

let table: StateTable;

before(async () => {
  table = await openStateTable();
});

after(() => table.close());

beforeEach(() => table.faults.clear());

function item(key: string, version: number, pendingSinceMs?: number): TargetItem {
  const about = {
    job: 'nim',
    instance: key,
    url: 'http://a:1',
    up: true,
    samples: 1,
    version,
    writer: `w${version}`,
  };
  return { key, ...about, ...(pendingSinceMs === undefined ? {} : { pendingSinceMs }) };
}

const commit = (one: TargetItem) => stateOf(table.client).commit(one, soon());
const keys = (deadlineMs = soon()) =>
  createOwing({ client: table.client, tableName: TABLE, clock }).keys(deadlineMs);

describe('targets that owe', () => {
  test('are found, oldest first, and only while something is pending', async () => {
    assert.deepEqual(await keys(), { code: 'read', keys: [] });
    await commit(item('target/a', 1, TICK_MS));
    await commit(item('target/b', 1));
    await commit(item('target/c', 1, TICK_MS - 60_000));
    assert.deepEqual(await keys(), { code: 'read', keys: ['target/c', 'target/a'] });
    await commit(item('target/c', 2));
    assert.deepEqual(await keys(), { code: 'read', keys: ['target/a'] });
    await commit(item('target/a', 2));
    assert.deepEqual(await keys(), { code: 'read', keys: [] });
  });

  test('are read up to a bound', async () => {
    for (let start = 0; start <= MAX_OWING_KEYS; start += 101) {
      const some = Array.from({ length: Math.min(101, MAX_OWING_KEYS + 1 - start) }, (_, i) => start + i);
      await Promise.all(some.map((i) => commit(item(`target/many-${i}`, 1, TICK_MS + i * 1000))));
    }
    const read = await keys();
    assert(read.code === 'read');
    assert.deepEqual([read.keys.length, read.keys[0]], [MAX_OWING_KEYS, 'target/many-0']);
  });

  test('that cannot be read say why, also when the time is over', async () => {
    table.faults.next('Query', { kind: 'refuse', error: 'AccessDeniedException' });
    const refused = await keys();
    assert(refused.code === 'failed');
    assert.match(refused.message, /^cannot read which targets owe: AccessDeniedException/);
    assert.equal((await keys(clock.monotonicMs() - 1)).code, 'failed');
  });
});
