/** Imports what the scrape function is made of, and talks to the servers that the bundle test names. */
import { Metrics } from '@aws-lambda-powertools/metrics';
import { Logger } from '@aws-lambda-powertools/logger';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { BatchGetItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import middy from '@middy/core';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { RE2JS } from 're2js';
import { Agent, request } from 'undici';

export interface Event {
  readonly httpUrl: string;
  readonly dynamodbEndpoint: string;
  readonly tableName: string;
}

const agent = new Agent({ allowH2: false });
const logger = new Logger({ serviceName: 'bundle-test' });
const metrics = new Metrics({ namespace: 'BundleTest', serviceName: 'bundle-test' });

async function dynamodb({ dynamodbEndpoint, tableName }: Event) {
  const client = new DynamoDBClient({ endpoint: dynamodbEndpoint, region: 'eu-central-1' });
  const key = { pk: { S: 'target/a' } };
  await client.send(new PutItemCommand({ TableName: tableName, Item: { ...key, version: { N: '1' } } }));
  await client.send(
    new UpdateItemCommand({
      TableName: tableName,
      Key: key,
      UpdateExpression: 'SET version = :two',
      ExpressionAttributeValues: { ':two': { N: '2' } },
    }),
  );
  const { Item } = await client.send(new GetItemCommand({ TableName: tableName, Key: key }));
  const { Responses } = await client.send(
    new BatchGetItemCommand({ RequestItems: { [tableName]: { Keys: [key] } } }),
  );
  client.destroy();
  return { version: Item?.['version']?.N, batch: Responses?.[tableName]?.length };
}

async function parameter({ httpUrl }: Event) {
  const client = new SSMClient({ endpoint: httpUrl, region: 'eu-central-1' });
  const { Parameter } = await client.send(new GetParameterCommand({ Name: '/a', WithDecryption: true }));
  client.destroy();
  return Parameter?.Value;
}

async function secret({ httpUrl }: Event) {
  const client = new SecretsManagerClient({ endpoint: httpUrl, region: 'eu-central-1' });
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: 'a' }));
  client.destroy();
  return SecretString;
}

export const handler = middy<Event>().handler(async (event) => {
  logger.info('start');
  metrics.addMetric('runs', 'Count', 1);
  metrics.publishStoredMetrics();
  const page = await request(`${event.httpUrl}/metrics?a=1`, { dispatcher: agent });
  const text = await page.body.text();
  const posted = await agent.request({
    origin: event.httpUrl,
    path: '/otlp',
    method: 'POST',
    body: 'points',
  });
  const echo = await posted.body.text();
  const refused = await request('http://127.0.0.1:1/', { dispatcher: agent }).catch(
    (error: unknown) => error,
  );
  await agent.close();
  const otlp = ProtobufMetricsSerializer.serializeRequest({
    resource: { attributes: { 'service.name': 'a' } } as never,
    scopeMetrics: [],
  });
  return {
    status: page.statusCode,
    text,
    echo,
    refusedCode: (refused as { code?: string }).code,
    otlp: otlp !== undefined && Buffer.from(otlp).includes('service.name'),
    parameter: await parameter(event),
    secret: await secret(event),
    matches: RE2JS.compile('(?i)nim-\\d+').matches('NIM-1'),
    ...(await dynamodb(event)),
  };
});
