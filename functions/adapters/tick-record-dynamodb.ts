/** What dispatch leaves of each tick in the item `dispatch`, for `status`: written here, and read here. */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { Clock } from '../core/ports.ts';
import { withoutTokens } from '../core/redaction.ts';
import type { DispatchStatus } from '../core/status.ts';
import { type InvalidDocument, MAX_RECORDED_PROBLEMS, type TickRecord } from '../core/tick-record.ts';
import { awsFailure } from './aws-failure.ts';
import { signalAt } from './clock.ts';
import { assignments, names, values } from './expressions.ts';
import { type Attributes, KEY, MAX_OUTCOME_CHARS, integerOf, keyOf, numberOf } from './state-attributes.ts';

/** The item's key; dispatch may write no other one. */
export const DISPATCH_KEY = 'dispatch';

/** The keys of 10,000 targets pack to a fifth of this; with all else in it the item stays below 400 KB. */
export const MAX_PACKED_KEYS_BYTES = 300 * 1024;

/** Bound on what they may unpack to: 10,000 of the longest keys. */
const MAX_KEYS_BYTES = 16 * 1024 * 1024;

/** What `readDispatch` reads. */
export const DISPATCH_ATTRIBUTES: readonly string[] = [
  'tick',
  'previousTick',
  'sentTick',
  'prefix',
  'unread',
  'documents',
  'targets',
  'invalid',
  'problems',
  'complete',
  'keys',
];

/** Answers with what went wrong; nothing but `status` suffers by it. */
export type RecordTick = (record: TickRecord, deadlineMs: number) => Promise<string | undefined>;

/** A doubled delivery of a tick changes nothing. */
export function createTickRecords(deps: {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly clock: Clock;
}): RecordTick {
  return async (record, deadlineMs) => {
    const left = attributesOf(record);
    const gone = record.code === 'planned' ? ['unread', ...('keys' in left ? [] : ['keys'])] : [];
    const command = new UpdateItemCommand({
      TableName: deps.tableName,
      Key: keyOf(DISPATCH_KEY),
      // The right side is what stood there before: two ticks in the item tell how often the schedule fires.
      UpdateExpression:
        `SET #previousTick = if_not_exists(#tick, :tick), ${assignments(left)}` +
        (gone.length === 0 ? '' : ` REMOVE ${gone.map((name) => `#${name}`).join(', ')}`),
      ConditionExpression: 'attribute_not_exists(#pk) OR #tick < :tick',
      ExpressionAttributeNames: names(KEY, 'previousTick', ...Object.keys(left), ...gone),
      ExpressionAttributeValues: values(left),
    });
    try {
      await deps.client.send(command, { abortSignal: signalAt(deps.clock, deadlineMs) });
      return undefined;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return undefined;
      return awsFailure('record the tick', error);
    }
  };
}

function attributesOf(record: TickRecord): Attributes {
  const tick = numberOf(record.tickMs);
  const always = { tick, prefix: { S: record.prefix } };
  if (record.code === 'documents_unread') return { ...always, unread: text(record.message) };
  const packed = deflateRawSync(record.keys.join('\n'), { level: constants.Z_BEST_COMPRESSION });
  return {
    ...always,
    ...(record.sent ? { sentTick: tick } : {}),
    documents: numberOf(record.documents),
    targets: numberOf(record.keys.length),
    invalid: { L: record.invalid.slice(0, MAX_RECORDED_PROBLEMS).map(mistake) },
    problems: { L: record.problems.slice(0, MAX_RECORDED_PROBLEMS).map(text) },
    complete: { BOOL: record.complete },
    ...(packed.length > MAX_PACKED_KEYS_BYTES ? {} : { keys: { B: packed } }),
  };
}

function mistake({ document, line, column, message, versionInForce }: InvalidDocument): AttributeValue {
  return {
    M: {
      document: { S: document },
      message: text(message),
      ...(line === undefined ? {} : { line: numberOf(line) }),
      ...(column === undefined ? {} : { column: numberOf(column) }),
      ...(versionInForce === undefined ? {} : { versionInForce: numberOf(versionInForce) }),
    },
  };
}

function text(message: string): { S: string } {
  return { S: withoutTokens(message).slice(0, MAX_OUTCOME_CHARS) };
}

/** Undefined where it is no such item. */
export function readDispatch(attributes: Attributes): DispatchStatus | undefined {
  const count = (name: string): number | undefined => integerOf(attributes[name]?.N);
  const tickMs = count('tick');
  if (tickMs === undefined) return undefined;
  return {
    tickMs,
    previousTickMs: count('previousTick') ?? tickMs,
    sentTickMs: count('sentTick'),
    prefix: attributes['prefix']?.S ?? '',
    unread: attributes['unread']?.S,
    documents: count('documents') ?? 0,
    invalid: (attributes['invalid']?.L ?? []).flatMap(readMistake),
    problems: (attributes['problems']?.L ?? []).flatMap(({ S }) => S ?? []),
    complete: attributes['complete']?.BOOL ?? false,
    keys: readKeys(attributes['keys']?.B),
  };
}

function readMistake({ M = {} }: AttributeValue): readonly InvalidDocument[] {
  const document = M['document']?.S;
  const message = M['message']?.S;
  if (document === undefined || message === undefined) return [];
  const optional = (['line', 'column', 'versionInForce'] as const).flatMap((name) => {
    const value = integerOf(M[name]?.N);
    return value === undefined ? [] : [[name, value] as const];
  });
  return [{ document, message, ...Object.fromEntries(optional) }];
}

function readKeys(packed: Uint8Array | undefined): readonly string[] | undefined {
  if (packed === undefined) return undefined;
  try {
    const keys = inflateRawSync(packed, { maxOutputLength: MAX_KEYS_BYTES }).toString();
    return keys === '' ? [] : keys.split('\n');
  } catch {
    return undefined;
  }
}
