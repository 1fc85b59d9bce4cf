/**
 * One tick: target documents -> scrape_configs -> targets, and those that vanished and still owe -> one message per
 * shard.
 */
import type { Log } from '../adapters/log.ts';
import type { Owing } from '../adapters/owing-dynamodb.ts';
import type { Parameters } from '../adapters/parameters-ssm.ts';
import type { Queue } from '../adapters/queue-sqs.ts';
import type { SelfMetrics } from '../adapters/self-metrics.ts';
import type { RecordTick } from '../adapters/tick-record-dynamodb.ts';
import type { DocumentsInForce, StoredDocument } from '../core/config/documents-in-force.ts';
import type { Clock } from '../core/ports.ts';
import { type PlanningPorts, checkStaleness, planTargets } from '../core/planning.ts';
import type { InvalidDocument, TickRecord } from '../core/tick-record.ts';
import { deduplicationId, planShards, writeMessage } from '../core/work.ts';

export interface DispatchDeps {
  readonly clock: Clock;
  readonly parameters: Pick<Parameters, 'targetDocuments'>;
  readonly planning: PlanningPorts;
  readonly owing: Owing;
  readonly queue: Queue;
  /** For `status`. */
  readonly record: RecordTick;
  readonly log: Log;
  readonly metrics: SelfMetrics;
  /** 0: never stale. */
  readonly maxStalenessMs: number;
  /** Where remedies put secrets. */
  readonly prefix: string;
  /** What a warm function remembers: when the schedule fired before. */
  readonly memory: { previousTickMs?: number };
}

/** What the schedule sends: the moment it meant, the same for a doubled delivery. */
export interface ScheduleEvent {
  readonly scheduledTime: string;
}

/** The schedule's default; a cold start cannot know when it fired before. */
const DEFAULT_TICK_MS = 60_000;

/** Of what is left each stage has this part, so that whoever hangs leaves the queue its time. */
const STAGE_SHARE = 0.5;

/** `deadlineMs` is on the monotonic clock. Never throws for what the world did: the next tick carries everything. */
export async function dispatch(event: ScheduleEvent, deps: DispatchDeps, deadlineMs: number): Promise<void> {
  const { clock, parameters, planning, prefix, owing, queue, log, metrics } = deps;
  const tickMs = Math.floor(Date.parse(event.scheduledTime) / 1000) * 1000;
  if (!Number.isFinite(tickMs)) {
    const problem = `cannot read the tick: scheduledTime is ${JSON.stringify(event.scheduledTime)}; restore the schedule's input`;
    return log.error('message_invalid', { problem });
  }
  const partOf = (share: number): number => {
    const nowMs = clock.monotonicMs();
    return nowMs + Math.floor(Math.max(0, deadlineMs - nowMs) * share);
  };
  const read = await parameters.targetDocuments(partOf(STAGE_SHARE));
  if (read.code === 'failed') {
    log.error('documents_unread', { tickMs, problem: read.message });
    return record({ code: 'documents_unread', tickMs, prefix, message: read.message }, deps, deadlineMs);
  }

  // Histories are of broken documents: they must not take the time of discoveries, which are of the others.
  const historiesUntilMs = partOf(STAGE_SHARE ** 2);
  const ports = {
    ...planning,
    histories: (documents: readonly StoredDocument[]) => planning.histories(documents, historiesUntilMs),
  };
  const planned = await planTargets(read.documents, ports, { prefix }, partOf(STAGE_SHARE));
  const { documents, targets, complete } = planned;
  tell(documents, log);
  for (const problem of planned.problems) log.warn('targets_unread', { tickMs, problem });
  const stale = checkStaleness(targets, deps.maxStalenessMs);
  if (stale !== undefined)
    log[stale.level === 'error' ? 'error' : 'warn']('staleness_too_short', {
      tickMs,
      problem: stale.message,
    });

  // Only after a complete read of documents and discoveries may a target count as vanished.
  const owed = complete ? await owing.keys(partOf(STAGE_SHARE)) : { code: 'read' as const, keys: [] };
  if (owed.code === 'failed') log.warn('owing_unread', { tickMs, problem: owed.message });
  const plan = planShards({
    tickMs,
    previousTickMs: previousTick(deps.memory, tickMs),
    tickIntervalMs: DEFAULT_TICK_MS,
    targets,
    owing: owed.code === 'read' ? owed.keys : [],
  });
  for (const problem of plan.problems) log.error('targets_over_limit', { problem });

  const unsent = await queue.send(
    plan.messages.map((message) => ({
      shard: message.shard,
      body: writeMessage(message),
      deduplicationId: deduplicationId(message),
    })),
    partOf(STAGE_SHARE),
  );
  for (const { shard, code, message } of unsent)
    log.error('messages_unsent', { shard, code, problem: message });
  const invalid = new Set(documents.problems.map(({ document }) => document)).size;
  const due = plan.messages.reduce((sum, message) => sum + message.targets.length, 0);
  log.info('dispatch_finished', {
    tickMs,
    documents: read.documents.length,
    invalid,
    targets: targets.length,
    due,
    drains: plan.messages.reduce((sum, message) => sum + message.drains.length, 0),
  });
  metrics.publish([
    { name: 'documents.invalid', unit: 'Count', value: invalid },
    { name: 'targets.due', unit: 'Count', value: due },
    // Adds nothing to what the workers sent: where no worker has anything to do there is still a series, which an
    // alarm can tell from a schedule that is dead.
    { name: 'points.sent', unit: 'Count', value: 0 },
  ]);
  const planProblems = [
    ...planned.problems.map((problem) => `targets_unread: ${problem}`),
    ...(stale?.level === 'error' ? [`staleness_too_short: ${stale.message}`] : []),
    ...plan.problems.map((problem) => `targets_over_limit: ${problem}`),
    ...unsent.map(({ message }) => `messages_unsent: ${message}`),
  ];
  const left: TickRecord = {
    code: 'planned',
    tickMs,
    prefix,
    documents: read.documents.length,
    invalid: invalidDocuments(documents),
    problems: planProblems,
    keys: targets.map(({ key }) => key),
    complete,
    sent: plan.messages.length > unsent.length,
  };
  await record(left, deps, deadlineMs);
}

async function record(left: TickRecord, { record, log }: DispatchDeps, deadlineMs: number): Promise<void> {
  const problem = await record(left, deadlineMs);
  if (problem !== undefined) log.warn('tick_unrecorded', { tickMs: left.tickMs, problem });
}

function invalidDocuments({ problems, states }: DocumentsInForce): readonly InvalidDocument[] {
  const inForce = new Map(states.map((state) => [state.name, state.versionInForce]));
  return problems.map(({ document, line, column, message }) => {
    const versionInForce = inForce.get(document);
    return {
      document,
      message,
      ...(line === undefined ? {} : { line }),
      ...(column === undefined ? {} : { column }),
      ...(versionInForce === undefined ? {} : { versionInForce }),
    };
  });
}

function tell({ problems, states }: DocumentsInForce, log: Log): void {
  const stateOf = new Map(states.map((state) => [state.name, state]));
  for (const { document, line, column, message } of problems) {
    const { version, versionInForce } = stateOf.get(document) ?? {};
    log.warn('document_invalid', { document, version, versionInForce, line, column, problem: message });
  }
}

/** The tick before this one; a doubled delivery of the same tick does not make it its own predecessor. */
function previousTick(memory: DispatchDeps['memory'], tickMs: number): number {
  const before = memory.previousTickMs;
  if (before === undefined || before < tickMs) memory.previousTickMs = tickMs;
  return before !== undefined && before < tickMs ? before : tickMs - DEFAULT_TICK_MS;
}
