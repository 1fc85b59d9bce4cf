/** What AWS answered a deployed function, as checks, with the likeliest causes in AWS' own words. */
import { type SecretAnswer, type AwsPlace, placeOf } from '../secrets.ts';
import { type Check, failed, ok, told, warning } from './checks.ts';
import type { Place } from './place.ts';

/** Where the function runs, as far as remedies name it. */
export interface Site {
  readonly place: Exclude<Place, 'here'>;
  /** Such as `eu-central-1`. */
  readonly region: string;
  /** Of parameters, such as `/nim-to-dynatrace`. */
  readonly prefix: string;
}

/** A value in a store, as the worker reads it. `problem`: reading failed just now, this is the value from before. */
export type StoredValue =
  | { readonly code: 'read'; readonly value: string; readonly problem?: string }
  | { readonly code: 'absent' }
  | { readonly code: 'failed'; readonly message: string };

/** One action on the table. `problem`: `cannot <verb> <what>: <cause>; <remedy>`. */
export interface TableAnswer {
  readonly action: string;
  readonly problem?: string;
}

/** What kind of failure the sentence of an adapter tells: AWS' name of the error stands in it. */
type Fault = 'denied' | 'key' | 'absent' | 'timeout' | 'unresolved' | 'unreached' | 'throttled' | 'other';

/** The first that fits; a key comes before its access, since both are an AccessDeniedException. */
const FAULTS: readonly (readonly [fault: Fault, words: RegExp])[] = [
  ['key', /kms:|\bKMS|ciphertext|InvalidKeyId/],
  ['denied', /AccessDenied|not authorized|access is denied/],
  ['absent', /ResourceNotFound/],
  ['throttled', /Throttl|RequestLimitExceeded|ProvisionedThroughput/],
  ['unresolved', /ENOTFOUND|EAI_AGAIN|getaddrinfo/],
  ['timeout', /no answer before the deadline|ETIMEDOUT|TimeoutError/],
  ['unreached', /ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH/],
];

export function faultOf(sentence: string): Fault {
  return FAULTS.find(([, words]) => words.test(sentence))?.[0] ?? 'other';
}

/** What was asked of whom. `service` as in the name of its VPC endpoint. */
interface Asked {
  readonly service: 'dynamodb' | 'secretsmanager' | 'ssm';
  readonly action: string;
  readonly resource: string;
}

/** The likeliest cause first. Undefined: the sentence's own remedy is the best there is. */
function remedyOf(fault: Fault, { service, action, resource }: Asked, site: Site): string | undefined {
  const inVpc = site.place === 'lambda_in_vpc';
  const endpoint = `com.amazonaws.${site.region}.${service}`;
  switch (fault) {
    case 'denied':
      return `allow ${action} on ${resource} in the role of the function (deploy the stack again); else look for a deny in a service control policy${inVpc ? `, or in the policy of the VPC endpoint ${endpoint}` : ''}`;
    case 'key':
      return `allow kms:Decrypt on the key of ${resource}, in the role of the function and in the key policy, and check that the key is enabled`;
    case 'absent':
      return `check that ${resource} is there, in ${site.region}; deploy the stack again`;
    case 'timeout':
    case 'unreached':
      if (!inVpc) return 'try again; if it stays so, look at AWS Health';
      return service === 'dynamodb'
        ? `give the route tables of the function's subnets a gateway endpoint ${endpoint}, or a NAT gateway; its security group needs egress on 443`
        : `give the VPC an interface endpoint ${endpoint} with private DNS, whose security group admits the function's on 443, or the subnets a NAT gateway`;
    case 'unresolved':
      return inVpc
        ? `turn on enableDnsSupport of the VPC, and private DNS of the endpoint ${endpoint} if there is one; check the resolver rules`
        : 'try again; if it stays so, look at AWS Health';
    case 'throttled':
      return `try again; the account's rate of ${action} is used up by others`;
    case 'other':
      return undefined;
  }
}

function judged(
  name: Check['name'],
  status: 'warning' | 'failed',
  sentence: string,
  asked: Asked,
  site: Site,
  latencyMs: number,
): Check {
  const check = told(name, status, sentence, latencyMs);
  const remedy = remedyOf(faultOf(sentence), asked, site);
  return remedy === undefined ? check : { ...check, remedy };
}

/** `parameter`: its name; undefined where the endpoint is a part of the deployment. */
export function checkStoredEndpoint(
  answer: StoredValue,
  parameter: string | undefined,
  site: Site,
  latencyMs: number,
): Check {
  if (parameter === undefined) return ok('stored_endpoint', 'the endpoint is fixed by the deployment');
  const put = `aws ssm put-parameter --type String --name ${parameter} --value https://<environment>.live.dynatrace.com/api/v2/otlp`;
  return checkStored(
    answer,
    'stored_endpoint',
    askedAt({ store: 'ssm', name: parameter }),
    put,
    site,
    latencyMs,
  );
}

/** No part of its value is told. `place`: where it is read. */
export function checkStoredToken(answer: StoredValue, place: AwsPlace, site: Site, latencyMs: number): Check {
  const put =
    place.store === 'ssm'
      ? `aws ssm put-parameter --type SecureString --name ${place.name} --value "$DT_API_TOKEN"`
      : `aws secretsmanager put-secret-value --secret-id ${place.arn} --secret-string "$DT_API_TOKEN"`;
  return checkStored(answer, 'stored_token', askedAt(place), put, site, latencyMs);
}

const STATES = { stored_endpoint: 'waiting_for_endpoint', stored_token: 'waiting_for_token' } as const;

function checkStored(
  answer: StoredValue,
  name: keyof typeof STATES,
  asked: Asked,
  put: string,
  site: Site,
  latencyMs: number,
): Check {
  switch (answer.code) {
    case 'read':
      return answer.problem === undefined
        ? ok(name, `${asked.resource} is there`, latencyMs)
        : judged(name, 'warning', answer.problem, asked, site, latencyMs);
    case 'absent':
      return failed(name, `${asked.resource} is not there, or empty: ${STATES[name]}`, put, latencyMs);
    case 'failed':
      return judged(name, 'failed', answer.message, asked, site, latencyMs);
  }
}

/** One check for all actions: they fail together, but where a policy leaves one out. */
export function checkTable(
  answers: readonly TableAnswer[],
  tableName: string,
  site: Site,
  latencyMs: number,
): Check {
  const [first, ...others] = answers.filter(({ problem }) => problem !== undefined);
  if (first?.problem === undefined) {
    const actions = answers.map(({ action }) => action.replace('dynamodb:', '')).join(', ');
    return ok('dynamodb', `the table ${tableName} answers (${actions}); nothing was written`, latencyMs);
  }
  const refused = [first, ...others].map(({ action }) => action).join(', ');
  const asked = { service: 'dynamodb', action: refused, resource: `the table ${tableName}` } as const;
  return judged('dynamodb', 'failed', first.problem, asked, site, latencyMs);
}

/** Of the secrets that one target's job refers to: each that cannot be had, or one line for all of them. */
export function checkSecrets(
  answers: readonly (readonly [reference: string, answer: SecretAnswer])[],
  site: Site,
  latencyMs: number,
): readonly Check[] {
  const bad = answers.flatMap(([reference, answer]) => {
    const sentence = answer.code === 'read' ? answer.problem : answer.message;
    if (sentence === undefined) return [];
    const place = placeOf(reference);
    // A cluster is no service of AWS: its adapter says what to bind.
    const asked = place === undefined || place.store === 'kubernetes' ? undefined : askedAt(place);
    const status = answer.code === 'read' ? 'warning' : 'failed';
    if (asked === undefined || answer.code === 'absent' || answer.code === 'refused') {
      const check = told('stored_secret', status, sentence, latencyMs);
      // The adapter says which prop grants it; what IAM wants is added.
      return asked !== undefined && faultOf(sentence) === 'denied'
        ? [{ ...check, remedy: `${check.remedy} (${asked.action} on ${asked.resource})` }]
        : [check];
    }
    return [judged('stored_secret', status, sentence, asked, site, latencyMs)];
  });
  if (bad.length > 0 || answers.length === 0) return bad;
  const what = answers.length === 1 ? 'the secret' : `the ${answers.length} secrets`;
  return [ok('stored_secret', `${what} that its job refers to can be read`, latencyMs)];
}

function askedAt(place: AwsPlace): Asked {
  switch (place.store) {
    case 'ssm':
      return { service: 'ssm', action: 'ssm:GetParameter', resource: `the parameter ${place.name}` };
    case 'secrets_manager':
      return {
        service: 'secretsmanager',
        action: 'secretsmanager:GetSecretValue',
        resource: `the secret ${place.arn}`,
      };
  }
}

/** Reading the parameters below `<prefix>/targets`. */
export function checkDocumentsRead(sentence: string, site: Site, latencyMs: number): Check {
  const asked = {
    service: 'ssm',
    action: 'ssm:GetParametersByPath',
    resource: `the parameters below ${site.prefix}/targets`,
  } as const;
  return judged('documents', 'failed', sentence, asked, site, latencyMs);
}

/** Each document that is not right, or one line for all. `waiting_for_targets`: none names a target. */
export function checkDocuments(
  count: number,
  targets: number,
  problems: readonly string[],
  site: Site,
  latencyMs: number,
): readonly Check[] {
  if (problems.length > 0)
    return problems.map((sentence) => told('documents', 'failed', sentence, latencyMs));
  const found = `${count} target documents, ${targets} targets`;
  if (targets > 0) return [ok('documents', found, latencyMs)];
  const put = `put one: aws ssm put-parameter --type String --name ${site.prefix}/targets/nim --value 10.0.1.17:8000`;
  return [warning('documents', `${found}: waiting_for_targets`, put, latencyMs)];
}
