/**
 * The whole product as one construct: a schedule, two functions, a FIFO queue between them, and a table.
 * Everything about targets, endpoint and token lives in SSM parameters and is read at run time, so that none
 * needs a deployment.
 */
import { Annotations, ArnFormat, Duration, Stack, Token } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { join } from 'node:path';
import { type Alarms, createAlarms } from './alarms.ts';
import { createDashboard } from './cloudwatch-dashboard.ts';
import { admitToClusters, createAccess, dispatchDiscovery, scrapeDiscovery } from './discovery.ts';
import { type Egress, createEgress } from './egress.ts';
import { type KeyUse, allowLogs, keyStatements } from './encryption.ts';
import {
  NETWORK_INTERFACE_REASON,
  type Network,
  createNetwork,
  networkInterfaceStatements,
} from './network.ts';
import { settingsOf, tickOf } from './props.ts';
import type { NimToDynatraceProps, Settings } from './props.ts';
import { dispatchSecrets, secretStatements, secretsEnvironment } from './secrets.ts';
import { DISPATCH_KEY, OWING_INDEX, createQueues, createTable } from './stores.ts';
import { createTargets } from './targets.ts';
import { acknowledgeWildcard } from './wildcards.ts';

/**
 * The dispatch function reads documents, looks names up and sends messages: a second or two. Its largest tick, 1,000
 * documents full of relabel rules for 10,000 targets, took 10 s of a whole processor and 340 MB when measured: some
 * 35 s with the third of one that comes with this memory. Scheduler may be 59 s late, and workers take messages up
 * to 120 s old.
 */
const DISPATCH_TIMEOUT = Duration.seconds(60);
const DISPATCH_MEMORY_MB = 512;

/** Of all variables of a function, written as JSON (Lambda quotas). */
export const MAX_ENVIRONMENT_BYTES = 4_096;

/** A minute of scraping plus what export and commit need; the worker stops by itself before. */
export const SCRAPE_TIMEOUT = Duration.seconds(75);

/**
 * Workers at a time (SQS allows 2 to 1,000). FIFO gives each shard one worker, and 10,000 targets in shards
 * of at most 150 make 128 shards. No concurrency is reserved: new accounts have a limit of 10 and refuse
 * that.
 */
const MAX_CONCURRENCY = 128;

/**
 * A tick that Scheduler or Lambda could not deliver within its minute is over; 60 s is the shortest that both
 * allow.
 */
const MAX_EVENT_AGE = Duration.seconds(60);

/**
 * Threads of Node's pool, on which host names are resolved and bodies packed: more than the 48 targets that are scraped
 * at once, so that names which no server answers never keep a run from exporting within its deadline.
 */
export const THREADS = 64;

/** Scrapes NVIDIA NIM replicas on a schedule and sends their metrics to Dynatrace as exact deltas. */
export class NimToDynatrace extends Construct implements ec2.IConnectable, iam.IGrantable {
  /** Runs at each tick: reads the target documents and sends one message per shard. */
  readonly dispatchFunction: lambda.Function;
  /** The worker: scrapes one shard's targets, exports, commits. */
  readonly scrapeFunction: lambda.Function;
  /** Path of the parameters, as given or by default. */
  readonly parameterPrefix: string;
  /** One item per target and one per shard. */
  readonly table: dynamodb.TableV2;
  /** From dispatch to scrape, one message group per shard. */
  readonly queue: sqs.Queue;
  /** Messages that never reached the scrape function; empty when all is well. */
  readonly deadLetterQueue: sqs.Queue;
  /** By name (docs/alarms.md); none with `alarms: false`. */
  readonly alarms: Alarms;
  /** With `dashboard: true`. */
  readonly dashboard?: cloudwatch.Dashboard;
  /** The scrape function's role. What documents refer to is granted with the props `secrets`, `secretsKey` and `apiToken`. */
  readonly grantPrincipal: iam.IPrincipal;

  /** @throws Error when a property is out of its bounds. */
  constructor(scope: Construct, id: string, props: NimToDynatraceProps = {}) {
    super(scope, id);
    const settings = settingsOf(this, props);
    const { parameterPrefix, endpoint, schedule, maxStaleness, vpc } = settings;
    this.parameterPrefix = parameterPrefix;
    rejectSharedPrefix(this);
    const network = createNetwork(this, settings);

    allowLogs(this, settings.encryptionKey);
    this.table = createTable(this, settings);
    [this.queue, this.deadLetterQueue] = createQueues(this, settings);
    createTargets(this, settings);

    const asking = dispatchDiscovery(this, settings);
    const reading = scrapeDiscovery(this, settings);
    const parameterArn = (name: string) =>
      Stack.of(this).formatArn({
        service: 'ssm',
        // The prefix begins with the slash, also where it is known at deployment only.
        resource: `parameter${parameterPrefix}/${name}`,
        arnFormat: ArnFormat.NO_RESOURCE_NAME,
      });
    this.dispatchFunction = createFunction(this, 'Dispatch', settings, network, {
      description: 'nim-to-dynatrace: plans a tick and sends one message per shard',
      memorySize: DISPATCH_MEMORY_MB,
      timeout: DISPATCH_TIMEOUT,
      // A tick that failed is not repeated: the next one carries everything.
      retryAttempts: 0,
      maxEventAge: MAX_EVENT_AGE,
      environment: {
        PARAMETER_PREFIX: parameterPrefix,
        QUEUE_URL: this.queue.queueUrl,
        TABLE_NAME: this.table.tableName,
        MAX_STALENESS_MS: String(maxStaleness.toMilliseconds()),
        IN_VPC: String(vpc !== undefined),
        ...secretsEnvironment(settings),
        ...asking.environment,
      },
      statements: [
        // Allowed on a path means all that is below it; the path is named as the function calls it, without a
        // slash.
        allow(['ssm:GetParametersByPath'], parameterArn('targets')),
        allow(['ssm:GetParameterHistory'], parameterArn('targets/*')),
        allow(['sqs:SendMessage'], this.queue.queueArn),
        allow(['dynamodb:Query'], `${this.table.tableArn}/index/${OWING_INDEX}`),
        recordTicks(this.table),
        // Servers that are asked for targets want credentials, too.
        allow(['ssm:GetParameter'], parameterArn('secrets/*')),
        ...dispatchSecrets(this, settings),
        ...asking.statements,
      ],
      keyUses: ['send', 'write-table'],
      wildcards: [
        [parameterArn('targets/*'), 'People add target documents without a deployment.'],
        [parameterArn('secrets/*'), 'People add secrets of discoveries without a deployment.'],
      ],
    });
    const egress = createEgress(this, settings);
    this.scrapeFunction = createFunction(this, 'Scrape', settings, network, {
      description: 'nim-to-dynatrace: scrapes one shard and sends what its counters gained',
      memorySize: settings.memorySize,
      timeout: SCRAPE_TIMEOUT,
      environment: {
        PARAMETER_PREFIX: parameterPrefix,
        TABLE_NAME: this.table.tableName,
        MAX_STALENESS_MS: String(maxStaleness.toMilliseconds()),
        IN_VPC: String(vpc !== undefined),
        UV_THREADPOOL_SIZE: String(THREADS),
        ...secretsEnvironment(settings),
        ...reading.environment,
        ...(endpoint === undefined ? {} : { ENDPOINT: endpoint }),
        ...(settings.selfMetrics ? {} : { SELF_METRICS: 'off' }),
        ...egress.environment,
      },
      layers: egress.layers,
      statements: [
        allow(
          ['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'],
          this.table.tableArn,
        ),
        // No kms:Decrypt for them: the key policy of alias/aws/ssm lets every principal of the account decrypt
        // through SSM.
        allow(['ssm:GetParameter'], parameterArn('endpoint'), parameterArn('secrets/*')),
        allow(['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'], this.queue.queueArn),
        ...secretStatements(this, settings),
        ...reading.statements,
      ],
      keyUses: ['write-table', 'receive'],
      wildcards: [[parameterArn('secrets/*'), 'People add secrets of targets without a deployment.']],
    });
    this.grantPrincipal = this.scrapeFunction.grantPrincipal;
    createAccess(this, settings, {
      dispatch: this.dispatchFunction.role!,
      scrape: this.scrapeFunction.role!,
    });
    admitToClusters(this, settings, network);

    // Batch size 1: one invocation, one shard, one tick. No partial batch responses: there is nothing to tell
    // apart.
    new lambda.EventSourceMapping(this, 'Work', {
      target: this.scrapeFunction,
      eventSourceArn: this.queue.queueArn,
      batchSize: 1,
      maxConcurrency: MAX_CONCURRENCY,
    });
    const watched = {
      deployment: parameterPrefix,
      dispatchFunction: this.dispatchFunction,
      scrapeFunction: this.scrapeFunction,
      deadLetterQueue: this.deadLetterQueue,
      schedule: createSchedule(this, schedule, this.dispatchFunction),
      tick: alarmTick(settings),
    };
    this.alarms = createAlarms(this, watched, settings.alarms, settings.alarmTopic);
    if (settings.dashboard === true) this.dashboard = createDashboard(this, watched, this.alarms);
  }

  /** Security groups of both functions. Throws where the construct has no VPC. */
  get connections(): ec2.Connections {
    return this.scrapeFunction.connections;
  }
}

/** As the alarms are told, else as the schedule's rate says. */
function alarmTick({ alarms, schedule }: Settings): Duration | undefined {
  if (typeof alarms === 'object' && alarms.tick !== undefined) return alarms.tick;
  const tickMs = tickOf(schedule);
  return tickMs === undefined ? undefined : Duration.millis(tickMs);
}

/**
 * Two deployments with one prefix would both scrape its targets, and Dynatrace would add up both.
 * @throws Error when another one has this prefix in the same stack, or in the same account and region. Where those are
 * known at deployment only they may differ: a warning.
 */
function rejectSharedPrefix(one: NimToDynatrace): void {
  const { account, region } = Stack.of(one);
  for (const other of one.node.root.node.findAll()) {
    if (!(other instanceof NimToDynatrace) || other === one) continue;
    const stack = Stack.of(other);
    const isShared =
      other.parameterPrefix === one.parameterPrefix && stack.account === account && stack.region === region;
    if (!isShared) continue;
    const message =
      `cannot use parameterPrefix ${one.parameterPrefix}: ${other.node.path} has it too, ` +
      'and every number would be sent twice; choose another path';
    if (stack === Stack.of(one) || !Token.isUnresolved(account + region)) throw new Error(message);
    Annotations.of(one).addWarningV2('nim-to-dynatrace:parameterPrefix', message);
  }
}

interface FunctionProps extends Pick<
  lambda.FunctionOptions,
  'description' | 'memorySize' | 'timeout' | 'retryAttempts' | 'maxEventAge' | 'environment'
> {
  readonly layers?: Egress['layers'];
  readonly statements: iam.PolicyStatement[];
  /** What it does with the stack's encrypted things. */
  readonly keyUses: readonly KeyUse[];
  /** Resources in `statements` that stand for several, and why. */
  readonly wildcards: readonly (readonly [arn: string, reason: string])[];
}

/**
 * One function with its own log group and a role that may do what `statements` say and write to that log
 * group.
 */
function createFunction(
  scope: Construct,
  name: 'Dispatch' | 'Scrape',
  { codeDirectory, encryptionKey, logRetention, removalPolicy }: Settings,
  network: Network,
  { statements, keyUses, wildcards, ...props }: FunctionProps,
): lambda.Function {
  validateEnvironment(props.environment);
  const logGroup = new logs.LogGroup(scope, `${name}Logs`, {
    retention: logRetention,
    ...(encryptionKey === undefined ? {} : { encryptionKey }),
    removalPolicy,
  });
  const role = new iam.Role(scope, `${name}Role`, {
    assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    inlinePolicies: {
      // Its own log group only, which AWSLambdaBasicExecutionRole would widen to all of them.
      Function: new iam.PolicyDocument({
        statements: [
          allow(['logs:CreateLogStream', 'logs:PutLogEvents'], logGroup.logGroupArn),
          ...statements,
          ...keyStatements(scope, encryptionKey, keyUses),
          ...(network.vpc === undefined ? [] : networkInterfaceStatements(scope)),
        ],
      }),
    },
  });
  for (const [arn, reason] of wildcards) acknowledgeWildcard(role, arn, reason);
  if (network.vpc !== undefined) acknowledgeWildcard(role, '*', NETWORK_INTERFACE_REASON);
  return new lambda.Function(scope, name, {
    ...props,
    ...network,
    runtime: lambda.Runtime.NODEJS_24_X,
    architecture: lambda.Architecture.ARM_64,
    code: lambda.Code.fromAsset(join(codeDirectory, name.toLowerCase())),
    handler: 'index.handler',
    role,
    logGroup,
    // With JSON the runtime wraps what goes through its console, which would hide metrics in EMF from
    // CloudWatch. Powertools writes both logs and EMF to standard output itself, where lines pass as they
    // are.
    loggingFormat: lambda.LoggingFormat.JSON,
    applicationLogLevelV2: lambda.ApplicationLogLevel.INFO,
    // Without the START, END and REPORT lines of every run, which would be most of the log's price.
    systemLogLevelV2: lambda.SystemLogLevel.WARN,
  });
}

/**
 * What is known at deployment only counts as it is written here.
 * @throws Error when the variables are more than Lambda takes.
 */
export function validateEnvironment(environment: FunctionProps['environment']): void {
  const bytes = new TextEncoder().encode(JSON.stringify(environment)).length;
  if (bytes > MAX_ENVIRONMENT_BYTES) {
    throw new Error(
      `cannot deploy: the functions' environment would have ${bytes} bytes, ${MAX_ENVIRONMENT_BYTES} are the most; ` +
        'put secrets of targets below <prefix>/secrets/, which need no name there, name fewer clusters and namespaces, ' +
        'or shorten prefix and names',
    );
  }
}

function createSchedule(
  scope: Construct,
  schedule: scheduler.ScheduleExpression,
  target: lambda.Function,
): scheduler.Schedule {
  const stack = Stack.of(scope);
  const role = new iam.Role(scope, 'ScheduleRole', {
    assumedBy: new iam.ServicePrincipal('scheduler.amazonaws.com', {
      // Only schedules of this account's default group may use the role.
      conditions: {
        StringEquals: {
          'aws:SourceAccount': stack.account,
          'aws:SourceArn': stack.formatArn({
            service: 'scheduler',
            resource: 'schedule-group',
            resourceName: 'default',
          }),
        },
      },
    }),
    inlinePolicies: {
      Invoke: new iam.PolicyDocument({ statements: [allow(['lambda:InvokeFunction'], target.functionArn)] }),
    },
  });
  return new scheduler.Schedule(scope, 'Schedule', {
    description:
      'nim-to-dynatrace: the tick. Editing or disabling it is fine: windows get longer, nothing is lost',
    schedule,
    target: new LambdaInvoke(target, {
      // As it is: CDK would add every version and alias of the function to it.
      role: role.withoutPolicyUpdates(),
      // The tick is the scheduled time, not the time of the run, so a doubled delivery has the same tick.
      input: scheduler.ScheduleTargetInput.fromObject({
        scheduledTime: scheduler.ContextAttribute.scheduledTime,
      }),
      retryAttempts: 0,
      maxEventAge: MAX_EVENT_AGE,
    }),
  });
}

/** What dispatch leaves for `status`: its own item, and no target's or shard's. */
function recordTicks(table: dynamodb.TableV2): iam.PolicyStatement {
  return new iam.PolicyStatement({
    actions: ['dynamodb:UpdateItem'],
    resources: [table.tableArn],
    conditions: { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [DISPATCH_KEY] } },
  });
}

function allow(actions: string[], ...resources: string[]): iam.PolicyStatement {
  return new iam.PolicyStatement({ actions, resources });
}
