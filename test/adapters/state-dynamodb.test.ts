import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { MAX_BASELINE_BYTES } from '../../functions/adapters/packing.ts';
import { createTableIfAbsent } from '../../functions/adapters/state-dynamodb.ts';
import type { LoadedItem, TargetItem } from '../../functions/core/ports.ts';
import type { DynamoDbFaults } from '../fakes/dynamodb-faults.ts';
import { type StateTable, TABLE, TICK_MS, clock, openStateTable, soon, stateOf } from './state-table.ts';

let faults: DynamoDbFaults;
let client: DynamoDBClient;
let impatient: DynamoDBClient;
let attributes: StateTable['attributes'];
let count: StateTable['count'];
let close: StateTable['close'];
/** A key of its own for each test. */
let sequence = 0;
let key = '';

before(async () => {
  ({ faults, client, impatient, attributes, count, close } = await openStateTable());
});

after(() => close());

beforeEach(() => {
  faults.clear();
  sequence += 1;
  key = `target/${sequence}`;
});

function item(overrides: Partial<TargetItem> = {}): TargetItem {
  return {
    key,
    job: 'nim',
    instance: '10.0.1.17:8000',
    url: 'http://10.0.1.17:8000/v1/metrics',
    up: true,
    samples: 392,
    version: 1,
    writer: 'run-a',
    ...overrides,
  };
}

async function loadOne(wanted = key): Promise<LoadedItem> {
  const answer = (await stateOf(client).load([wanted], soon())).get(wanted);
  assert.ok(answer);
  return answer;
}

describe('table', () => {
  test('one that exists is left as it is', async () => {
    assert.deepEqual(await createTableIfAbsent(client, TABLE), { code: 'ready' });
  });

  test('one that cannot be created says why', async () => {
    faults.next('CreateTable', { kind: 'refuse', error: 'AccessDeniedException' });
    const message =
      'cannot create the table nim-other: AccessDeniedException, No; grant the role this action';
    assert.deepEqual(await createTableIfAbsent(client, 'nim-other'), { code: 'failed', message });
  });
});

describe('items', () => {
  /** Every field: a new one in TargetItem does not compile before it is here. */
  const full = (): Required<TargetItem> => ({
    ...item({ up: false, samples: 0 }),
    attributes: { 'dt.cost.product': 'chat' },
    runTickMs: TICK_MS,
    intervalMs: 60_000,
    lastTickMs: TICK_MS,
    lastScrapeAtMs: TICK_MS + 1,
    scrapeDurationMs: 35,
    lastError: 'cannot scrape: refused; start it',
    lastExportAtMs: TICK_MS + 999,
    lastOutcome: 'accepted',
    output: '{"metricNames":"raw"}',
    pendingSeries: 12,
    pendingSinceMs: TICK_MS - 60_000,
    expiresAtMs: TICK_MS + 90_000_000,
    baseline: new TextEncoder().encode('request_success_total 7'),
  });

  test('all fields there and back', async () => {
    assert.deepEqual(await stateOf(client).commit(full(), soon()), { code: 'committed' });
    assert.deepEqual(await loadOne(), { code: 'found', item: full() });
  });

  test('required fields alone there and back; what is absent has no attribute', async () => {
    await stateOf(client).commit(item(), soon());
    assert.deepEqual(await loadOne(), { code: 'found', item: item() });
    const stored = await attributes(key);
    assert.deepEqual(
      Object.keys(stored).sort(),
      ['pk', 'job', 'instance', 'url', 'up', 'samples', 'version', 'writer'].sort(),
    );
  });

  test('an item past its expiry is answered as found: staleness is decided elsewhere', async () => {
    const expired = item({ expiresAtMs: 61_000 });
    await stateOf(client).commit(expired, soon());
    assert.deepEqual(await loadOne(), { code: 'found', item: expired });
  });

  test('an unreadable one harms no other', async () => {
    await stateOf(client).commit(full(), soon());
    const damaged = { ...(await attributes(key)), baseline: { B: Uint8Array.of(2, 0, 0, 0, 0, 0) } };
    await client.send(new PutItemCommand({ TableName: TABLE, Item: damaged }));
    const good = item({ key: `${key}/good` });
    await stateOf(client).commit(good, soon());
    const answers = await stateOf(client).load([key, good.key], soon());
    assert.deepEqual(answers.get(good.key), { code: 'found', item: good });
    const bad = answers.get(key);
    assert.equal(bad?.code, 'unreadable');
    assert.match(
      bad.message,
      /^cannot read the state of target\/\d+: its packing version 2 is newer than 1;/,
    );
  });
});

describe('load', () => {
  for (const n of [0, 1, 100, 101, 250]) {
    test(`${n} keys`, async () => {
      const keys = Array.from({ length: n }, (_, i) => `${key}/${i}`);
      const found = keys.filter((_, i) => i % 50 === 0);
      for (const each of found) await stateOf(client).commit(item({ key: each }), soon());
      const answers = await stateOf(client).load(keys, soon());
      assert.deepEqual([...answers.keys()].sort(), [...keys].sort());
      for (const each of keys) {
        assert.equal(answers.get(each)?.code, found.includes(each) ? 'found' : 'absent');
      }
      assert.equal(await count('BatchGetItem', () => stateOf(client).load(keys, soon())), Math.ceil(n / 100));
    });
  }

  test('a key named twice', async () => {
    const answers = await stateOf(client).load([key, key], soon());
    assert.deepEqual([...answers], [[key, { code: 'absent' }]]);
  });

  test('a key that DynamoDB would refuse harms no other', async () => {
    const atBound = 'ä'.repeat(1024);
    const answers = await stateOf(client).load(['', atBound, `${atBound}x`], soon());
    assert.deepEqual(
      ['', atBound, `${atBound}x`].map((each) => answers.get(each)?.code),
      ['unread', 'absent', 'unread'],
    );
  });

  test('unprocessed keys are asked for again until all are answered', async () => {
    await stateOf(client).commit(item({ key: `${key}/2` }), soon());
    for (const processed of [1, 0, 1]) faults.next('BatchGetItem', { kind: 'unprocessed', processed });
    const answers = await stateOf(client).load(
      [0, 1, 2, 3].map((i) => `${key}/${i}`),
      soon(),
    );
    assert.deepEqual(
      [...answers.values()].map((answer) => answer.code),
      ['absent', 'absent', 'found', 'absent'],
    );
  });

  test('keys that stay unprocessed until the deadline are unread, never absent', async () => {
    for (let i = 0; i < 20; i += 1)
      faults.next('BatchGetItem', { kind: 'unprocessed', processed: i === 0 ? 1 : 0 });
    const answers = await stateOf(client).load([`${key}/0`, `${key}/1`], clock.monotonicMs() + 150);
    assert.deepEqual(answers.get(`${key}/0`), { code: 'absent' });
    assert.equal(answers.get(`${key}/1`)?.code, 'unread');
  });

  test('a chunk that fails leaves the other chunks as they are', async () => {
    const keys = Array.from({ length: 101 }, (_, i) => `${key}/${i}`);
    faults.next('BatchGetItem', { kind: 'refuse', error: 'AccessDeniedException' });
    const answers = [...(await stateOf(client).load(keys, soon())).values()];
    const unread = answers.filter((answer) => answer.code === 'unread');
    assert.ok(unread.length === 100 || unread.length === 1);
    assert.match(
      unread[0]?.message ?? '',
      /^cannot load the state: AccessDenied.*; grant the role this action$/,
    );
    assert.equal(answers.filter((answer) => answer.code === 'absent').length, 101 - unread.length);
  });

  test("throttling is retried by the client's own retries", async () => {
    faults.next('BatchGetItem', { kind: 'refuse', error: 'ProvisionedThroughputExceededException' });
    assert.deepEqual(await loadOne(), { code: 'absent' });
  });

  test('no answer before the deadline is unread, and nothing is asked after it', async () => {
    faults.next('BatchGetItem', { kind: 'hang' });
    const late = await stateOf(client).load([key], clock.monotonicMs() + 50);
    const message = 'cannot load the state: no answer before the deadline; the next tick tries again';
    assert.deepEqual(late.get(key), { code: 'unread', message });
    const asked = await count('BatchGetItem', () => stateOf(client).load([key], clock.monotonicMs()));
    assert.equal(asked, 0);
  });
});

describe('commit', () => {
  test('the first version needs an absent item, each other one its predecessor', async () => {
    const state = stateOf(client);
    assert.deepEqual(await state.commit(item({ version: 2 }), soon()), { code: 'conflict' });
    assert.deepEqual(await state.commit(item(), soon()), { code: 'committed' });
    assert.deepEqual(await state.commit(item({ writer: 'run-b' }), soon()), { code: 'conflict' });
    assert.deepEqual(await state.commit(item({ version: 3 }), soon()), { code: 'conflict' });
    assert.deepEqual(await state.commit(item({ version: 2, writer: 'run-b' }), soon()), {
      code: 'committed',
    });
    assert.deepEqual(await loadOne(), { code: 'found', item: item({ version: 2, writer: 'run-b' }) });
  });

  test('a lost answer is success: the retry meets its own write', async () => {
    for (const version of [1, 2]) {
      faults.next('PutItem', { kind: 'lose' });
      const puts = await count('PutItem', async () => {
        assert.deepEqual(await stateOf(client).commit(item({ version }), soon()), { code: 'committed' });
      });
      assert.equal(puts, 2);
    }
  });

  test("a lost answer over someone else's write is a conflict", async () => {
    await stateOf(client).commit(item({ writer: 'run-b' }), soon());
    faults.next('PutItem', { kind: 'lose' });
    assert.deepEqual(await stateOf(client).commit(item(), soon()), { code: 'conflict' });
  });

  test('when the write cannot be told from a conflict it failed', async () => {
    await stateOf(client).commit(item(), soon());
    faults.next('GetItem', { kind: 'refuse', error: 'AccessDeniedException' });
    assert.equal((await stateOf(client).commit(item(), soon())).code, 'failed');
  });

  test('throttled, lost and late without retries: failed, with the cause', async () => {
    faults.next('PutItem', { kind: 'refuse', error: 'ProvisionedThroughputExceededException' });
    const throttled = await stateOf(impatient).commit(item(), soon());
    assert.equal(throttled.code, 'failed');
    const sentence = `cannot commit the state of ${key}: ProvisionedThroughputExceededException, No;`;
    assert.ok(throttled.message.startsWith(sentence));
    assert.deepEqual(await loadOne(), { code: 'absent' });
    faults.next('PutItem', { kind: 'lose' });
    assert.equal((await stateOf(impatient).commit(item(), soon())).code, 'failed');
    assert.equal((await loadOne()).code, 'found');
    faults.next('PutItem', { kind: 'delay', ms: 300 });
    const late = await stateOf(client).commit(item({ version: 2 }), clock.monotonicMs() + 60);
    assert.equal(late.code, 'failed');
    assert.match(late.message, /no answer before the deadline/);
  });

  test('a baseline that cannot be read again is never written', async () => {
    const baseline = new Uint8Array(MAX_BASELINE_BYTES + 1);
    assert.ok(!stateOf(client).fits(baseline));
    const outcome = await stateOf(client).commit(item({ baseline }), soon());
    assert.equal(outcome.code, 'failed');
    assert.match(outcome.message, /its baseline is too large; lower sample_limit$/);
    assert.deepEqual(await loadOne(), { code: 'absent' });
  });

  test('a version below 1 or a broken number is a program error', async () => {
    await assert.rejects(stateOf(client).commit(item({ version: 0 }), soon()), /^Bug: BUG: version 0/);
    await assert.rejects(stateOf(client).commit(item({ samples: 0.5 }), soon()), /0.5 is no integer/);
    await assert.rejects(stateOf(client).claim(0, NaN, 'run-a', soon()), /NaN is no integer/);
  });
});
