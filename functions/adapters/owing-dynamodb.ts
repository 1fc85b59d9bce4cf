/** Which targets still owe increments: a sparse index over the items with something pending, oldest first. */
import { type DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import type { Clock } from '../core/ports.ts';
import { awsFailure } from './aws-failure.ts';
import { signalAt } from './clock.ts';
import { KEY, OWING, OWING_INDEX } from './state-attributes.ts';

/** Keys read per tick: several shards full. What lies beyond is read once these have left. */
export const MAX_OWING_KEYS = 1_000;

export type OwingKeys =
  | { readonly code: 'read'; readonly keys: readonly string[] }
  | { readonly code: 'failed'; readonly message: string };

export interface Owing {
  /** Keys of target items with something pending, as of a moment ago: the index is eventually consistent. */
  readonly keys: (deadlineMs: number) => Promise<OwingKeys>;
}

export function createOwing(deps: {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly clock: Clock;
}): Owing {
  return {
    keys: async (deadlineMs) => {
      const query = new QueryCommand({
        TableName: deps.tableName,
        IndexName: OWING_INDEX,
        KeyConditionExpression: '#owing = :target',
        ExpressionAttributeNames: { '#owing': OWING.attribute },
        ExpressionAttributeValues: { ':target': { S: OWING.value } },
        Limit: MAX_OWING_KEYS,
      });
      try {
        const { Items = [] } = await deps.client.send(query, {
          abortSignal: signalAt(deps.clock, deadlineMs),
        });
        return { code: 'read', keys: Items.flatMap((item) => item[KEY]?.S ?? []) };
      } catch (error) {
        return { code: 'failed', message: awsFailure('read which targets owe', error) };
      }
    },
  };
}
