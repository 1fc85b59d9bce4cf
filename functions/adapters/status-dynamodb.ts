/** All plain attributes of a deployment's table, page by page and never written: what `status` judges. */
import { type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import type { Clock } from '../core/ports.ts';
import type { DispatchStatus, ShardStatus, StatusFacts, TargetStatus } from '../core/status.ts';
import { awsFailure } from './aws-failure.ts';
import { signalAt } from './clock.ts';
import { names } from './expressions.ts';
import { createPacking } from './packing.ts';
import { SHARD_ATTRIBUTES, SHARD_KEY_PREFIX, readShard } from './shard-attributes.ts';
import { type Attributes, KEY, PLAIN_ATTRIBUTES, fromAttributes } from './state-attributes.ts';
import { DISPATCH_ATTRIBUTES, DISPATCH_KEY, readDispatch } from './tick-record-dynamodb.ts';

/** A page is read from 1 MB of items, baselines counted: enough for 10,000 targets of 10 KB each. */
export const MAX_STATUS_PAGES = 100;

/** Items that cannot be read, named: the first say what is wrong. */
const MAX_NAMED_UNREADABLE = 5;

export type ReadStatus =
  | { readonly code: 'read'; readonly facts: StatusFacts }
  | { readonly code: 'failed'; readonly message: string };

/**
 * Strongly consistent, each item for itself: a run that ends meanwhile shows some targets a tick older than others,
 * which is no finding.
 */
export async function readStatus(
  { client, clock }: { readonly client: DynamoDBClient; readonly clock: Clock },
  tableName: string,
  deadlineMs: number,
): Promise<ReadStatus> {
  const wanted = [...new Set([...PLAIN_ATTRIBUTES, ...SHARD_ATTRIBUTES, ...DISPATCH_ATTRIBUTES])];
  const found = createFacts();
  let from: Attributes | undefined;
  for (let page = 0; page < MAX_STATUS_PAGES; page++) {
    const scan = new ScanCommand({
      TableName: tableName,
      ConsistentRead: true,
      ProjectionExpression: wanted.map((name) => `#${name}`).join(', '),
      ExpressionAttributeNames: names(...wanted),
      ...(from === undefined ? {} : { ExclusiveStartKey: from }),
    });
    try {
      const answer = await client.send(scan, { abortSignal: signalAt(clock, deadlineMs) });
      for (const item of answer.Items ?? []) found.add(item);
      from = answer.LastEvaluatedKey;
    } catch (error) {
      return { code: 'failed', message: awsFailure(`read the table ${tableName}`, error, 'try again') };
    }
    if (from === undefined) return { code: 'read', facts: found.facts([]) };
  }
  const cause = `it has more than ${MAX_STATUS_PAGES} MB`;
  const tooLong = `cannot read all of the table ${tableName}: ${cause}; what is shown is its first part`;
  return { code: 'read', facts: found.facts([tooLong]) };
}

function createFacts() {
  const packing = createPacking();
  const targets: TargetStatus[] = [];
  const shards: ShardStatus[] = [];
  const unreadable: string[] = [];
  let dispatch: DispatchStatus | undefined;

  const add = (attributes: Attributes): void => {
    const key = attributes[KEY]?.S ?? '';
    if (key === DISPATCH_KEY) {
      dispatch = readDispatch(attributes);
    } else if (key.startsWith(SHARD_KEY_PREFIX)) {
      const shard = readShard(key, attributes);
      if (shard !== undefined) shards.push(shard);
    } else {
      const loaded = fromAttributes(key, attributes, packing);
      if (loaded.code === 'found') targets.push(loaded.item);
      else if (loaded.code === 'unreadable') unreadable.push(loaded.message);
    }
  };
  const facts = (problems: readonly string[]): StatusFacts => ({
    targets,
    shards: shards.sort((a, b) => a.shard - b.shard),
    dispatch,
    problems: [...problems, ...unreadable.slice(0, MAX_NAMED_UNREADABLE)],
  });
  return { add, facts };
}
