/** State in one DynamoDB table: one item per target, one small item per shard, every write conditional. */
import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  CreateTableCommand,
  GetItemCommand,
  PutItemCommand,
  ResourceInUseException,
  UpdateItemCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import type {
  AttributeValue,
  CreateTableCommandInput,
  DynamoDBClient,
  UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { assert } from '../core/outcome.ts';
import type { CommitOutcome } from '../core/outcome.ts';
import type { Claim, Legacy, Clock, LoadedItem, State, TargetItem } from '../core/ports.ts';
import { readSelfFacts } from '../core/self-facts.ts';
import { awsFailure } from './aws-failure.ts';
import { signalAt, sleepMs } from './clock.ts';
import { assignments, names, values } from './expressions.ts';
import { createPacking } from './packing.ts';
import type { Packing } from './packing.ts';
import { SHARD_KEY_PREFIX, runAttributes } from './shard-attributes.ts';
import {
  fromAttributes,
  instant,
  KEY,
  keyOf,
  numberOf,
  toAttributes,
  OWING,
  OWING_INDEX,
  PENDING_SINCE,
} from './state-attributes.ts';
import type { Attributes } from './state-attributes.ts';

/** BatchGetItem: at most 100 keys a request (DynamoDB API reference). */
const MAX_BATCH_KEYS = 100;

/** A partition key has 1 to 2,048 bytes (DynamoDB quotas); one bad key would fail its whole batch. */
const MAX_KEY_BYTES = 2048;

/**
 * First pause before keys that came back unprocessed are asked for again; it doubles up to the second bound.
 */
const MIN_BACKOFF_MS = 25;
const MAX_BACKOFF_MS = 1_000;

/** Creating a table takes seconds; this is for the local run alone, in AWS the deployment creates it. */
const CREATE_TABLE_TIMEOUT_S = 60;

interface StateDeps {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly clock: Clock;
  /** Preset for compression; it belongs to the packing version and must never change under it. */
  readonly dictionary?: Uint8Array;
}

/** What each operation needs: the dependencies, and the end of its time. */
interface Call extends Omit<StateDeps, 'dictionary'> {
  readonly signal: AbortSignal;
}

/**
 * The State port on DynamoDB. The client's own retries stay on; every call is aborted at its deadline. A
 * `writer` names one run, and a run writes a version of an item once: that is how a lost answer is told from
 * a conflict.
 */
export function createState(deps: StateDeps): State {
  const packing = createPacking(deps.dictionary);
  const call = (deadlineMs: number): Call => ({ ...deps, signal: signalAt(deps.clock, deadlineMs) });
  return {
    claim: (shard, tickMs, writer, deadlineMs) => claim(call(deadlineMs), shard, tickMs, writer),
    load: (keys, deadlineMs) => load(call(deadlineMs), packing, keys),
    fits: packing.fits,
    commit: (item, deadlineMs) => commit(call(deadlineMs), packing, item),
    end: (shard, tickMs, writer, legacy, deadlineMs) => end(call(deadlineMs), shard, tickMs, writer, legacy),
  };
}

/** On demand, partition key `pk`. TTL on `expiresAt` is no part of CreateTable: the deployment sets it. */
export function tableDefinition(tableName: string): CreateTableCommandInput {
  return {
    TableName: tableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [KEY, OWING.attribute, PENDING_SINCE].map((name) => ({
      AttributeName: name,
      AttributeType: 'S',
    })),
    KeySchema: [{ AttributeName: KEY, KeyType: 'HASH' }],
    GlobalSecondaryIndexes: [
      {
        IndexName: OWING_INDEX,
        KeySchema: [
          { AttributeName: OWING.attribute, KeyType: 'HASH' },
          { AttributeName: PENDING_SINCE, KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
  };
}

/** Creates the table unless it exists and waits until it is active; a message when it is not to be had. */
export async function createTableIfAbsent(
  client: DynamoDBClient,
  tableName: string,
): Promise<{ readonly code: 'ready' } | { readonly code: 'failed'; readonly message: string }> {
  try {
    await client.send(new CreateTableCommand(tableDefinition(tableName))).catch((error: unknown) => {
      if (!(error instanceof ResourceInUseException)) throw error;
    });
    const patience = { client, maxWaitTime: CREATE_TABLE_TIMEOUT_S, minDelay: 1, maxDelay: 1 };
    await waitUntilTableExists(patience, { TableName: tableName });
    return { code: 'ready' };
  } catch (error) {
    return { code: 'failed', message: awsFailure(`create the table ${tableName}`, error) };
  }
}

async function claim(call: Call, shard: number, tickMs: number, writer: string): Promise<Claim> {
  const what = `claim shard ${shard}`;
  try {
    const answer = await call.client.send(
      new UpdateItemCommand({
        ...shardKey(call, shard),
        UpdateExpression:
          'SET #unended = if_not_exists(#unended, :none) + :one, #tick = :tick, #writer = :writer, ' +
          '#startedAt = :now, #shard = :shard REMOVE #endedAt',
        ConditionExpression: 'attribute_not_exists(#pk) OR #tick < :tick',
        ExpressionAttributeNames: names(KEY, 'unended', 'tick', 'writer', 'startedAt', 'shard', 'endedAt'),
        ExpressionAttributeValues: {
          ':none': numberOf(0),
          ':one': numberOf(1),
          ':tick': numberOf(tickMs),
          ':writer': { S: writer },
          ':now': instant(call.clock.wallMs()),
          ':shard': numberOf(shard),
        },
        // What this leaves alone, `uncommitted` among it, and never nothing.
        ReturnValues: 'ALL_NEW',
      }),
      { abortSignal: call.signal },
    );
    if (answer.Attributes === undefined) return { code: 'failed', message: emptyAnswer(what) };
    return claimedOf(answer.Attributes);
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) {
      return { code: 'failed', message: awsFailure(what, error) };
    }
  }
  try {
    const stored = await read(call, shardKeyText(shard));
    const storedTickMs = Number(stored['tick']?.N);
    // Our own write whose answer was lost: the client tried again and met its first attempt.
    if (storedTickMs === tickMs && stored['writer']?.S === writer) {
      return claimedOf(stored);
    }
    if (storedTickMs >= tickMs) return { code: 'not_newer', tickMs: storedTickMs };
    const message = `cannot ${what}: its item changed meanwhile; the next tick tries again`;
    return { code: 'failed', message };
  } catch (error) {
    return { code: 'failed', message: awsFailure(what, error) };
  }
}

/** A claim counts itself as not ended until its end; what the run before wrote at its own is left alone. */
function claimedOf(item: Attributes): Claim {
  const number = (name: string, fallback: number): number => Number(item[name]?.N ?? fallback);
  const self = readSelfFacts(item['self']?.S ?? '');
  return {
    code: 'claimed',
    unended: number('unended', 1) - 1,
    uncommitted: textsOf(item['uncommitted']),
    caution: { unknowns: number('unknowns', 0), waitTicks: number('waitTicks', 0) },
    ...(self === undefined ? {} : { self }),
  };
}

async function end(
  call: Call,
  shard: number,
  tickMs: number,
  writer: string,
  { uncommitted, caution, self, run }: Legacy,
): Promise<CommitOutcome> {
  const nowMs = call.clock.wallMs();
  const left: Attributes = {
    endedAt: instant(nowMs),
    unended: numberOf(0),
    unknowns: numberOf(caution.unknowns),
    waitTicks: numberOf(caution.waitTicks),
    uncommitted: { L: uncommitted.map((key) => ({ S: key })) },
    self: { S: self === undefined ? '' : JSON.stringify(self) },
    ...(run === undefined ? {} : runAttributes(run, nowMs)),
  };
  const update: UpdateItemCommandInput = {
    ...shardKey(call, shard),
    UpdateExpression: `SET ${assignments(left)}`,
    ConditionExpression: '#writer = :writer AND #tick = :tick',
    ExpressionAttributeNames: names(...Object.keys(left), 'writer', 'tick'),
    ExpressionAttributeValues: { ...values(left), ':writer': { S: writer }, ':tick': numberOf(tickMs) },
  };
  try {
    await call.client.send(new UpdateItemCommand(update), { abortSignal: call.signal });
    return { code: 'committed' };
  } catch (error) {
    // After a lost answer the condition still holds, so a failed one is always somebody else's claim.
    if (error instanceof ConditionalCheckFailedException) return { code: 'conflict' };
    return { code: 'failed', message: awsFailure(`end the run of shard ${shard}`, error) };
  }
}

async function load(
  call: Call,
  packing: Packing,
  keys: readonly string[],
): Promise<ReadonlyMap<string, LoadedItem>> {
  const answers = new Map<string, LoadedItem>();
  const wanted: string[] = [];
  // BatchGetItem refuses a request that names a key twice.
  for (const key of new Set(keys)) {
    if (isKey(key)) wanted.push(key);
    else answers.set(key, { code: 'unread', message: describeBadKey(key) });
  }
  const chunks: string[][] = [];
  for (let start = 0; start < wanted.length; start += MAX_BATCH_KEYS) {
    chunks.push(wanted.slice(start, start + MAX_BATCH_KEYS));
  }
  await Promise.all(chunks.map((chunk) => loadChunk(call, packing, chunk, answers)));
  return answers;
}

/** Adds an answer for every key of the chunk, whatever happens. */
async function loadChunk(
  call: Call,
  packing: Packing,
  chunk: readonly string[],
  answers: Map<string, LoadedItem>,
): Promise<void> {
  let asked = chunk;
  let backoffMs = MIN_BACKOFF_MS;
  try {
    for (;;) {
      const left = await loadOnce(call, packing, asked, answers);
      if (left.length === 0) return;
      asked = left;
      await sleepMs(backoffMs, call.signal);
      backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
    }
  } catch (error) {
    const message = awsFailure('load the state', error);
    for (const key of asked) answers.set(key, { code: 'unread', message });
  }
}

/** One request; returns the keys that DynamoDB left for another one. */
async function loadOnce(
  call: Call,
  packing: Packing,
  asked: readonly string[],
  answers: Map<string, LoadedItem>,
): Promise<readonly string[]> {
  const keysAndAttributes = { Keys: asked.map((key) => ({ [KEY]: { S: key } })), ConsistentRead: true };
  const command = new BatchGetItemCommand({ RequestItems: { [call.tableName]: keysAndAttributes } });
  const answer = await call.client.send(command, { abortSignal: call.signal });
  const left = new Set(
    Object.values(answer.UnprocessedKeys ?? {}).flatMap((table) =>
      (table.Keys ?? []).map((key) => key[KEY]?.S ?? ''),
    ),
  );
  // DynamoDB names the table even when it holds none of the keys.
  const elsewhere: LoadedItem =
    answer.Responses === undefined
      ? { code: 'unread', message: emptyAnswer('load the state') }
      : { code: 'absent' };
  const found = new Map<string, Attributes>();
  for (const item of Object.values(answer.Responses ?? {}).flat()) found.set(item[KEY]?.S ?? '', item);
  for (const key of asked) {
    const item = found.get(key);
    if (item !== undefined) answers.set(key, fromAttributes(key, item, packing));
    else if (!left.has(key)) answers.set(key, elsewhere);
  }
  return asked.filter((key) => left.has(key) && !found.has(key));
}

async function commit(call: Call, packing: Packing, item: TargetItem): Promise<CommitOutcome> {
  assert(Number.isSafeInteger(item.version) && item.version > 0, `version ${item.version} of ${item.key}`);
  const what = `commit the state of ${item.key}`;
  if (item.baseline !== undefined && !packing.fits(item.baseline)) {
    return { code: 'failed', message: `cannot ${what}: its baseline is too large; lower sample_limit` };
  }
  const condition =
    item.version === 1
      ? { ConditionExpression: 'attribute_not_exists(#pk)', ExpressionAttributeNames: names(KEY) }
      : {
          ConditionExpression: '#version = :previous',
          ExpressionAttributeNames: names('version'),
          ExpressionAttributeValues: { ':previous': numberOf(item.version - 1) },
        };
  const put = { TableName: call.tableName, Item: toAttributes(item, packing), ...condition };
  try {
    await call.client.send(new PutItemCommand(put), { abortSignal: call.signal });
    return { code: 'committed' };
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) {
      return { code: 'failed', message: awsFailure(what, error) };
    }
  }
  try {
    const stored = await read(call, item.key);
    const ours = stored['version']?.N === String(item.version) && stored['writer']?.S === item.writer;
    return { code: ours ? 'committed' : 'conflict' };
  } catch (error) {
    return { code: 'failed', message: awsFailure(what, error) };
  }
}

/** Strongly consistent; no attributes when there is no item. Throws what the client throws. */
async function read(call: Call, key: string): Promise<Attributes> {
  const get = new GetItemCommand({ TableName: call.tableName, Key: keyOf(key), ConsistentRead: true });
  return (await call.client.send(get, { abortSignal: call.signal })).Item ?? {};
}

/** The client takes an answer that lost its body for an empty document. */
function emptyAnswer(what: string): string {
  return `cannot ${what}: the answer is empty; check any proxy before DynamoDB`;
}

function shardKeyText(shard: number): string {
  return `${SHARD_KEY_PREFIX}${shard}`;
}

function shardKey(call: Call, shard: number): { TableName: string; Key: Attributes } {
  return { TableName: call.tableName, Key: keyOf(shardKeyText(shard)) };
}

function textsOf(value: AttributeValue | undefined): readonly string[] {
  return (value?.L ?? []).flatMap((entry) => (entry.S === undefined ? [] : [entry.S]));
}

function isKey(key: string): boolean {
  const bytes = Buffer.byteLength(key);
  return bytes > 0 && bytes <= MAX_KEY_BYTES;
}

function describeBadKey(key: string): string {
  const bytes = Buffer.byteLength(key);
  const cause = `its key has ${bytes} bytes, not 1 to ${MAX_KEY_BYTES}`;
  return `cannot load the state: ${cause}; shorten params and path`;
}
