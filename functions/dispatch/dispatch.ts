/** One tick: target documents -> targets, and those that vanished and still owe -> one message per shard. */
import type { Log } from '../adapters/log.ts';
import type { Owing } from '../adapters/owing-dynamodb.ts';
import type { Parameters } from '../adapters/parameters-ssm.ts';
import type { Queue } from '../adapters/queue-sqs.ts';
import type { SelfMetrics } from '../adapters/self-metrics.ts';
import { readDocuments } from '../core/settings.ts';
import { deduplicationId, planShards } from '../core/work.ts';

export interface DispatchDeps {
  readonly parameters: Parameters;
  readonly owing: Owing;
  readonly queue: Queue;
  readonly log: Log;
  readonly metrics: SelfMetrics;
}

/** What the schedule sends: the moment it meant, the same for a doubled delivery. */
export interface ScheduleEvent {
  readonly scheduledTime: string;
}

/** `deadlineMs` is on the monotonic clock. Never throws for what the world did: the next tick carries everything. */
export async function dispatch(event: ScheduleEvent, deps: DispatchDeps, deadlineMs: number): Promise<void> {
  const { parameters, owing, queue, log, metrics } = deps;
  const tickMs = Math.floor(Date.parse(event.scheduledTime) / 1000) * 1000;
  if (!Number.isFinite(tickMs)) {
    const problem = `cannot read the tick: scheduledTime is ${JSON.stringify(event.scheduledTime)}; restore the schedule's input`;
    return log.error('message_invalid', { problem });
  }
  const read = await parameters.targetDocuments(deadlineMs);
  if (read.code === 'failed') return log.error('documents_unread', { tickMs, problem: read.message });

  const { targets, problems } = readDocuments(read.documents);
  for (const { document, message } of problems) log.warn('document_invalid', { document, problem: message });
  // Only after a complete read of the documents may a target count as vanished.
  const owed = await owing.keys(deadlineMs);
  if (owed.code === 'failed') log.warn('owing_unread', { tickMs, problem: owed.message });
  const plan = planShards(targets, owed.code === 'read' ? owed.keys : [], tickMs);
  for (const problem of plan.problems) log.error('targets_over_limit', { problem });

  const unsent = await queue.send(
    plan.messages.map((message) => ({
      shard: message.shard,
      body: JSON.stringify(message),
      deduplicationId: deduplicationId(message),
    })),
    deadlineMs,
  );
  for (const { shard, code, message } of unsent)
    log.error('messages_unsent', { shard, code, problem: message });
  const invalid = new Set(problems.map(({ document }) => document)).size;
  log.info('dispatch_finished', {
    tickMs,
    documents: read.documents.length,
    invalid,
    targets: targets.length,
    drains: plan.messages.reduce((sum, message) => sum + message.drains.length, 0),
  });
  metrics.publish([{ name: 'documents.invalid', unit: 'Count', value: invalid }]);
}
