/** What dispatch leaves of a tick, through a real table, and how `status` pages through one. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  createTickRecords,
  DISPATCH_KEY,
  readDispatch,
} from '../../functions/adapters/tick-record-dynamodb.ts';
import { MAX_STATUS_PAGES, readStatus } from '../../functions/adapters/status-dynamodb.ts';
import { MAX_RECORDED_PROBLEMS, type TickRecord } from '../../functions/core/tick-record.ts';
import { FAKE_AWS, startAwsJson } from '../fakes/aws-json.ts';
import { TABLE, TICK_MS, clock, openStateTable, soon, type StateTable } from './state-table.ts';

let table: StateTable;
before(async () => (table = await openStateTable()));
after(() => table.close());
beforeEach(() => table.faults.clear());

const MINUTE_MS = 60_000;
const PREFIX = '/nim-to-dynatrace';
let nextMs = TICK_MS;

const record = (left: TickRecord) =>
  createTickRecords({ client: table.impatient, tableName: TABLE, clock })(left, soon());
const planned = (changes: Partial<Extract<TickRecord, { code: 'planned' }>> = {}) =>
  ({
    code: 'planned',
    tickMs: (nextMs += MINUTE_MS),
    prefix: PREFIX,
    documents: 1,
    invalid: [],
    problems: [],
    keys: ['target/nim/a/http://a'],
    complete: true,
    sent: true,
    ...changes,
  }) as const;
const stored = async () => readDispatch(await table.attributes(DISPATCH_KEY));

describe('a tick', () => {
  test('is read as it was written, with the one before', async () => {
    const mistake = { document: `${PREFIX}/targets/b`, line: 2, column: 5, message: 'no', versionInForce: 3 };
    await record(planned());
    const second = planned({
      invalid: [mistake, { document: 'c', message: 'not at all' }],
      problems: ['targets_unread: no answer'],
      keys: ['target/nim/a/http://a', 'target/nim/ü/http://b?x=%0A'],
      complete: false,
    });
    assert.equal(await record(second), undefined);
    assert.deepEqual(await stored(), {
      tickMs: second.tickMs,
      previousTickMs: second.tickMs - MINUTE_MS,
      sentTickMs: second.tickMs,
      prefix: PREFIX,
      unread: undefined,
      documents: 1,
      invalid: second.invalid,
      problems: second.problems,
      complete: false,
      keys: second.keys,
    });
  });

  test('that sent nothing leaves the last that did; one without targets has an empty list', async () => {
    const sent = planned();
    await record(sent);
    await record(planned({ sent: false, keys: [] }));
    const { sentTickMs, keys } = (await stored()) ?? {};
    assert.deepEqual([sentTickMs, keys], [sent.tickMs, []]);
  });

  test('without documents keeps what was known, and the next one clears why', async () => {
    const before = planned();
    await record(before);
    await record({
      code: 'documents_unread',
      tickMs: (nextMs += MINUTE_MS),
      prefix: PREFIX,
      message: 'no answer',
    });
    const unread = await stored();
    assert.deepEqual([unread?.unread, unread?.keys, unread?.tickMs], ['no answer', before.keys, nextMs]);
    await record(planned());
    assert.equal((await stored())?.unread, undefined);
  });

  test('that comes twice, or late, changes nothing', async () => {
    const latest = planned();
    await record(latest);
    assert.equal(await record({ ...latest, documents: 9 }), undefined);
    assert.equal(await record({ ...latest, tickMs: latest.tickMs - 1, documents: 9 }), undefined);
    const { documents, previousTickMs } = (await stored()) ?? {};
    assert.deepEqual([documents, previousTickMs], [1, latest.tickMs - MINUTE_MS]);
  });

  test('that DynamoDB refuses says so', async () => {
    table.faults.next('UpdateItem', { kind: 'refuse', error: 'AccessDeniedException' });
    const problem = 'cannot record the tick: AccessDeniedException, No; grant the role this action';
    assert.equal(await record(planned()), problem);
  });

  test('keeps 20 mistakes and 20 problems, and no token', async () => {
    const many = Array.from({ length: MAX_RECORDED_PROBLEMS + 1 }, (_, i) => `p${i}: dt0c01.PUBLIC.PLANTED`);
    const invalid = many.map((message) => ({ document: 'd', message }));
    await record(planned({ problems: many, invalid }));
    const read = await stored();
    assert.equal(read?.problems.length, MAX_RECORDED_PROBLEMS);
    assert.equal(read?.invalid.length, MAX_RECORDED_PROBLEMS);
    assert.equal(read?.problems[0], 'p0: dt0c01.PUBLIC.[redacted]');
    assert.doesNotMatch(JSON.stringify(read), /PLANTED/);
  });

  test('10,000 targets are kept; a list that would not fit the item is left out, and the old one goes', async () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => {
      const host = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
      return `target/nim/${host}%3A8000/http://${host}:8000`;
    });
    await record(planned({ keys }));
    assert.deepEqual((await stored())?.keys, keys);
    const noise = Array.from({ length: 4_000 }, () => randomBytes(80).toString('hex'));
    assert.equal(await record(planned({ keys: noise })), undefined);
    assert.equal((await stored())?.keys, undefined);
  });
});

test('an item that is damaged is named, and the others are read', async () => {
  const Item = { pk: { S: 'target/broken' }, job: { N: '7' } };
  await table.client.send(new PutItemCommand({ TableName: TABLE, Item }));
  const read = await readStatus({ client: table.client, clock }, TABLE, soon());
  assert.ok(read.code === 'read');
  assert.match(read.facts.problems.join(), /^cannot read the state of target\/broken: its attribute job is /);
  assert.ok(read.facts.dispatch);
});

test('a table without end is read up to a bound, and that is said', async (context) => {
  let pages = 0;
  const server = await startAwsJson('DynamoDB_20120810', {
    Scan: () => ({
      Items: [],
      ...(++pages < last ? { LastEvaluatedKey: { pk: { S: `target/${pages}` } } } : {}),
    }),
  });
  context.after(() => server.close());
  let last = MAX_STATUS_PAGES;
  const client = new DynamoDBClient({ ...FAKE_AWS, endpoint: server.endpoint });
  const problems = async () => {
    pages = 0;
    const read = await readStatus({ client, clock }, TABLE, soon());
    assert.ok(read.code === 'read');
    return read.facts.problems;
  };
  assert.deepEqual(await problems(), []);
  last = Infinity;
  const tooLong = `cannot read all of the table ${TABLE}: it has more than 100 MB; what is shown is its first part`;
  assert.deepEqual(await problems(), [tooLong]);
  assert.equal(pages, MAX_STATUS_PAGES);
  client.destroy();
});
