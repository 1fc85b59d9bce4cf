/** What the stack keeps: the queue between the functions, what never left it, and the table. */
import { Duration } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { Settings } from './props.ts';

/**
 * Longer than the worker's timeout, so that no second worker ever gets a message whose first one may still
 * run (SQS refuses an event source with less).
 */
export const VISIBILITY_TIMEOUT = Duration.seconds(90);

/**
 * A message older than a few ticks is worthless: the next tick's message carries everything that it would
 * have sent.
 */
const QUEUE_RETENTION = Duration.minutes(5);

/**
 * The handler never fails for what the world did, so a message comes back only when its worker crashed or was
 * killed. The second receive, 90 s later, is acknowledged untouched (the shard has claimed that tick or a
 * newer one); a third would be older than any worker accepts. What is left is a function that cannot even
 * start: that goes to the dead-letter queue rather than holding up its shard.
 */
const MAX_RECEIVE_COUNT = 2;

/** SQS's longest: time to look at what never reached the function. */
const DEAD_LETTER_RETENTION = Duration.days(14);

/**
 * No high-throughput mode: FIFO's ordinary 300 calls a second of each kind are far above the 128 receives and
 * deletes that as many shards need in a minute. No content-based deduplication either: each message brings an
 * id of its own, the same for a doubled tick.
 */
const QUEUE_PROPS = {
  fifo: true,
  contentBasedDeduplication: false,
  enforceSSL: true,
} satisfies sqs.QueueProps;

export function createQueues(
  scope: Construct,
  { encryptionKey }: Settings,
): readonly [queue: sqs.Queue, deadLetterQueue: sqs.Queue] {
  const encryption =
    encryptionKey === undefined
      ? { encryption: sqs.QueueEncryption.SQS_MANAGED }
      : { encryption: sqs.QueueEncryption.KMS, encryptionMasterKey: encryptionKey };
  const deadLetterQueue = new sqs.Queue(scope, 'DeadLetterQueue', {
    ...QUEUE_PROPS,
    ...encryption,
    retentionPeriod: DEAD_LETTER_RETENTION,
  });
  const queue = new sqs.Queue(scope, 'Queue', {
    ...QUEUE_PROPS,
    ...encryption,
    visibilityTimeout: VISIBILITY_TIMEOUT,
    retentionPeriod: QUEUE_RETENTION,
    deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: MAX_RECEIVE_COUNT },
  });
  return [queue, deadLetterQueue];
}

/** The item that tells of the last tick: all that dispatch may write. */
export const DISPATCH_KEY = 'dispatch';

/** Which targets still owe increments, oldest first. */
export const OWING_INDEX = 'owing';

export function createTable(
  scope: Construct,
  { billing, encryptionKey, removalPolicy }: Settings,
): dynamodb.TableV2 {
  const table = new dynamodb.TableV2(scope, 'Table', {
    partitionKey: { name: 'pk', type: dynamodb.AttributeType.STRING },
    timeToLiveAttribute: 'expiresAt',
    // Sparse: an item is in it only while something is pending, so in good times it costs nothing.
    globalSecondaryIndexes: [
      {
        indexName: OWING_INDEX,
        partitionKey: { name: 'owing', type: dynamodb.AttributeType.STRING },
        sortKey: { name: 'pendingSince', type: dynamodb.AttributeType.STRING },
        projectionType: dynamodb.ProjectionType.KEYS_ONLY,
      },
    ],
    billing: billing ?? dynamodb.Billing.onDemand(),
    // Without a key of the customer's the one that AWS owns: encrypted at rest without a KMS request, and its price.
    encryption: dynamodb.TableEncryptionV2.dynamoOwnedKey(),
    // Priced by size, and a target is about 1 KB: cents at any scale.
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    removalPolicy,
  });
  if (encryptionKey !== undefined) encryptTable(table, encryptionKey);
  return table;
}

/** As TableEncryptionV2.customerManagedKey does, which refuses a stack for any region. */
function encryptTable(table: dynamodb.TableV2, key: kms.IKey): void {
  const resource = table.node.defaultChild as dynamodb.CfnGlobalTable;
  resource.addPropertyOverride('SSESpecification', { SSEEnabled: true, SSEType: 'KMS' });
  resource.addPropertyOverride('Replicas.0.SSESpecification', { KMSMasterKeyId: key.keyArn });
}
