/**
 * The story of one run of one shard, top to bottom: claim the tick, load what is known, scrape, take in the pages,
 * send what is pending, commit what was accepted. Baselines move only after Dynatrace's answer, so a run that fails
 * anywhere costs time and never an increment. This very file runs in Lambda, on a laptop and in the tests; the
 * outside world is `Ports`.
 */
import { type Baseline, duePending, giveUp } from './baseline.ts';
import { cautionAtStart } from './caution.ts';
import type { DropReason } from './outcome.ts';
import { ofItsPod } from './pod-page.ts';
import { type Memory, trimMemory } from './point-names.ts';
import { buildPoints } from './points.ts';
import type { Ports } from './ports.ts';
import { type RunReport, addDrops, recordRun, reportRun } from './report.ts';
import { reportGauges } from './scrape-report.ts';
import { nextSelfFacts, selfPoints } from './self-metrics.ts';
import { sendAll } from './sending.ts';
import { takeIn } from './take-in.ts';
import { type TargetRun, beginDrain, beginRun, itemOf, settledBaseline } from './target-run.ts';
import type { ShardWork } from './work.ts';

/** Scrapes under way at once: 30 targets that hang leave room for the others to pass within seconds. */
export const MAX_CONCURRENT_SCRAPES = 48;
/** Commits under way at once: what one client's sockets carry without queueing. */
export const MAX_CONCURRENT_COMMITS = 25;
/** Targets named in the shard's item as uncommitted: a full shard, and keys of 2 KB still fit the item. */
export const MAX_UNCOMMITTED = 150;
/** Parts of a run's time by whose end each stage stops, so that what follows has its time too. */
export const SCRAPE_SHARE = 0.5;
export const WRITE_FIRST_SHARE = 0.6;
export const EXPORT_SHARE = 0.8;
export const COMMIT_SHARE = 0.95;

type Drops = Map<DropReason, number>;

export async function runShard(work: ShardWork, ports: Ports, memory: Memory): Promise<RunReport> {
  const { clock, state } = ports;
  const startedMs = clock.monotonicMs();
  const until = (share: number): number => startedMs + Math.floor((work.deadlineMs - startedMs) * share);
  const drops: Drops = new Map();
  trimMemory(memory);

  const claim = await state.claim(work.shard, work.tickMs, work.writer, until(SCRAPE_SHARE));
  if (claim.code !== 'claimed') return reportRun(work, claim, [], drops, [], clock.monotonicMs() - startedMs);

  const keys = [...work.targets.map((target) => target.key), ...work.drains];
  const items = await state.load(keys, until(SCRAPE_SHARE));
  const runs = [
    ...work.targets.map((target) => beginRun(target, items.get(target.key), work.tickMs, memory)),
    ...work.drains.flatMap((key) => beginDrain(items.get(key), work.tickMs, memory) ?? []),
  ];

  await concurrently(runs, MAX_CONCURRENT_SCRAPES, async (run) => {
    if (run.vanished) drainTarget(run, work, memory, drops);
    else if (!run.skipped) await scrapeTarget(run, work, ports, memory, until(SCRAPE_SHARE), drops);
  });
  const unsure = claim.unended === 0 ? claim.uncommitted : [...new Set([...claim.uncommitted, ...keys])];
  await writeUncommitted(runs, unsure, work, ports, until(WRITE_FIRST_SHARE));
  const caution = cautionAtStart(claim.caution, claim.unended);
  // A run that died may have sent what the one before it left.
  const facts = claim.unended === 0 ? claim.self : undefined;
  const self = work.selfMetrics === true ? selfPoints(facts, work.shard, work.tickMs, memory) : undefined;
  const owners = self === undefined ? runs : [...runs, self.run];
  const sent = await sendAll(owners, caution, ports, until(EXPORT_SHARE), drops);
  const failed = await commitAll(runs, work, ports, until(COMMIT_SHARE));

  const uncommitted = [...failed, ...leftOver(unsure, runs)].slice(0, MAX_UNCOMMITTED);
  const durationMs = clock.monotonicMs() - startedMs;
  const report = reportRun(work, { code: 'ended' }, runs, drops, sent.reports, durationMs);
  const legacy = {
    uncommitted,
    caution: sent.caution,
    run: recordRun(report, runs),
    ...(self === undefined ? {} : { self: nextSelfFacts(self, report) }),
  };
  await state.end(work.shard, work.tickMs, work.writer, legacy, work.deadlineMs);
  return report;
}

/** Scrape, parse, delta, points: all of one target at once, so that no page is kept longer than it takes to read. */
async function scrapeTarget(
  run: TargetRun,
  work: ShardWork,
  { clock, scrape, state }: Ports,
  memory: Memory,
  deadlineMs: number,
  drops: Drops,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  const result = await scrape(run.target, deadlineMs);
  const durationMs = clock.monotonicMs() - startedMs;
  run.scrapeDurationMs = durationMs;
  const nowMs = clock.wallMs();

  const taken =
    result.code === 'page'
      ? ofItsPod(
          takeIn(run, result, result.dateMs ?? nowMs, work, state.fits, memory),
          run.target,
          result,
          nowMs,
        )
      : result;
  const page = taken.code === 'taken' ? taken : undefined;
  if (page !== undefined) {
    run.up = true;
    run.samples = page.raw.values.length;
    run.refused = page.raw.refused;
    run.flipped = page.flipped;
    run.baseline = page.baseline;
    addDrops(drops, page.families.drops);
    addDrops(drops, page.drops);
  } else if (taken.code !== 'taken') {
    run.error = `${taken.code}: ${taken.message}`;
  }

  const report = reportGauges({
    up: run.up,
    durationMs,
    samples: run.samples,
    samplesPostRelabeling: page?.samplesPostRelabeling ?? 0,
    seriesAdded: page?.seriesAdded ?? 0,
  });
  const due = page?.due ?? pendingOf(run.baseline);
  const points = buildPoints(run.target, due, page?.families, report, work.tickMs, memory);
  run.sendables = points.sendables;
  run.collision = points.collision;
  for (const series of points.dropped) run.settled.add(series);
  addDrops(drops, points.drops);
}

/** D4: what a vanished target owes is sent for `max_staleness` after its last sight, then given up, never silently. */
function drainTarget(
  run: TargetRun,
  { tickMs, maxStalenessMs }: ShardWork,
  memory: Memory,
  drops: Drops,
): void {
  const { baseline } = run;
  if (baseline === undefined) return;
  if (maxStalenessMs > 0 && tickMs - baseline.tickMs > maxStalenessMs) {
    const given = giveUp(baseline);
    run.baseline = given.baseline;
    addDrops(drops, new Map([['given_up', given.series]]));
    return;
  }
  const points = buildPoints(run.target, duePending(baseline), undefined, [], tickMs, memory);
  run.sendables = points.sendables;
  run.collision = points.collision;
  for (const series of points.dropped) run.settled.add(series);
  addDrops(drops, points.drops);
}

function pendingOf(baseline: Baseline | undefined) {
  return baseline === undefined ? [] : duePending(baseline);
}

/**
 * D2: what Dynatrace accepted while its commit failed, or before a run died, goes out once more, but only once: before
 * the deltas of such a target leave again, its item is written, everything in it pending.
 */
async function writeUncommitted(
  runs: readonly TargetRun[],
  uncommitted: readonly string[],
  work: ShardWork,
  { clock, state }: Ports,
  deadlineMs: number,
): Promise<void> {
  const keys = new Set(uncommitted);
  const concerned = runs.filter((run) => keys.has(run.target.key) && !run.skipped);
  await concurrently(concerned, MAX_CONCURRENT_COMMITS, async (run) => {
    // A writer of its own: a version that is written twice must not look like one write.
    const first = { ...work, writer: `${work.writer}-first` };
    const written = await state.commit(itemOf(run, run.baseline, first, clock.wallMs()), deadlineMs);
    if (written.code === 'committed') run.version++;
    else run.held = true;
  });
}

/** Uncommitted targets that this run did not come to: they stay so. */
function leftOver(unsure: readonly string[], runs: readonly TargetRun[]): readonly string[] {
  const met = new Set(runs.filter((run) => !run.skipped).map((run) => run.target.key));
  return unsure.filter((key) => !met.has(key));
}

/** One conditional write per target. Answers with the targets whose write failed: they owe what they owed before. */
async function commitAll(
  runs: readonly TargetRun[],
  work: ShardWork,
  { clock, state }: Ports,
  deadlineMs: number,
): Promise<readonly string[]> {
  const uncommitted: string[] = [];
  await concurrently(runs, MAX_CONCURRENT_COMMITS, async (run) => {
    if (run.skipped) return;
    const next = settledBaseline(run, work.tickMs);
    const written = await state.commit(itemOf(run, next, work, clock.wallMs()), deadlineMs);
    if (written.code === 'committed') {
      run.baseline = next;
      return;
    }
    uncommitted.push(run.target.key);
    run.commitError =
      written.code === 'conflict' ? 'conflict: another run wrote this item' : `failed: ${written.message}`;
  });
  return uncommitted.sort();
}

/** Runs `work` on every item, at most `limit` at once, in order. */
async function concurrently<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
}
