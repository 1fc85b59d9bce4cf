/**
 * One SQS FIFO queue on the wire: deduplication, groups that are locked while a message is in flight, partial
 * failures.
 */
import { createHash, randomUUID } from 'node:crypto';
import { startAwsJson } from './aws-json.ts';
import type { AwsError, AwsJsonServer } from './aws-json.ts';

/** A message in the queue; deleted ones are gone. */
export interface FakeMessage {
  readonly messageId: string;
  readonly body: string;
  readonly groupId: string;
  readonly deduplicationId: string;
  readonly sentMs: number;
  readonly receiveCount: number;
}

interface Entry {
  readonly Id: string;
  readonly MessageBody: string;
  readonly MessageGroupId?: string;
  readonly MessageDeduplicationId?: string;
}

/** The entry's failure, or undefined to accept it. */
export type FailEntry = (
  entry: Entry,
) => { readonly code: string; readonly senderFault: boolean } | undefined;

export interface FakeSqs extends AwsJsonServer {
  readonly queueUrl: string;
  readonly messages: readonly FakeMessage[];
  /** Decides on each entry from now on. */
  readonly failEntries: (fail: FailEntry) => void;
}

interface Held extends FakeMessage {
  receiveCount: number;
  visibleAtMs: number;
  receiptHandle?: string;
}

/** SQS FIFO: a deduplication id counts for five minutes, also after its message was deleted. */
const DEDUPLICATION_MS = 5 * 60_000;
const MAX_BATCH_BYTES = 1024 * 1024;
export const VISIBILITY_TIMEOUT_S = 90;

export async function startSqs(options: { readonly wallMs?: () => number } = {}): Promise<FakeSqs> {
  const wallMs = options.wallMs ?? Date.now;
  const messages: Held[] = [];
  const seen = new Map<string, { readonly messageId: string; readonly sentMs: number }>();
  let fail: FailEntry = () => undefined;

  const enqueue = (entry: Entry): string => {
    const deduplicationId = entry.MessageDeduplicationId ?? '';
    const sentMs = wallMs();
    const before = seen.get(deduplicationId);
    if (before !== undefined && sentMs - before.sentMs < DEDUPLICATION_MS) return before.messageId;
    const messageId = randomUUID();
    seen.set(deduplicationId, { messageId, sentMs });
    const groupId = entry.MessageGroupId ?? '';
    const body = entry.MessageBody;
    messages.push({
      messageId,
      body,
      groupId,
      deduplicationId,
      sentMs,
      receiveCount: 0,
      visibleAtMs: sentMs,
    });
    return messageId;
  };

  const sendBatch = (input: { readonly Entries: readonly Entry[] }) => {
    const invalid = validate(input.Entries);
    if (invalid !== undefined) return invalid;
    const successful = [];
    const failed = [];
    for (const entry of input.Entries) {
      const failure = fail(entry);
      if (failure !== undefined) {
        failed.push({ Id: entry.Id, Code: failure.code, SenderFault: failure.senderFault });
        continue;
      }
      successful.push({ Id: entry.Id, MessageId: enqueue(entry), MD5OfMessageBody: md5(entry.MessageBody) });
    }
    return { Successful: successful, Failed: failed };
  };

  const receive = (input: { readonly MaxNumberOfMessages?: number; readonly VisibilityTimeout?: number }) => {
    const now = wallMs();
    const locked = new Set(messages.filter((one) => one.visibleAtMs > now).map((one) => one.groupId));
    const received = messages
      .filter((message) => !locked.has(message.groupId))
      .slice(0, input.MaxNumberOfMessages ?? 1);
    for (const message of received) {
      message.receiveCount += 1;
      message.receiptHandle = randomUUID();
      message.visibleAtMs = now + (input.VisibilityTimeout ?? VISIBILITY_TIMEOUT_S) * 1000;
    }
    return { Messages: received.map(describe) };
  };

  const remove = (input: { readonly ReceiptHandle: string }) => {
    const index = messages.findIndex((message) => message.receiptHandle === input.ReceiptHandle);
    if (index >= 0) messages.splice(index, 1);
    return {};
  };

  const server = await startAwsJson('AmazonSQS', {
    SendMessageBatch: sendBatch,
    ReceiveMessage: receive,
    DeleteMessage: remove,
  });
  const queueUrl = `${server.endpoint}/000000000000/shards.fifo`;
  return { ...server, queueUrl, messages, failEntries: (next) => void (fail = next) };
}

function validate(entries: readonly Entry[]): AwsError | undefined {
  if (entries.length === 0) return refuse('EmptyBatchRequest');
  if (entries.length > 10) return refuse('TooManyEntriesInBatchRequest');
  if (new Set(entries.map((entry) => entry.Id)).size < entries.length)
    return refuse('BatchEntryIdsNotDistinct');
  const bytes = entries.reduce((sum, entry) => sum + Buffer.byteLength(entry.MessageBody), 0);
  if (bytes > MAX_BATCH_BYTES) return refuse('BatchRequestTooLong');
  const complete = entries.every(
    (entry) =>
      entry.MessageGroupId !== undefined && /^[!-~]{1,128}$/.test(entry.MessageDeduplicationId ?? ''),
  );
  return complete ? undefined : refuse('InvalidParameterValue');
}

function refuse(code: string): AwsError {
  return { code: `com.amazonaws.sqs#${code}`, message: `The request is not valid: ${code}.` };
}

function describe(message: Held) {
  return {
    MessageId: message.messageId,
    ReceiptHandle: message.receiptHandle,
    Body: message.body,
    MD5OfBody: md5(message.body),
    Attributes: {
      MessageGroupId: message.groupId,
      MessageDeduplicationId: message.deduplicationId,
      SentTimestamp: String(message.sentMs),
      ApproximateReceiveCount: String(message.receiveCount),
    },
  };
}

function md5(body: string): string {
  return createHash('md5').update(body).digest('hex');
}
