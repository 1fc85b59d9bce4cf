/** The queue between dispatch and scrape: SQS FIFO, one message group per shard. */
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Clock } from '../core/ports.ts';
import { awsFailure } from './aws-failure.ts';
import { signalAt, sleepMs } from './clock.ts';

/** SendMessageBatch: at most ten entries (SQS API reference). */
const MAX_BATCH_ENTRIES = 10;

/**
 * SendMessageBatch: the entries' bodies together, and so each of them, at most 1 MiB (SQS quotas, messages).
 */
export const MAX_BATCH_BYTES = 1024 * 1024;

/** Entries that SQS failed by its own fault are sent again, safe by their deduplication id. */
const MAX_ATTEMPTS = 3;
const RETRY_PAUSE_MS = 100;

export interface QueueMessage {
  readonly shard: number;
  readonly body: string;
  /** At most 128 letters, digits and punctuation marks; SQS drops what it saw within five minutes. */
  readonly deduplicationId: string;
}

/** Why a message was not sent, as far as one knows. */
export interface SendFailure {
  readonly shard: number;
  readonly code:
    /** The body alone exceeds 1 MiB: not sent. */
    | 'too_large'
    /** SQS refused it: not queued. */
    | 'refused'
    /** The request failed or had no answer before the deadline: perhaps queued. */
    | 'failed';
  readonly message: string;
}

export interface Queue {
  /**
   * Sends all, one group per shard, and answers with those that failed; empty when all went well. Never
   * throws.
   */
  readonly send: (messages: readonly QueueMessage[], deadlineMs: number) => Promise<readonly SendFailure[]>;
}

interface QueueDeps {
  readonly client: SQSClient;
  readonly queueUrl: string;
  readonly clock: Clock;
}

export function createQueue(deps: QueueDeps): Queue {
  return {
    send: async (messages, deadlineMs) => {
      const signal = signalAt(deps.clock, deadlineMs);
      const tooLarge = messages.filter((message) => bytesOf(message) > MAX_BATCH_BYTES);
      const batches = batchesOf(messages.filter((message) => bytesOf(message) <= MAX_BATCH_BYTES));
      const failures = await Promise.all(batches.map((batch) => sendBatch(deps, batch, signal, 1)));
      return [...tooLarge.map(describeTooLarge), ...failures.flat()];
    },
  };
}

async function sendBatch(
  deps: QueueDeps,
  batch: readonly QueueMessage[],
  signal: AbortSignal,
  attempt: number,
): Promise<readonly SendFailure[]> {
  const entries = batch.map((message, index) => ({
    Id: String(index),
    MessageBody: message.body,
    MessageGroupId: `shard-${message.shard}`,
    MessageDeduplicationId: message.deduplicationId,
  }));
  const command = new SendMessageBatchCommand({ QueueUrl: deps.queueUrl, Entries: entries });
  const answer = await deps.client
    .send(command, { abortSignal: signal })
    .catch((error: unknown) => ({ error }));
  if ('error' in answer) {
    return batch.map(({ shard }) => ({
      shard,
      code: 'failed',
      message: awsFailure(`send shard ${shard}`, answer.error),
    }));
  }
  const refused: SendFailure[] = [];
  const again: QueueMessage[] = [];
  for (const entry of answer.Failed ?? []) {
    const message = batch[Number(entry.Id)];
    if (message === undefined) continue;
    if (entry.SenderFault !== true && attempt < MAX_ATTEMPTS) again.push(message);
    else refused.push(describeRefusal(message.shard, entry.Code, entry.Message));
  }
  if (again.length === 0) return refused;
  await sleepMs(RETRY_PAUSE_MS * attempt, signal);
  return [...refused, ...(await sendBatch(deps, again, signal, attempt + 1))];
}

/** In order, each as full as both limits allow. */
function batchesOf(messages: readonly QueueMessage[]): readonly (readonly QueueMessage[])[] {
  const batches: QueueMessage[][] = [];
  let bytes = 0;
  for (const message of messages) {
    const last = batches.at(-1);
    const size = bytesOf(message);
    if (last === undefined || last.length === MAX_BATCH_ENTRIES || bytes + size > MAX_BATCH_BYTES) {
      batches.push([message]);
      bytes = size;
    } else {
      last.push(message);
      bytes += size;
    }
  }
  return batches;
}

function bytesOf(message: QueueMessage): number {
  return Buffer.byteLength(message.body);
}

function describeTooLarge(message: QueueMessage): SendFailure {
  const cause = `its message has ${bytesOf(message)} bytes, the limit is ${MAX_BATCH_BYTES}`;
  const text = `cannot send shard ${message.shard}: ${cause}; shorten the settings of its targets`;
  return { shard: message.shard, code: 'too_large', message: text };
}

function describeRefusal(shard: number, code = 'no code', sentence = ''): SendFailure {
  const error = new Error(sentence);
  error.name = code;
  return { shard, code: 'refused', message: awsFailure(`send shard ${shard}`, error) };
}
