/** Whether the worker may do to its table what a run does, asked without an effect. */
import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { TableAnswer } from '../core/doctor/aws-checks.ts';
import type { Clock } from '../core/ports.ts';
import { awsFailure } from './aws-failure.ts';
import { signalAt } from './clock.ts';
import { KEY } from './state-attributes.ts';

/** No item of a run: those have a slash in their key. */
const ABSENT_KEY = { [KEY]: { S: 'doctor' } };

/** No item is both: DynamoDB refuses the write after it has allowed it, and nothing changes. */
const NEVER = {
  ConditionExpression: 'attribute_exists(#key) AND attribute_not_exists(#key)',
  ExpressionAttributeNames: { '#key': KEY },
};

interface TableDeps {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  readonly clock: Clock;
}

/** Each action for itself, all at once. Never throws for what DynamoDB does. */
export function createTableAccess({ client, tableName, clock }: TableDeps) {
  return (deadlineMs: number): Promise<readonly TableAnswer[]> => {
    const options = { abortSignal: signalAt(clock, deadlineMs) };
    const item = { TableName: tableName, Key: ABSENT_KEY };
    const ask = async (action: string, send: () => Promise<unknown>): Promise<TableAnswer> => {
      try {
        await send();
        return { action };
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return { action };
        return { action, problem: awsFailure(`use the table ${tableName} (${action})`, error, 'try again') };
      }
    };
    return Promise.all([
      ask('dynamodb:GetItem', () => client.send(new GetItemCommand(item), options)),
      ask('dynamodb:BatchGetItem', () =>
        client.send(
          new BatchGetItemCommand({ RequestItems: { [tableName]: { Keys: [ABSENT_KEY] } } }),
          options,
        ),
      ),
      ask('dynamodb:PutItem', () =>
        client.send(new PutItemCommand({ TableName: tableName, Item: ABSENT_KEY, ...NEVER }), options),
      ),
      ask('dynamodb:UpdateItem', () => client.send(new UpdateItemCommand({ ...item, ...NEVER }), options)),
    ]);
  };
}
