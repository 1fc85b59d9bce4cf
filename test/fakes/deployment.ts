/**
 * The two functions as they are deployed, each in a process of its own, and around them what AWS, NIM and Dynatrace
 * would be. What AWS does between the functions is done here: the schedule, and the queue's event source.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { Message } from '@aws-sdk/client-sqs';
import type { SQSRecord } from 'aws-lambda';
import { createTableIfAbsent } from '../../functions/adapters/state-dynamodb.ts';
import { startEmbeddedDynamodb } from '../../functions/cli/world/embedded-dynamodb.ts';
import { type Receiver, type ReceiverOptions, startReceiver } from '../../functions/cli/world/receiver.ts';
import { type SimulatedNim, startSimulatedNim } from '../../functions/cli/world/simulated-nim.ts';
import { bundle } from '../../infra/bundle.ts';
import { FAKE_AWS } from './aws-json.ts';
import { type DynamoDbFaults, startDynamoDbFaults } from './dynamodb-faults.ts';
import { type Invocation, type LambdaFunction, createFunction } from './lambda.ts';
import { type FakeSqs, startSqs } from './sqs.ts';
import { type FakeSsm, startSsm } from './ssm.ts';

export const PREFIX = '/nim-to-dynatrace';
export const TOKEN_NAME = `${PREFIX}/secrets/dt-api-token`;
/** Planted: no part of it but the public one may ever be printed. */
export const TOKEN = 'dt0c01.PUBLICID.PLANTEDSECRET';
const AWS_SECRET = 'PLANTEDAWSSECRET';
const ROOT = join(import.meta.dirname, '../..');

/** Where the handlers' modules are. */
export interface Build {
  readonly dispatch: string;
  readonly scrape: string;
}

export const SOURCE: Build = {
  dispatch: join(ROOT, 'functions/dispatch/handler.ts'),
  scrape: join(ROOT, 'functions/scrape/handler.ts'),
};

/** Builds both bundles outside the repository, so that nothing they need can come from node_modules. */
export async function buildBundles(after: (remove: () => Promise<void>) => void): Promise<Build> {
  const outDir = await mkdtemp(join(tmpdir(), 'handlers-'));
  after(() => rm(outDir, { recursive: true }));
  await bundle({ outDir });
  return { dispatch: join(outDir, 'dispatch/index.mjs'), scrape: join(outDir, 'scrape/index.mjs') };
}

export interface DeploymentOptions {
  readonly build: Build;
  /** Default: one. */
  readonly nims?: number;
  /** By parameter name below the prefix; default: the endpoint, the token, and each NIM in `targets/nim`. */
  readonly parameters?: (nims: readonly SimulatedNim[], endpoint: string) => Readonly<Record<string, string>>;
  readonly receiver?: ReceiverOptions;
  /** Added to or, when undefined, taken from the functions' own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface Tick {
  readonly tickMs: number;
  readonly dispatched: Invocation;
  /** One per message. */
  readonly worked: readonly Invocation[];
}

export interface Deployment {
  readonly ssm: FakeSsm;
  readonly sqs: FakeSqs;
  readonly dynamodb: DynamoDbFaults;
  readonly receiver: Receiver;
  /** Their clock stands at the next tick: a page is always 15 s late. */
  readonly nims: readonly SimulatedNim[];
  readonly dispatch: LambdaFunction;
  readonly scrape: LambdaFunction;
  /** Fires the schedule, then works the queue off. Each tick is 15 s after the one before. */
  readonly tick: () => Promise<Tick>;
  /** The schedule's event alone; at the next tick, or once more at `tickMs`. */
  readonly schedule: (
    tickMs?: number,
  ) => Promise<{ readonly tickMs: number; readonly dispatched: Invocation }>;
  /** Hands each message to the scrape function, as the event source does. */
  readonly workOff: (options?: {
    readonly remainingMs?: number;
    readonly aheadMs?: number;
  }) => Promise<readonly Invocation[]>;
}

/** The first tick lies a minute back: late as a schedule can be, and half of what a message may age. */
const FIRST_TICK_AGO_MS = 60_000;
const TICK_STEP_MS = 15_000;

/** Closes with the test, and then searches all that was printed for the planted secrets. */
export async function startDeployment(
  context: Pick<TestContext, 'after'>,
  options: DeploymentOptions,
): Promise<Deployment> {
  let nextMs = Math.floor((Date.now() - FIRST_TICK_AGO_MS) / 1000) * 1000;
  const database = await startEmbeddedDynamodb();
  const [dynamodb, sqs, receiver] = await Promise.all([
    startDynamoDbFaults(database.endpoint),
    startSqs(),
    startReceiver({ token: TOKEN, ...options.receiver }),
  ]);
  const nims = await Promise.all(
    Array.from({ length: options.nims ?? 1 }, (_, seed) =>
      startSimulatedNim({ model: 'llama', seed, clock: () => nextMs }),
    ),
  );
  for (const nim of nims) nim.advance(60_000);
  const ssm = await startSsm(storedBy(options.parameters ?? standard, nims, receiver.endpoint));
  await createTable(database.endpoint);

  const env = environment({ ssm, sqs, dynamodb }, options.env);
  const dispatch = createFunction(options.build.dispatch, env);
  const scrape = createFunction(options.build.scrape, env);
  const queue = new SQSClient({ ...FAKE_AWS, endpoint: sqs.endpoint });
  context.after(async () => {
    await Promise.all([dispatch, scrape, ssm, sqs, receiver, ...nims].map((one) => one.close()));
    queue.destroy();
    await dynamodb.close();
    await database.close();
    const output = dispatch.output() + scrape.output();
    assert.doesNotMatch(output, /PLANTED|Credential=/);
  });

  const workOff: Deployment['workOff'] = async (options) => {
    const invocations: Invocation[] = [];
    for (
      let message = await receive(queue, sqs);
      message !== undefined;
      message = await receive(queue, sqs)
    ) {
      const record = recordOf(message, Date.now() + (options?.aheadMs ?? 0));
      const invocation = await scrape.invoke({ Records: [record] }, options);
      invocations.push(invocation);
      const done = { QueueUrl: sqs.queueUrl, ReceiptHandle: message.ReceiptHandle };
      if (invocation.error === undefined) await queue.send(new DeleteMessageCommand(done));
    }
    return invocations;
  };
  const schedule: Deployment['schedule'] = async (again) => {
    const tickMs = again ?? nextMs;
    if (again === undefined) nextMs += TICK_STEP_MS;
    return { tickMs, dispatched: await dispatch.invoke(scheduleEvent(tickMs)) };
  };
  const tick = async () => ({ ...(await schedule()), worked: await workOff() });
  return { ssm, sqs, dynamodb, receiver, nims, dispatch, scrape, tick, schedule, workOff };
}

/** As EventBridge Scheduler writes `<aws.scheduler.scheduled-time>`. */
export function scheduleEvent(tickMs: number): { readonly scheduledTime: string } {
  return { scheduledTime: new Date(tickMs).toISOString().replace('.000Z', 'Z') };
}

/** A record of a FIFO queue's event; default: received just now for the first time. */
export function recordOf(message: Message, firstReceivedMs: number = Date.now()): SQSRecord {
  const { Attributes = {} } = message;
  return {
    messageId: message.MessageId ?? '11111111-1111-1111-1111-111111111111',
    receiptHandle: message.ReceiptHandle ?? 'AQEB',
    body: message.Body ?? '',
    attributes: {
      ApproximateReceiveCount: Attributes['ApproximateReceiveCount'] ?? '1',
      SentTimestamp: Attributes['SentTimestamp'] ?? String(firstReceivedMs),
      SequenceNumber: '18849496460467696128',
      MessageGroupId: Attributes['MessageGroupId'] ?? 'shard-0',
      SenderId: 'AROAFAKE:dispatch',
      MessageDeduplicationId: Attributes['MessageDeduplicationId'] ?? '1',
      ApproximateFirstReceiveTimestamp: String(firstReceivedMs),
    },
    messageAttributes: {},
    md5OfBody: message.MD5OfBody ?? '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:eu-central-1:000000000000:shards.fifo',
    awsRegion: 'eu-central-1',
  };
}

function standard(nims: readonly SimulatedNim[], endpoint: string): Readonly<Record<string, string>> {
  return {
    endpoint,
    'secrets/dt-api-token': TOKEN,
    'targets/nim': nims.map(addressOf).join('\n'),
  };
}

export function addressOf(nim: SimulatedNim): string {
  return new URL(nim.url).host;
}

function storedBy(
  parameters: NonNullable<DeploymentOptions['parameters']>,
  nims: readonly SimulatedNim[],
  endpoint: string,
) {
  const entries = Object.entries(parameters(nims, endpoint)).map(([name, value]) => [
    `${PREFIX}/${name}`,
    value,
  ]);
  return {
    parameters: Object.fromEntries(entries) as Readonly<Record<string, string>>,
    secure: [TOKEN_NAME],
  };
}

/** What the stack sets, and the SDK's own variables for other endpoints. */
function environment(
  { ssm, sqs, dynamodb }: Pick<Deployment, 'ssm' | 'sqs' | 'dynamodb'>,
  changes: DeploymentOptions['env'] = {},
): Readonly<Record<string, string>> {
  const env: Readonly<Record<string, string | undefined>> = {
    PARAMETER_PREFIX: PREFIX,
    QUEUE_URL: sqs.queueUrl,
    TABLE_NAME: 'state',
    MAX_STALENESS_MS: String(25 * 3_600_000),
    AWS_ENDPOINT_URL_SSM: ssm.endpoint,
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
    AWS_ACCESS_KEY_ID: 'AKIAFAKE',
    AWS_SECRET_ACCESS_KEY: AWS_SECRET,
    AWS_SESSION_TOKEN: AWS_SECRET,
    AWS_LAMBDA_FUNCTION_NAME: 'nim-to-dynatrace',
    ...changes,
  };
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

async function createTable(endpoint: string): Promise<void> {
  const client = new DynamoDBClient({ ...FAKE_AWS, endpoint });
  assert.equal((await createTableIfAbsent(client, 'state')).code, 'ready');
  client.destroy();
}

async function receive(queue: SQSClient, { queueUrl }: FakeSqs): Promise<Message | undefined> {
  const command = new ReceiveMessageCommand({ QueueUrl: queueUrl, MessageSystemAttributeNames: ['All'] });
  return (await queue.send(command)).Messages?.[0];
}
