/** Imports what the dispatch function is made of, and talks to the servers that the bundle test names. */
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics } from '@aws-lambda-powertools/metrics';
import { SQSClient, SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { GetParameterHistoryCommand, GetParametersByPathCommand, SSMClient } from '@aws-sdk/client-ssm';
import middy from '@middy/core';
import { RE2JS } from 're2js';
import { parse } from 'yaml';

export interface Event {
  readonly httpUrl: string;
}

const logger = new Logger({ serviceName: 'bundle-test' });
const metrics = new Metrics({ namespace: 'BundleTest', serviceName: 'bundle-test' });

export const handler = middy<Event>().handler(async ({ httpUrl }) => {
  logger.info('start');
  metrics.addMetric('ticks', 'Count', 1);
  metrics.publishStoredMetrics();
  const config = { endpoint: httpUrl, region: 'eu-central-1' };
  const ssm = new SSMClient(config);
  const { Parameters } = await ssm.send(new GetParametersByPathCommand({ Path: '/a', Recursive: true }));
  const { Parameters: versions } = await ssm.send(new GetParameterHistoryCommand({ Name: '/a/b' }));
  const sqs = new SQSClient(config);
  const { Successful } = await sqs.send(
    new SendMessageBatchCommand({
      QueueUrl: `${httpUrl}/queue`,
      Entries: [{ Id: '0', MessageBody: 'a', MessageGroupId: 'shard-0', MessageDeduplicationId: 'a' }],
    }),
  );
  ssm.destroy();
  sqs.destroy();
  return {
    parameters: Parameters?.length,
    versions: versions?.length,
    sent: Successful?.length,
    yaml: parse('targets: [10.0.1.17:8000]') as unknown,
    matches: RE2JS.compile('(?i)nim-\\d+').matches('NIM-1'),
  };
});
