/**
 * The worker: one message of the FIFO queue per invocation; or the doctor, invoked by hand. Here is decided who meets
 * whom.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SSMClient } from '@aws-sdk/client-ssm';
import middy from '@middy/core';
import type { SQSEvent } from 'aws-lambda';
import { createTableAccess } from '../adapters/access-dynamodb.ts';
import { createAwsSecrets, tokenPlaceOf } from '../adapters/aws-secrets.ts';
import { systemClock } from '../adapters/clock.ts';
import { createEks } from '../adapters/eks.ts';
import {
  isInLambda,
  list,
  optional,
  optionalFile,
  optionalUrl,
  required,
  requiredNumber,
} from '../adapters/env.ts';
import { createExport } from '../adapters/export.ts';
import { createHttp } from '../adapters/http.ts';
import { createLog } from '../adapters/log.ts';
import { logBugs } from '../adapters/log-bugs.ts';
import { createParameters } from '../adapters/parameters-ssm.ts';
import type { ParameterValue } from '../adapters/remembered.ts';
import { createScrape } from '../adapters/scrape.ts';
import { createSelfMetrics } from '../adapters/self-metrics.ts';
import { createState } from '../adapters/state-dynamodb.ts';
import { BASELINE_DICTIONARY } from '../core/baseline-dictionary.ts';
import { createMemory } from '../core/point-names.ts';
import type { Secrets } from '../core/secrets.ts';
import { createToldOnce } from '../core/told-once.ts';
import { type DoctorDeps, type DoctorEvent, type Sources, answerDoctor } from './doctor.ts';
import { type WorkDeps, workOff } from './work-off.ts';

const log = createLog({ service: 'scrape' });
const clock = systemClock;
/** For what documents name. */
const http = createHttp({ clock, refuseLoopback: isInLambda() });
/** Proxy and authorities of the way to Dynatrace are no business of the targets; a proxy may be an extension on loopback. */
const wayToDynatrace = { proxy: optionalUrl('PROXY'), ca: optionalFile('CA_BUNDLE') };
const ssm = new SSMClient();
const prefix = required('PARAMETER_PREFIX');
const tokenPlace = tokenPlaceOf(prefix);
/** Its client is loaded where the token is there. */
const secretsManager = tokenPlace.store === 'ssm' ? undefined : await import('../adapters/secrets-by-arn.ts');
const fixedEndpoint = optional('ENDPOINT');
const inVpc = optional('IN_VPC');
const table = { client: new DynamoDBClient(), tableName: required('TABLE_NAME'), clock };

/** Each with a memory of its own. */
function openSources(): Sources {
  const tokenName = tokenPlace.store === 'ssm' ? { tokenName: tokenPlace.name } : {};
  const { endpoint, token } = createParameters({ client: ssm, prefix, clock, ...tokenName });
  return tokenPlace.store === 'ssm' || secretsManager === undefined
    ? { endpoint, token }
    : { endpoint, token: secretsManager.openTokenByArn({ clock, ...tokenPlace }) };
}

const sources = openSources();

/** What documents and annotations may refer to, beside everything below `<prefix>/secrets/`: what the deployment granted. */
const targetSecrets = createAwsSecrets({
  clock,
  token: tokenPlace,
  ssm,
  prefix,
  granted: list('SECRETS'),
  kubernetes: list('EKS_SECRETS'),
  http,
  eks: createEks({
    http,
    clock,
    region: () => ssm.config.region(),
    credentials: () => ssm.config.credentials(),
    granted: list('EKS_CLUSTERS'),
    eksUrl: optional('AWS_ENDPOINT_URL_EKS'),
  }),
});

/** Kept over invocations: sockets, parameters a minute old, and the run's memory. Never a baseline. */
const deps: WorkDeps = {
  ports: {
    clock,
    scrape: createScrape({
      http,
      clock,
      secrets: told(targetSecrets),
      inVpc: inVpc === undefined ? undefined : inVpc === 'true',
    }),
    export: createExport({
      http: createHttp({ clock, ...wayToDynatrace }),
      clock,
      endpoint: async (deadlineMs) => fixedEndpoint ?? known('endpoint', await sources.endpoint(deadlineMs)),
      token: async (fresh, deadlineMs) => known('API token', await sources.token(fresh, deadlineMs)),
      tokenRequired: true,
    }),
    state: createState({ ...table, dictionary: BASELINE_DICTIONARY }),
  },
  memory: createMemory(),
  log,
  metrics: createSelfMetrics({ deployment: prefix }),
  toldOnce: createToldOnce(),
  selfMetrics: optional('SELF_METRICS') !== 'off',
  maxStalenessMs: requiredNumber('MAX_STALENESS_MS'),
};

const doctorDeps: DoctorDeps = {
  clock,
  site: {
    place: inVpc === 'true' ? 'lambda_in_vpc' : 'lambda',
    region: required('AWS_REGION'),
    prefix,
  },
  fixedEndpoint,
  tokenPlace,
  // Anew for each diagnosis: what a run remembers says nothing of what can be read now.
  openSources,
  wayToDynatrace,
  secrets: targetSecrets,
  refuseLoopback: isInLambda(),
  tableName: table.tableName,
  table: createTableAccess(table),
  log,
};

export const handler = middy<SQSEvent | DoctorEvent, object | void>()
  .use(logBugs(log))
  .handler(async (event, context) => {
    if ('doctor' in event) return answerDoctor(event, doctorDeps, context.getRemainingTimeInMillis());
    for (const record of event.Records) {
      const delivery = {
        body: record.body,
        writer: context.awsRequestId,
        firstReceivedMs: Number(record.attributes.ApproximateFirstReceiveTimestamp),
        remainingMs: context.getRemainingTimeInMillis(),
      };
      await workOff(delivery, deps);
    }
    return undefined;
  });

/** That a secret could not be read just now is said; the value from before stays in force. */
function told(secrets: Secrets): Secrets {
  return async (reference, deadlineMs, fresh) => {
    const answer = await secrets(reference, deadlineMs, fresh);
    if (answer.code === 'read' && answer.problem !== undefined) {
      log.warn('parameter_unread', { what: 'secret of a target', problem: answer.problem });
    }
    return answer;
  };
}

/** What could not be read is said once; the run goes on as while waiting for it. */
function known(what: string, parameter: ParameterValue): string | undefined {
  const problem =
    parameter.code === 'failed'
      ? parameter.message
      : parameter.code === 'read'
        ? parameter.problem
        : undefined;
  if (problem !== undefined) log.warn('parameter_unread', { what, problem });
  return parameter.code === 'read' ? parameter.value : undefined;
}
