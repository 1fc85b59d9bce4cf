/** The shard's own item: who may run, and what one run leaves to the next. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { NO_CAUTION } from '../../functions/core/caution.ts';
import type { DynamoDbFaults } from '../fakes/dynamodb-faults.ts';
import type { SelfFacts } from '../../functions/core/self-facts.ts';
import { type StateTable, TICK_MS, clock, openStateTable, soon, stateOf } from './state-table.ts';

let faults: DynamoDbFaults;
let client: DynamoDBClient;
let attributes: StateTable['attributes'];
let count: StateTable['count'];
let close: StateTable['close'];
/** A shard of its own for each test. */
let shard = 0;

before(async () => {
  ({ faults, client, attributes, count, close } = await openStateTable());
});

after(() => close());

beforeEach(() => {
  faults.clear();
  shard += 1;
});

const legacy = (...uncommitted: readonly string[]) => ({ uncommitted, caution: NO_CAUTION });

describe('claim and end', () => {
  const claim = (tickMs: number, writer: string, of = client) =>
    stateOf(of).claim(shard, tickMs, writer, soon());

  test('a newer tick is claimed, the same or an older one is not', async () => {
    assert.deepEqual(await claim(TICK_MS, 'run-a'), {
      code: 'claimed',
      unended: 0,
      caution: NO_CAUTION,
      uncommitted: [],
    });
    assert.deepEqual(await claim(TICK_MS, 'run-b'), { code: 'not_newer', tickMs: TICK_MS });
    assert.deepEqual(await claim(TICK_MS - 1, 'run-a'), { code: 'not_newer', tickMs: TICK_MS });
    assert.deepEqual(await claim(TICK_MS + 1, 'run-b'), {
      code: 'claimed',
      unended: 1,
      caution: NO_CAUTION,
      uncommitted: [],
    });
  });

  test('uncommitted targets are handed on until a run that ended lists others', async () => {
    const state = stateOf(client);
    await claim(TICK_MS, 'run-a');
    assert.deepEqual(await state.end(shard, TICK_MS, 'run-a', legacy('target/x', 'target/y'), soon()), {
      code: 'committed',
    });
    const expected = {
      code: 'claimed',
      unended: 0,
      caution: NO_CAUTION,
      uncommitted: ['target/x', 'target/y'],
    };
    assert.deepEqual(await claim(TICK_MS + 1, 'run-b'), expected);
    assert.deepEqual(await claim(TICK_MS + 2, 'run-c'), { ...expected, unended: 1 }, 'run-b never ended');
    await state.end(shard, TICK_MS + 2, 'run-c', legacy(), soon());
    assert.deepEqual(await claim(TICK_MS + 3, 'run-d'), {
      code: 'claimed',
      unended: 0,
      caution: NO_CAUTION,
      uncommitted: [],
    });
  });

  test('so is the caution that lost answers teach, over runs that never end', async () => {
    const caution = { unknowns: 3, waitTicks: 4 };
    await claim(TICK_MS, 'run-a');
    await stateOf(client).end(shard, TICK_MS, 'run-a', { uncommitted: [], caution }, soon());
    for (let unended = 0; unended < 3; unended++) {
      const expected = { code: 'claimed', unended, uncommitted: [], caution };
      assert.deepEqual(await claim(TICK_MS + 1 + unended, 'run-b'), expected);
    }
  });

  test('so is what the run counted of itself, until another has ended', async () => {
    const self: SelfFacts = {
      counts: [{ name: 'points.dropped', reason: 'nan', value: 3, sinceMs: TICK_MS }],
      pendingPoints: 1,
      pendingSinceMs: TICK_MS,
      exportDurationMs: 20,
      exportBytes: 4_096,
      seriesTracked: 78,
    };
    await claim(TICK_MS, 'run-a');
    await stateOf(client).end(shard, TICK_MS, 'run-a', { ...legacy(), self }, soon());
    const { self: left } = (await claim(TICK_MS + 1, 'run-b')) as { self?: unknown };
    assert.deepEqual(left, self);
    await stateOf(client).end(shard, TICK_MS + 1, 'run-b', legacy(), soon());
    assert.equal('self' in (await claim(TICK_MS + 2, 'run-c')), false);
  });

  test('the shard item as a person sees it', async () => {
    await claim(TICK_MS, 'run-a');
    const started = {
      pk: { S: `shard/${shard}` },
      shard: { N: String(shard) },
      unended: { N: '1' },
      tick: { N: String(TICK_MS) },
      writer: { S: 'run-a' },
      startedAt: { S: '2026-11-24T12:00:01.234Z' },
    };
    assert.deepEqual(await attributes(`shard/${shard}`), started);
    await stateOf(client).end(shard, TICK_MS, 'run-a', legacy('target/x'), soon());
    const ended = {
      endedAt: { S: '2026-11-24T12:00:01.234Z' },
      unended: { N: '0' },
      unknowns: { N: '0' },
      waitTicks: { N: '0' },
      uncommitted: { L: [{ S: 'target/x' }] },
      self: { S: '' },
    };
    assert.deepEqual(await attributes(`shard/${shard}`), { ...started, ...ended });
    await claim(TICK_MS + 1, 'run-b');
    assert.equal((await attributes(`shard/${shard}`))['endedAt'], undefined);
  });

  test('a lost answer is a claim: the retry meets its own write and still gets the list', async () => {
    await claim(TICK_MS, 'run-a');
    await stateOf(client).end(shard, TICK_MS, 'run-a', legacy('target/x'), soon());
    faults.next('UpdateItem', { kind: 'lose' });
    const claimed = { code: 'claimed', unended: 0, caution: NO_CAUTION, uncommitted: ['target/x'] };
    assert.deepEqual(await claim(TICK_MS + 1, 'run-b'), claimed);
    faults.next('UpdateItem', { kind: 'lose' });
    assert.deepEqual(await claim(TICK_MS + 2, 'run-c'), { ...claimed, unended: 1 }, 'run-b never ended');
  });

  test('a claim that cannot be made or told failed', async () => {
    faults.next('UpdateItem', { kind: 'refuse', error: 'AccessDeniedException' });
    const refused = await claim(TICK_MS, 'run-a');
    assert.equal(refused.code, 'failed');
    assert.match(
      refused.message,
      /^cannot claim shard \d+: AccessDeniedException, No; grant the role this action$/,
    );
    await claim(TICK_MS, 'run-a');
    faults.next('GetItem', { kind: 'refuse', error: 'AccessDeniedException' });
    assert.equal((await claim(TICK_MS, 'run-b')).code, 'failed');
    faults.next('UpdateItem', { kind: 'refuse', error: 'ConditionalCheckFailedException' });
    const changed = await claim(TICK_MS + 1, 'run-b');
    assert.equal(changed.code, 'failed');
    assert.match(changed.message, /its item changed meanwhile/);
  });

  test('nothing is claimed after the deadline', async () => {
    const asked = await count('UpdateItem', async () => {
      const late = await stateOf(client).claim(shard, TICK_MS, 'run-a', clock.monotonicMs() - 1);
      assert.equal(late.code, 'failed');
    });
    assert.equal(asked, 0);
  });

  test('only the run that holds the claim ends it; a lost answer ends it as well', async () => {
    const state = stateOf(client);
    assert.deepEqual(await state.end(shard, TICK_MS, 'run-a', legacy(), soon()), { code: 'conflict' });
    await claim(TICK_MS, 'run-a');
    assert.deepEqual(await state.end(shard, TICK_MS, 'run-b', legacy(), soon()), { code: 'conflict' });
    assert.deepEqual(await state.end(shard, TICK_MS - 1, 'run-a', legacy(), soon()), { code: 'conflict' });
    faults.next('UpdateItem', { kind: 'lose' });
    assert.deepEqual(await state.end(shard, TICK_MS, 'run-a', legacy(), soon()), { code: 'committed' });
    faults.next('UpdateItem', { kind: 'refuse', error: 'AccessDeniedException' });
    assert.equal((await state.end(shard, TICK_MS, 'run-a', legacy(), soon())).code, 'failed');
  });
});
