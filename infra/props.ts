/** The construct's properties, their defaults and their bounds. */
import { Annotations, Duration, RemovalPolicy, Token } from 'aws-cdk-lib';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { join } from 'node:path';
import { type AlarmOptions, validateAlarms } from './alarms.ts';
import type { ApiToken } from './api-token.ts';
import { validateEgress } from './egress.ts';
import { validateEncryptionKey } from './encryption.ts';
import { type TargetSecret, validateSecrets } from './secrets.ts';
import { type TargetDocument, validateTargets } from './targets.ts';

/** Properties of the NimToDynatrace construct; all of them optional. */
export interface NimToDynatraceProps {
  /**
   * Path of the parameters: target documents under `<prefix>/targets/`, `<prefix>/endpoint`, secrets under
   * `<prefix>/secrets/`, among them the SecureString `dt-api-token`, which CloudFormation cannot create. Two deployments in one
   * account and region need two prefixes. A path of 1 to 13 segments of `a-zA-Z0-9_.-`, not beginning with
   * `/aws` or `/ssm`.
   * @default '/nim-to-dynatrace'
   */
  readonly parameterPrefix?: string;
  /**
   * Dynatrace's OTLP endpoint, base or full URL, https.
   * @default - read at run time from `<prefix>/endpoint`
   */
  readonly endpoint?: string;
  /**
   * Where the Dynatrace API token (scope `metrics.ingest`) is: `ApiToken.fromSsmParameter(name, { encryptionKey })`, or
   * `ApiToken.fromSecret(secret, { field })`. Reading it is granted, and decrypting with its key; no target document
   * may refer to it.
   * @default - the parameter `<prefix>/secrets/dt-api-token`
   */
  readonly apiToken?: ApiToken;
  /**
   * Target documents that belong to this stack, by the last segment of their parameters' names (1 to 128 of
   * `a-zA-Z0-9_.-`): text, or an object that is stored as JSON. At most 100, of 8 KB each; beyond 4 KB a parameter is
   * an advanced one (0.05 $ a month). They go with the stack, and a deployment overwrites edits; documents put by hand
   * under other names live beside them untouched. What stands here stands in the template: secrets by reference only.
   * @default - none: documents are put by hand
   */
  readonly targets?: Record<string, TargetDocument>;
  /**
   * The tick. Jobs are due on their own intervals; a tick longer than an interval makes windows longer, and
   * loses nothing.
   * @default - every minute, Scheduler's shortest
   */
  readonly schedule?: scheduler.ScheduleExpression;
  /**
   * A target not scraped successfully for so long is forgotten: it begins again with a baseline. At least
   * twice the tick, and ten times or more unless you know why; `Duration.millis(0)` is never.
   * @default Duration.hours(25)
   */
  readonly maxStaleness?: Duration;
  /**
   * The VPC of both functions, where the NIM replicas are: the dispatch function looks their names up
   * (`dns_sd_configs`), and outside the VPC a name of a private zone does not exist, or is another one, so that
   * targets would vanish. From the VPC they must reach DynamoDB, SSM, SQS and Dynatrace, and Secrets Manager where a
   * secret is in it (docs/network.md has the lines): a VPC of this app gets a DynamoDB gateway endpoint (free) unless
   * it has one, an imported or looked-up VPC is not touched. The rest needs a NAT gateway, or interface endpoints and
   * an ActiveGate or a proxy within reach; interface endpoints belong to the VPC and its owner, so none is made here.
   * @default - no VPC: targets with public names and addresses only
   */
  readonly vpc?: ec2.IVpc;
  /**
   * Subnets of both functions; public ones have no way out for a function.
   * @default - private subnets of the VPC
   */
  readonly vpcSubnets?: ec2.SubnetSelection;
  /**
   * Security groups of both functions; those of the NIM replicas must admit them.
   * @default - a new one that allows all outbound traffic
   */
  readonly securityGroups?: ec2.ISecurityGroup[];
  /**
   * What target documents may refer to beside the parameters below `<prefix>/secrets/`: parameters as
   * `ssm:<name>`, secrets of Secrets Manager by their ARN. Reading is granted, and decrypting with the key that a
   * secret was made or imported with. The secrets of targets are theirs to see: whoever edits a document decides
   * which host gets one. At most 30.
   * @default - none
   */
  readonly secrets?: TargetSecret[];
  /**
   * Customer managed keys, not aliases, that decrypt those secrets and the parameters below `<prefix>/secrets/`,
   * through SSM and Secrets Manager only. A key policy of your own must allow it too.
   * @default - the account's own keys, alias/aws/ssm and alias/aws/secretsmanager, which need no grant
   */
  readonly secretsKey?: kms.IKey | kms.IKey[];
  /**
   * HTTP proxy of the way to Dynatrace, never of scrapes or of AWS's own endpoints: `http://host:port`, without user
   * and password. TLS goes through it (CONNECT): it sees the host's name only.
   * @default - no proxy
   */
  readonly proxy?: string;
  /**
   * Certificates of your own authorities, PEM, trusted beside the public ones on the way to Dynatrace or an ActiveGate;
   * the text, not the name of a file. At most 512 KB. Targets have `tls_config: ca` for theirs.
   * @default - the public authorities that Node.js trusts
   */
  readonly caBundle?: string;
  /**
   * Whether each shard reports on itself to Dynatrace (`nim_to_dynatrace.*`); CloudWatch has its metrics in any case.
   * @default true
   */
  readonly selfMetrics?: boolean;
  /**
   * Of the table. Provisioned capacity costs less where the load is flat and known: one write of 1 KB and one read per
   * target and tick, all of them within seconds; with too little, increments wait and windows get longer.
   * @default dynamodb.Billing.onDemand()
   */
  readonly billing?: dynamodb.Billing;
  /**
   * A customer managed key, no alias, for table, queues and logs. Both functions may use it through DynamoDB and SQS
   * only. The policy of a key of this app gets what CloudWatch Logs needs; an imported key must have it before
   * (docs/network.md).
   * @default - keys that AWS owns: encrypted, without a price and a policy
   */
  readonly encryptionKey?: kms.IKey;
  /**
   * What becomes of the table and the logs when the stack is deleted. A retained table is of no use to a
   * later deployment, which makes its own; what deletion loses is what was pending because Dynatrace did not
   * accept it. DynamoDB keeps a backup of a deleted table for 35 days where point-in-time recovery was on, as
   * it is here.
   * @default RemovalPolicy.DESTROY
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * How long both functions' logs are kept.
   * @default logs.RetentionDays.TWO_WEEKS
   */
  readonly logRetention?: logs.RetentionDays;
  /**
   * Memory, and with it processor time, of the scrape function in MB; 128 to 10,240.
   * @default 512
   */
  readonly memorySize?: number;
  /**
   * CloudWatch alarms, each with what to do in its description (docs/alarms.md); 0.10 $ a month for each of their 13
   * metrics.
   * @default true
   */
  readonly alarms?: boolean | AlarmOptions;
  /**
   * Told when an alarm goes off, and when it is over. Where a key of your own encrypts it, the key's policy must let
   * `cloudwatch.amazonaws.com` use it.
   * @default - nobody is told: the alarms are in the console
   */
  readonly alarmTopic?: sns.ITopic;
  /**
   * A CloudWatch dashboard of the pipeline itself; 3 $ a month beyond the three that are free.
   * @default false
   */
  readonly dashboard?: boolean;
  /**
   * Directory with the bundles, `dispatch/index.mjs` and `scrape/index.mjs`.
   * @default - dist/ of this package
   */
  readonly codeDirectory?: string;
}

type Defaults = Required<
  Pick<
    NimToDynatraceProps,
    | 'parameterPrefix'
    | 'schedule'
    | 'maxStaleness'
    | 'selfMetrics'
    | 'removalPolicy'
    | 'logRetention'
    | 'memorySize'
    | 'codeDirectory'
  >
>;

/** Properties with the defaults filled in. */
export type Settings = NimToDynatraceProps & Defaults;

const DEFAULTS: Defaults = {
  parameterPrefix: '/nim-to-dynatrace',
  schedule: scheduler.ScheduleExpression.rate(Duration.minutes(1)),
  maxStaleness: Duration.hours(25),
  selfMetrics: true,
  removalPolicy: RemovalPolicy.DESTROY,
  logRetention: logs.RetentionDays.TWO_WEEKS,
  memorySize: 512,
  codeDirectory: join(import.meta.dirname, '../dist'),
};

/**
 * Fills in the defaults and checks what can be checked before deployment; values known only then (tokens)
 * pass. A warning goes to `scope`.
 * @throws Error with the property, the bound and the remedy.
 */
export function settingsOf(scope: Construct, props: NimToDynatraceProps): Settings {
  const given = Object.fromEntries(Object.entries(props).filter(([, value]) => value !== undefined));
  const settings: Settings = { ...DEFAULTS, ...given };
  validateParameterPrefix(settings.parameterPrefix);
  validateEndpoint(settings.endpoint);
  validateMaxStaleness(scope, settings);
  validateMemorySize(settings.memorySize);
  validateSecrets(settings);
  validateAlarms(settings.alarms);
  validateTargets(scope, settings);
  validateEgress(settings);
  validateEncryptionKey(settings);
  if (settings.vpc === undefined && (settings.vpcSubnets ?? settings.securityGroups) !== undefined) {
    throw new Error(
      'cannot use vpcSubnets or securityGroups: there is no vpc; give the vpc, or leave them out',
    );
  }
  return settings;
}

/** SSM allows 15 levels; `secrets/dt-api-token` and `targets/<name>` take two. */
const MAX_PREFIX_LEVELS = 13;

/** SSM allows 1,011 characters for a name with its ARN; half of them are left to the names of the targets. */
const MAX_PREFIX_LENGTH = 500;

const MEMORY_MB = { min: 128, max: 10_240 };

function validateParameterPrefix(prefix: string): void {
  if (Token.isUnresolved(prefix)) return;
  const fault = !/^(\/[\w.-]+)+$/.test(prefix)
    ? 'it is not a path such as /nim-to-dynatrace of a-z, A-Z, 0-9, _, . and -, without a slash at the end'
    : /^\/(aws|ssm)/i.test(prefix)
      ? 'SSM reserves names that begin with /aws or /ssm'
      : prefix.split('/').length - 1 > MAX_PREFIX_LEVELS
        ? `it has more than ${MAX_PREFIX_LEVELS} levels`
        : prefix.length > MAX_PREFIX_LENGTH
          ? `it has more than ${MAX_PREFIX_LENGTH} characters`
          : undefined;
  if (fault !== undefined) {
    throw new Error(`cannot use parameterPrefix ${JSON.stringify(prefix)}: ${fault}; choose another path`);
  }
}

function validateEndpoint(endpoint: string | undefined): void {
  if (endpoint === undefined || Token.isUnresolved(endpoint)) return;
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  // The value is not repeated: somebody may have pasted the token into it.
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '' || url.search !== '') {
    throw new Error(
      'cannot use endpoint: it is not an https URL without user and query; ' +
        'use https://<environment>.live.dynatrace.com/api/v2/otlp',
    );
  }
}

function validateMaxStaleness(scope: Construct, { maxStaleness, schedule }: Settings): void {
  if (maxStaleness.isUnresolved()) {
    throw new Error('cannot use maxStaleness: it is known at deployment only; give a literal Duration');
  }
  const staleMs = maxStaleness.toMilliseconds({ integral: false });
  if (!Number.isSafeInteger(staleMs)) {
    throw new Error(`cannot use maxStaleness of ${staleMs} ms: it is no whole number; round it`);
  }
  if (staleMs === 0) return;
  const tickMs = tickOf(schedule) ?? SHORTEST_TICK_MS;
  if (staleMs < 2 * tickMs) {
    throw new Error(
      `cannot use maxStaleness of ${staleMs} ms: it is below twice the tick of ${tickMs} ms, ` +
        'so one failed scrape would forget the target; raise it to ten ticks or more',
    );
  }
  if (staleMs < 10 * tickMs) {
    Annotations.of(scope).addWarningV2(
      'nim-to-dynatrace:maxStaleness',
      `maxStaleness of ${staleMs} ms is below ten ticks of ${tickMs} ms: a target that is away ` +
        'for so short a time is forgotten, and what its counters gained meanwhile is not sent',
    );
  }
}

/** Scheduler's. */
const SHORTEST_TICK_MS = 60_000;

/** The schedule's period in ms; undefined where it is no rate. */
export function tickOf({ expressionString }: scheduler.ScheduleExpression): number | undefined {
  const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expressionString) ?? [];
  if (count === undefined) return undefined;
  const unitMs = unit === 'day' ? 86_400_000 : unit === 'hour' ? 3_600_000 : 60_000;
  return Number(count) * unitMs;
}

function validateMemorySize(memorySize: number): void {
  if (Token.isUnresolved(memorySize)) return;
  if (!Number.isInteger(memorySize) || memorySize < MEMORY_MB.min || memorySize > MEMORY_MB.max) {
    throw new Error(
      `cannot use memorySize of ${memorySize} MB: ` +
        `it is not a whole number of ${MEMORY_MB.min} to ${MEMORY_MB.max}; ` +
        'leave it out for 512',
    );
  }
}
