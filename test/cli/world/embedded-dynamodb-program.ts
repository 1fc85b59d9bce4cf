/** A process of its own for the test of persistence: writes one item, or reads it when it is there. */
import {
  CreateTableCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { startEmbeddedDynamodb } from '../../../functions/cli/world/embedded-dynamodb.ts';

const path = process.argv[2];
if (path === undefined) throw new Error('cannot start: no directory; pass one');
const dynamodb = await startEmbeddedDynamodb({ path });
const credentials = { accessKeyId: 'any', secretAccessKey: 'any' };
const client = new DynamoDBClient({ endpoint: dynamodb.endpoint, region: 'us-east-1', credentials });
const { TableNames = [] } = await client.send(new ListTablesCommand());
if (TableNames.includes('targets')) {
  const get = new GetItemCommand({ TableName: 'targets', Key: { key: { S: 'a' } } });
  console.log(`found ${(await client.send(get)).Item?.['version']?.N}`);
} else {
  await client.send(
    new CreateTableCommand({
      TableName: 'targets',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'key', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'key', KeyType: 'HASH' }],
    }),
  );
  await waitUntilTableExists({ client, minDelay: 1, maxWaitTime: 20 }, { TableName: 'targets' });
  const Item = { key: { S: 'a' }, version: { N: '1' } };
  await client.send(new PutItemCommand({ TableName: 'targets', Item }));
  console.log('created');
}
// The client's connections stay open: close has to end them.
await dynamodb.close();
