/** One queue message: which of its work is still worth doing, until when, and what is said of it. */
import type { Log } from '../adapters/log.ts';
import type { SelfMetrics } from '../adapters/self-metrics.ts';
import { FLIP_MESSAGE } from '../core/flips.ts';
import type { ExportOutcome } from '../core/outcome.ts';
import { runShard } from '../core/pipeline.ts';
import type { Memory } from '../core/point-names.ts';
import type { Ports } from '../core/ports.ts';
import type { RunReport } from '../core/report.ts';
import { countByReason } from '../core/rejections.ts';
import { MAX_MESSAGE_AGE_MS, readMessage } from '../core/work.ts';

import type { ToldOnce } from '../core/told-once.ts';

export interface WorkDeps {
  readonly ports: Ports;
  readonly memory: Memory;
  readonly log: Log;
  readonly metrics: SelfMetrics;
  readonly toldOnce: ToldOnce;
  /** Whether what a run counts of itself is sent to Dynatrace as well. */
  readonly selfMetrics: boolean;
  /** 0: never stale. */
  readonly maxStalenessMs: number;
}

/** What the handler knows of a message beside its body. */
export interface Delivery {
  readonly body: string;
  /** Unique to this invocation. */
  readonly writer: string;
  /** When the queue first handed the message out: after the visibility timeout another worker may have it. */
  readonly firstReceivedMs: number;
  readonly remainingMs: number;
}

/** The queue's visibility timeout: nothing is posted after it, for another worker may be at the same shard. */
export const VISIBILITY_TIMEOUT_MS = 90_000;
/** Left at a run's end, so that it never dies at the timeout with an answer under way. */
export const MARGIN_MS = 5_000;

/** Characters of what Dynatrace says: a line stays readable. */
const MAX_EXPLANATION = 300;
/** Of one target: a line stays readable. */
const MAX_NAMED_SUSPECTS = 5;

/** Never throws for what the world did: a message is done with one way or the other, the next tick carries on. */
export async function workOff(delivery: Delivery, deps: WorkDeps): Promise<void> {
  const { ports, memory, log, metrics, toldOnce, selfMetrics, maxStalenessMs } = deps;
  const read = readMessage(parse(delivery.body));
  if (read.code === 'malformed') return log.error('message_invalid', { problem: read.message });

  const { tickMs, shard, targets, drains } = read.message;
  const nowMs = ports.clock.wallMs();
  if (nowMs - tickMs > MAX_MESSAGE_AGE_MS)
    return log.warn('run_skipped', { tickMs, shard, reason: 'too_old' });
  const budgetMs =
    Math.min(delivery.remainingMs, delivery.firstReceivedMs + VISIBILITY_TIMEOUT_MS - nowMs) - MARGIN_MS;
  if (budgetMs <= 0) return log.warn('run_skipped', { tickMs, shard, reason: 'no_time_left' });

  const deadlineMs = ports.clock.monotonicMs() + budgetMs;
  const work = {
    tickMs,
    shard,
    targets,
    drains,
    maxStalenessMs,
    writer: delivery.writer,
    deadlineMs,
    selfMetrics,
  };
  const report = await runShard(work, ports, memory);
  tell(report, log, toldOnce);
  publish(report, metrics, nowMs);
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** One line per run, one per target that failed, one per kind of answer that was no acceptance. */
function tell(report: RunReport, log: Log, toldOnce: ToldOnce): void {
  const { tickMs, shard } = report;
  if (report.code === 'not_newer') return log.warn('run_skipped', { tickMs, shard, reason: 'not_newer' });
  if (report.code === 'failed') return log.error('claim_failed', { tickMs, shard, problem: report.message });
  for (const target of report.targets) {
    const { job, instance, flipped, error, commitError, refusedLines, refusedExample, suspects } = target;
    const { points, overBudget, collision } = target;
    if (flipped) log.error('replica_flip', { tickMs, job, instance, problem: FLIP_MESSAGE });
    if (refusedLines > 0)
      log.warn('lines_refused', { tickMs, job, instance, count: refusedLines, problem: refusedExample });
    if (collision !== undefined && toldOnce(`collision ${job} ${instance} ${collision}`))
      log.warn('series_collided', { tickMs, job, instance, problem: collision });
    if (suspects.length > 0) {
      const series = suspects.slice(0, MAX_NAMED_SUSPECTS);
      log.error('series_suspected', { tickMs, job, instance, count: suspects.length, series });
    }
    if (overBudget !== undefined)
      log.warn('points_over_budget', { tickMs, job, instance, points, budget: overBudget });
    if (error !== undefined) log.warn('target_failed', { tickMs, job, instance, problem: error });
    if (commitError !== undefined)
      log.error('commit_failed', { tickMs, job, instance, problem: commitError });
  }
  tellExports(report, log, toldOnce);
  const givenUp = report.drops.given_up ?? 0;
  if (givenUp > 0) log.error('pending_given_up', { tickMs, series: givenUp });
  const scraped = report.targets.filter((target) => !target.vanished);
  log.info('run_finished', {
    tickMs,
    shard,
    targets: scraped.length,
    up: scraped.filter((target) => target.up).length,
    drained: report.targets.length - scraped.length,
    pointsSent: report.pointsSent,
    pointsRejected: report.pointsRejected,
    rejections: countByReason(report.rejections),
    drops: { ...report.drops },
    pendingSeries: report.pending,
    pendingSinceMs: report.pendingSinceMs,
    caughtUp: report.caughtUp,
    commitsFailed: report.commitsFailed,
    durationMs: report.durationMs,
  });
}

/** A storm of equal answers is one line a run, with how many bodies and points it met; a rejection is told once. */
function tellExports({ exports, rejections }: RunReport, log: Log, toldOnce: ToldOnce): void {
  const failures = new Map<string, { bodies: number; points: number; outcome: FailedExport }>();
  let explanation: string | undefined;
  for (const { outcome, points } of exports) {
    if (outcome.code === 'partial') {
      explanation ??= outcome.message;
      continue;
    }
    if (outcome.code === 'accepted') {
      const { warning } = outcome;
      if (warning !== undefined && toldOnce(`warning ${warning}`))
        log.warn('export_warning', { problem: warning });
      continue;
    }
    const kind = outcome.code === 'refused' ? `refused ${outcome.status}` : outcome.code;
    const failure = failures.get(kind) ?? { bodies: 0, points: 0, outcome };
    failures.set(kind, failure);
    failure.bodies++;
    failure.points += points;
  }
  for (const { bodies, points, outcome } of failures.values()) {
    const { code, message: problem } = outcome;
    if (code === 'waiting_for_token' || code === 'waiting_for_endpoint') log.warn(code, { problem });
    else log.error('export_failed', { code, bodies, points, problem });
  }
  for (const { reason, metric, points } of rejections) {
    if (toldOnce(`rejection ${reason} ${metric}`))
      log.warn('export_partial', { reason, metric, points, problem: explanation?.slice(0, MAX_EXPLANATION) });
  }
}

type FailedExport = Exclude<ExportOutcome, { code: 'accepted' | 'partial' }>;

/** Once per shard, never per target: CloudWatch bills each name. What else a run has to say is in its log line. */
function publish(report: RunReport, metrics: SelfMetrics, nowMs: number): void {
  if (report.code !== 'ended') return;
  const unknown = report.exports.filter(({ outcome }) => outcome.code === 'unknown').length;
  metrics.publish([
    { name: 'points.sent', unit: 'Count', value: report.pointsSent },
    { name: 'points.dropped', unit: 'Count', value: droppedOf(report) },
    { name: 'points.rejected', unit: 'Count', value: report.pointsRejected },
    { name: 'exports.unknown', unit: 'Count', value: unknown },
    { name: 'pending.given_up', unit: 'Count', value: report.drops.given_up ?? 0 },
    { name: 'pending.points', unit: 'Count', value: report.pending },
    { name: 'pending.age', unit: 'Seconds', value: ageSeconds(report.pendingSinceMs, nowMs) },
    {
      name: 'export.duration',
      unit: 'Milliseconds',
      value: report.exports.reduce((sum, { durationMs }) => sum + durationMs, 0),
    },
    { name: 'export.size', unit: 'Bytes', value: report.exports.reduce((sum, { bytes }) => sum + bytes, 0) },
    { name: 'series.tracked', unit: 'Count', value: report.seriesTracked },
    { name: 'catch_up', unit: 'Count', value: report.caughtUp },
    {
      name: 'targets.flipped',
      unit: 'Count',
      value: report.targets.filter((target) => target.flipped).length,
    },
    {
      name: 'targets.down',
      unit: 'Count',
      value: report.targets.filter((target) => !target.up && !target.vanished).length,
    },
  ]);
}

/** But by choice. */
function droppedOf({ drops }: RunReport): number {
  return Object.entries(drops).reduce(
    (sum, [reason, count]) => (reason === 'filtered' ? sum : sum + count),
    0,
  );
}

function ageSeconds(sinceMs: number | undefined, nowMs: number): number {
  return sinceMs === undefined ? 0 : Math.max(0, Math.round((nowMs - sinceMs) / 1000));
}
