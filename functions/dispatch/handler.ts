/**
 * The timer's function: `{"scheduledTime": "..."}` once per tick; or the doctor's question for the targets. Here is
 * decided who meets whom.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { SSMClient } from '@aws-sdk/client-ssm';
import middy from '@middy/core';
import { systemClock } from '../adapters/clock.ts';
import { createAwsSecrets, tokenPlaceOf } from '../adapters/aws-secrets.ts';
import { openDiscovery } from '../adapters/discovery.ts';
import { createEks } from '../adapters/eks.ts';
import { isInLambda, list, optional, required, requiredNumber } from '../adapters/env.ts';
import { createHttp } from '../adapters/http.ts';
import { createLog } from '../adapters/log.ts';
import { logBugs } from '../adapters/log-bugs.ts';
import { createOwing } from '../adapters/owing-dynamodb.ts';
import { createParameters } from '../adapters/parameters-ssm.ts';
import { createQueue } from '../adapters/queue-sqs.ts';
import { createSelfMetrics } from '../adapters/self-metrics.ts';
import { createTickRecords } from '../adapters/tick-record-dynamodb.ts';
import { createHistories } from '../core/config/histories.ts';
import { type DispatchDeps, type ScheduleEvent, dispatch } from './dispatch.ts';
import { type DoctorEvent, answerDoctor } from './doctor.ts';

/** Left at the end, so that the last request is aborted and said so, rather than cut off by Lambda. */
const MARGIN_MS = 2_000;

const log = createLog({ service: 'dispatch' });

const prefix = required('PARAMETER_PREFIX');
const ssm = new SSMClient();
const parameters = createParameters({ client: ssm, prefix, clock: systemClock });
/** For discoveries, whose servers documents name. */
const http = createHttp({ clock: systemClock, refuseLoopback: isInLambda() });
const eks = createEks({
  http,
  clock: systemClock,
  region: () => ssm.config.region(),
  credentials: () => ssm.config.credentials(),
  granted: list('EKS_CLUSTERS'),
  eksUrl: optional('AWS_ENDPOINT_URL_EKS'),
});
/** Of discoveries: their servers ask for credentials, too. */
const secrets = createAwsSecrets({
  clock: systemClock,
  ssm,
  prefix,
  token: tokenPlaceOf(prefix),
  granted: list('SECRETS'),
  kubernetes: [],
  http,
  eks,
});
const discover = openDiscovery({
  http,
  clock: systemClock,
  secrets,
  eks,
  grantedNamespaces: list('EKS_NAMESPACES'),
});

const table = { client: new DynamoDBClient(), tableName: required('TABLE_NAME'), clock: systemClock };

const deps: DispatchDeps = {
  clock: systemClock,
  parameters,
  planning: {
    histories: createHistories(parameters.earlierVersions),
    discover,
  },
  prefix,
  maxStalenessMs: requiredNumber('MAX_STALENESS_MS'),
  memory: {},
  owing: createOwing(table),
  record: createTickRecords(table),
  queue: createQueue({ client: new SQSClient(), queueUrl: required('QUEUE_URL'), clock: systemClock }),
  log,
  metrics: createSelfMetrics({ deployment: prefix }),
};

const site = {
  place: optional('IN_VPC') === 'true' ? 'lambda_in_vpc' : 'lambda',
  region: required('AWS_REGION'),
  prefix,
} as const;

export const handler = middy<ScheduleEvent | DoctorEvent, object | void>()
  .use(logBugs(log))
  .handler(async (event, context) => {
    if ('doctor' in event) return answerDoctor(event, { ...deps, site }, context.getRemainingTimeInMillis());
    const deadlineMs = systemClock.monotonicMs() + context.getRemainingTimeInMillis() - MARGIN_MS;
    return dispatch(event, deps, deadlineMs);
  });
