import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import {
  ConditionalCheckFailedException,
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { startEmbeddedDynamodb } from '../../../functions/cli/world/embedded-dynamodb.ts';

const TableName = 'targets';

function clientOf(t: TestContext, endpoint: string): DynamoDBClient {
  const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
  const client = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
  t.after(() => client.destroy());
  return client;
}

async function createTable(client: DynamoDBClient): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'key', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'key', KeyType: 'HASH' }],
    }),
  );
}

const put = (version: number, condition?: string) =>
  new PutItemCommand({
    TableName,
    Item: { key: { S: 'a' }, version: { N: String(version) }, baseline: { B: Uint8Array.of(1, 2, 3) } },
    ConditionExpression: condition,
    ...(condition?.includes(':v') === true
      ? { ExpressionAttributeValues: { ':v': { N: String(version - 1) } } }
      : {}),
  });
const get = new GetItemCommand({ TableName, Key: { key: { S: 'a' } }, ConsistentRead: true });

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'embedded-dynamodb-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe('embedded DynamoDB', () => {
  test('a table is there at once; conditional writes hold', async (t) => {
    const dynamodb = await startEmbeddedDynamodb();
    t.after(dynamodb.close);
    const client = clientOf(t, dynamodb.endpoint);
    await createTable(client);
    await client.send(put(1, 'attribute_not_exists(version)'));
    await client.send(put(2, 'version = :v'));
    await assert.rejects(client.send(put(2, 'version = :v')), ConditionalCheckFailedException);
    const { Item } = await client.send(get);
    assert.deepEqual(Item?.['baseline']?.B, Uint8Array.of(1, 2, 3));
    assert.equal(Item?.['version']?.N, '2');
  });

  test('close ends open connections, and a second close is the same', async (t) => {
    const dynamodb = await startEmbeddedDynamodb();
    const client = clientOf(t, dynamodb.endpoint);
    await createTable(client);
    await dynamodb.close();
    await dynamodb.close();
    await assert.rejects(client.send(get));
  });

  test('without a path nothing is kept', async (t) => {
    const first = await startEmbeddedDynamodb();
    await createTable(clientOf(t, first.endpoint));
    await first.close();
    const second = await startEmbeddedDynamodb();
    t.after(second.close);
    await createTable(clientOf(t, second.endpoint));
  });

  test('with a path the next process finds the data, and each exits by itself', async (t) => {
    const path = await directory(t);
    const program = join(import.meta.dirname, 'embedded-dynamodb-program.ts');
    const run = async () => (await promisify(execFile)(process.execPath, [program, path])).stdout;
    assert.equal(await run(), 'created\n');
    assert.equal(await run(), 'found 1\n');
    const dynamodb = await startEmbeddedDynamodb({ path });
    t.after(dynamodb.close);
    const { Item } = await clientOf(t, dynamodb.endpoint).send(get);
    assert.equal(Item?.['version']?.N, '1');
  });

  test('parents are made, too; where a parent takes no directory, that is told at once', async (t) => {
    const path = join(await directory(t), 'a', 'b');
    await (await startEmbeddedDynamodb({ path })).close();
    // Of Linux; elsewhere it is a directory that is not there, and may be made.
    if (process.platform === 'linux')
      await assert.rejects(
        startEmbeddedDynamodb({ path: '/proc/nim/state' }),
        /^Error: cannot open the store in /,
      );
  });

  test('a directory in use, or one that cannot be, is an error that names it', async (t) => {
    const path = await directory(t);
    const dynamodb = await startEmbeddedDynamodb({ path });
    t.after(dynamodb.close);
    await createTable(clientOf(t, dynamodb.endpoint));
    await assert.rejects(
      startEmbeddedDynamodb({ path }),
      /cannot open the store in .*; end the other process/,
    );
    const file = join(await directory(t), 'file');
    await writeFile(file, 'x');
    await assert.rejects(startEmbeddedDynamodb({ path: file }), /cannot open the store in /);
  });
});
