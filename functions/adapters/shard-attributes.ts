/** What a run leaves for people in its shard's item, as DynamoDB attributes and back. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { RunRecord } from '../core/run-record.ts';
import type { ShardStatus } from '../core/status.ts';
import {
  type Attributes,
  MAX_ERROR_CHARS,
  MAX_OUTCOME_CHARS,
  instant,
  instantOf,
  integerOf,
  numberOf,
} from './state-attributes.ts';

/** Shard items begin with this, target items with `target/`: the two kinds never meet. */
export const SHARD_KEY_PREFIX = 'shard/';

/** What `readShard` reads. */
export const SHARD_ATTRIBUTES: readonly string[] = [
  'tick',
  'endedAt',
  'unended',
  'waitTicks',
  'targets',
  'up',
  'pointsSent',
  'pendingSeries',
  'lastOutcome',
  'lastExportAt',
  'unwritten',
];

/** The last outcome and the last export stay where a run has posted nothing. */
export function runAttributes(run: RunRecord, nowMs: number): Attributes {
  return {
    targets: numberOf(run.targets),
    up: numberOf(run.up),
    pointsSent: numberOf(run.pointsSent),
    pendingSeries: numberOf(run.pendingSeries),
    unwritten: {
      L: run.unwritten.map(({ key, problem }) => ({
        M: { key: { S: key }, problem: { S: problem.slice(0, MAX_ERROR_CHARS) } },
      })),
    },
    ...(run.outcome === undefined ? {} : { lastOutcome: { S: run.outcome.slice(0, MAX_OUTCOME_CHARS) } }),
    ...(run.accepted ? { lastExportAt: instant(nowMs) } : {}),
  };
}

/** Undefined where it is no shard's item as any release writes it; what an earlier one did not write is absent. */
export function readShard(key: string, attributes: Attributes): ShardStatus | undefined {
  const shard = integerOf(key.slice(SHARD_KEY_PREFIX.length));
  const count = (name: string): number | undefined => integerOf(attributes[name]?.N);
  const tickMs = count('tick');
  if (shard === undefined || tickMs === undefined) return undefined;
  return {
    shard,
    tickMs,
    endedAtMs: instantOf(attributes['endedAt']),
    unended: count('unended') ?? 0,
    waitTicks: count('waitTicks') ?? 0,
    targets: count('targets'),
    up: count('up'),
    pointsSent: count('pointsSent'),
    pendingSeries: count('pendingSeries'),
    lastOutcome: attributes['lastOutcome']?.S,
    lastExportAtMs: instantOf(attributes['lastExportAt']),
    unwritten: (attributes['unwritten']?.L ?? []).flatMap(readUnwritten),
  };
}

function readUnwritten({ M }: AttributeValue) {
  const key = M?.['key']?.S;
  const problem = M?.['problem']?.S;
  return key === undefined || problem === undefined ? [] : [{ key, problem }];
}
