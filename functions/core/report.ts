/** What a run has to say of itself: facts, which an adapter prints and publishes. */
import { owed } from './baseline.ts';
import { type DropReason, type ExportCode, type ExportOutcome, describeOutcome } from './outcome.ts';
import { type Rejection, addRejections, readRejections } from './rejections.ts';
import { MAX_UNWRITTEN, type RunRecord, type Unwritten } from './run-record.ts';
import type { TargetRun } from './target-run.ts';
import type { ShardWork } from './work.ts';

export interface ExportReport {
  readonly outcome: ExportOutcome;
  readonly points: number;
  /** Before gzip. */
  readonly bytes: number;
  readonly durationMs: number;
}

export interface TargetReport {
  readonly key: string;
  readonly job: string;
  readonly instance: string;
  readonly up: boolean;
  /** Not scraped any more; only what it owed was sent (D4). */
  readonly vanished: boolean;
  readonly samples: number;
  /** Another process answered than before (D8): the address balances over several. */
  readonly flipped: boolean;
  readonly error?: string;
  readonly commitError?: string;
  /** Lines of the page that could not be read, and the first of them; the others were taken. */
  readonly refusedLines: number;
  readonly refusedExample?: string;
  /** Points of this run, whatever became of them; and the job's `points_budget` where they are more than it. */
  readonly points: number;
  readonly overBudget?: number;
  /** The first of what Dynatrace could not tell apart (dropped as `duplicate`), in words. */
  readonly collision?: string;
  /** Series that Dynatrace refuses as malformed, tried again with growing pauses (D12). */
  readonly suspects: readonly string[];
  /** Series with something pending after this run, and the start of the oldest window owed. */
  readonly pending: number;
  readonly pendingSinceMs?: number;
}

export interface RunReport {
  readonly tickMs: number;
  readonly shard: number;
  /** `not_newer`: a doubled message, left untouched. `failed`: the shard could not be claimed, nothing was sent. */
  readonly code: 'ended' | 'not_newer' | 'failed';
  /** Why the claim failed. */
  readonly message?: string;
  readonly targets: readonly TargetReport[];
  readonly exports: readonly ExportReport[];
  readonly pointsSent: number;
  /** Refused by Dynatrace in a partial success: lost for good. */
  readonly pointsRejected: number;
  /** The same by reason and metric. */
  readonly rejections: readonly Rejection[];
  readonly drops: Readonly<Partial<Record<DropReason, number>>>;
  readonly pending: number;
  readonly pendingSinceMs?: number;
  /** Series with a baseline, of the targets of this run. */
  readonly seriesTracked: number;
  /** Targets of which something was pending before this run and nothing is now: a gap of theirs was filled. */
  readonly caughtUp: number;
  readonly commitsFailed: number;
  readonly durationMs: number;
}

export function reportRun(
  work: ShardWork,
  end: { readonly code: RunReport['code']; readonly message?: string },
  runs: readonly TargetRun[],
  drops: ReadonlyMap<DropReason, number>,
  exports: readonly ExportReport[],
  durationMs: number,
): RunReport {
  const targets = runs.map(reportTarget);
  const since = targets.flatMap((target) => target.pendingSinceMs ?? []);
  const accepted = exports.filter(({ outcome }) => outcome.code === 'accepted' || outcome.code === 'partial');
  const pointsRejected = exports.reduce(
    (sum, { outcome }) => sum + (outcome.code === 'partial' ? outcome.rejectedPoints : 0),
    0,
  );
  return {
    tickMs: work.tickMs,
    shard: work.shard,
    code: end.code,
    ...(end.message === undefined ? {} : { message: end.message }),
    targets,
    exports,
    pointsSent: accepted.reduce((sum, { points }) => sum + points, 0) - pointsRejected,
    pointsRejected,
    rejections: rejectionsOf(exports),
    drops: Object.fromEntries([...drops].sort(([a], [b]) => (a < b ? -1 : 1))),
    pending: targets.reduce((sum, target) => sum + target.pending, 0),
    ...(since.length === 0 ? {} : { pendingSinceMs: Math.min(...since) }),
    seriesTracked: runs.reduce((sum, { baseline }) => sum + (baseline?.series.size ?? 0), 0),
    caughtUp: runs.filter((run, i) => isCaughtUp(run, targets[i]?.pending)).length,
    commitsFailed: targets.filter((target) => target.commitError !== undefined).length,
    durationMs,
  };
}

export function rejectionsOf(exports: readonly ExportReport[]): readonly Rejection[] {
  return exports.reduce<readonly Rejection[]>(
    (all, { outcome }) =>
      outcome.code === 'partial'
        ? addRejections(all, readRejections(outcome.message, outcome.rejectedPoints))
        : all,
    [],
  );
}

function isCaughtUp({ item, skipped, commitError }: TargetRun, pending: number | undefined): boolean {
  return !skipped && commitError === undefined && item?.pendingSinceMs !== undefined && pending === 0;
}

function reportTarget({
  target,
  up,
  vanished,
  samples,
  flipped,
  error,
  commitError,
  refused,
  collision,
  baseline,
  sendables,
}: TargetRun): TargetReport {
  const { series, sinceMs } = baseline === undefined ? { series: 0, sinceMs: undefined } : owed(baseline);
  const example = refused?.examples[0];
  const points = sendables.reduce((sum, sendable) => sum + sendable.points.length, 0);
  const { pointsBudget } = target.output;
  return {
    key: target.key,
    job: target.job,
    instance: target.instance,
    up,
    vanished,
    samples,
    flipped,
    ...(error === undefined ? {} : { error }),
    ...(commitError === undefined ? {} : { commitError }),
    refusedLines: refused?.count ?? 0,
    ...(example === undefined ? {} : { refusedExample: `line ${example.line}: ${example.cause}` }),
    points,
    ...(pointsBudget > 0 && points > pointsBudget ? { overBudget: pointsBudget } : {}),
    ...(collision === undefined ? {} : { collision }),
    suspects: baseline?.suspects.map(({ key }) => key) ?? [],
    pending: series,
    ...(sinceMs === undefined ? {} : { pendingSinceMs: sinceMs }),
  };
}

export function addDrops(into: Map<DropReason, number>, drops: ReadonlyMap<DropReason, number>): void {
  for (const [reason, count] of drops) if (count > 0) into.set(reason, (into.get(reason) ?? 0) + count);
}

/** The worse, the further on: what somebody must do outweighs what passes by itself. */
const SEVERITY: readonly ExportCode[] = [
  'accepted',
  'partial',
  'retry',
  'unknown',
  'too_large',
  'malformed',
  'refused',
  'waiting_for_endpoint',
  'waiting_for_token',
];

/** For the shard's item. */
export function recordRun(report: RunReport, runs: readonly TargetRun[]): RunRecord {
  const outcomes = report.exports
    .map(({ outcome }) => outcome)
    .sort((a, b) => SEVERITY.indexOf(b.code) - SEVERITY.indexOf(a.code));
  const [worst] = outcomes;
  const scraped = report.targets.filter(({ vanished }) => !vanished);
  return {
    targets: scraped.length,
    up: scraped.filter(({ up }) => up).length,
    pointsSent: report.pointsSent,
    pendingSeries: report.pending,
    ...(worst === undefined ? {} : { outcome: describeOutcome(worst) }),
    accepted: outcomes.some(({ code }) => code === 'accepted' || code === 'partial'),
    unwritten: runs.flatMap(unwrittenOf).slice(0, MAX_UNWRITTEN),
  };
}

function unwrittenOf({ target, skipped, error, commitError }: TargetRun): readonly Unwritten[] {
  const problem = commitError === undefined ? error : `commit_failed: ${commitError}`;
  return (skipped || commitError !== undefined) && problem !== undefined
    ? [{ key: target.key, problem }]
    : [];
}
