/**
 * `nim-to-dynatrace run`: the pipeline of the deployed function, on a laptop. What is not given is brought along: two
 * simulated NIM servers, a receiver that behaves as Dynatrace's ingest, an embedded DynamoDB.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../adapters/clock.ts';
import type { Target } from '../core/model.ts';
import { runShard } from '../core/pipeline.ts';
import { createMemory } from '../core/point-names.ts';
import type { RunReport } from '../core/report.ts';
import { readAddress } from '../core/config/address.ts';
import { type DropReason, assert } from '../core/outcome.ts';
import { planShards } from '../core/work.ts';
import { createFileSource } from './config-source.ts';
import { type Demo, startDemo } from './demo.ts';
import { NOT_SENT } from './drop-words.ts';
import { type LocalDiscovery, openLocalDiscovery } from './local-discovery.ts';
import { type LocalPorts, openLocalPorts } from './local-ports.ts';
import { createNews, print, say, withOutput } from './output.ts';
import { jsonLines } from './run-json.ts';
import { type RunSettings, readRunOptions, runHelp } from './run-options.ts';
import { tableOf } from './run-table.ts';
import { type TargetsAt, configTargets, fixedTargets } from './run-targets.ts';

/** The least time a run has for itself, and what a single one has. */
export const MIN_DEADLINE_MS = 2_000;
export const ONCE_DEADLINE_MS = 10_000;
/** Discovery beside a tick: one DNS server that does not answer is asked twice. */
const PLAN_DEADLINE_MS = 5_000;
/** As the reference configuration of the Collector has it: 25 h. */
export const MAX_STALENESS_MS = 25 * 3_600_000;

export async function run(args: readonly string[]): Promise<number> {
  const options = readRunOptions(args);
  if (options.code === 'help') {
    process.stdout.write(`${runHelp()}\n`);
    return 0;
  }
  if (options.code === 'wrong') {
    say(options.problems.join('\n'));
    return 2;
  }
  const interrupted = new AbortController();
  const interrupt = (): void => {
    interrupted.abort();
    say('ending after this tick; Ctrl-C again stops at once');
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await withOutput(interrupted, () => runUntil(options.settings, interrupted.signal));
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

async function runUntil(settings: RunSettings, interrupted: AbortSignal): Promise<number> {
  const { targets, config, endpoint, dryRun } = settings;
  const isDemo = targets.length === 0 && config === undefined;
  const demo = await startDemo({ nims: isDemo, receiver: endpoint === undefined && !dryRun });
  try {
    const ports = await openLocalPorts(settings, demo.endpoint);
    const discovery = openLocalDiscovery();
    try {
      const targetsAt = openTargets(settings, discovery, demo);
      say(
        `sending to ${dryRun ? 'nobody (dry run)' : (endpoint ?? `${demo.endpoint} (simulated Dynatrace)`)}`,
      );
      if (endpoint !== undefined && isDemo && !dryRun)
        say(`warning: no --target: ${endpoint} is sent the numbers of two simulated NIMs`);
      return await tickUntil(settings, targetsAt, ports, demo, interrupted);
    } finally {
      await discovery.close();
      await ports.close();
    }
  } finally {
    await demo.close();
  }
}

function openTargets(
  { targets, config, intervalMs }: RunSettings,
  { discover }: LocalDiscovery,
  demo: Demo,
): TargetsAt {
  if (config !== undefined) return configTargets(createFileSource(config), discover, intervalMs, say);
  assert(intervalMs !== undefined, 'without documents the options say when to tick');
  const fixed = targets.length > 0 ? targets : demo.urls.map(demoTarget);
  say(`scraping ${fixed.map((target) => target.instance).join(', ')}`);
  return fixedTargets(fixed, intervalMs);
}

async function tickUntil(
  settings: RunSettings,
  targetsAt: TargetsAt,
  { ports, ...local }: LocalPorts,
  demo: Demo,
  interrupted: AbortSignal,
): Promise<number> {
  const memory = createMemory();
  const sayProblems = createNews(say);
  let last: { readonly tickMs: number; readonly intervalMs: number } | undefined;
  let delivered = true;
  let balanced = true;
  let sound = true;
  for (let i = 0; i < settings.count && !interrupted.aborted; i++) {
    const nowMs = systemClock.wallMs();
    const tickMs = nextTick(last, nowMs);
    await pause(Math.min(tickMs - nowMs, last?.intervalMs ?? 0), interrupted);
    if (interrupted.aborted) break;
    const planned = await targetsAt(systemClock.monotonicMs() + PLAN_DEADLINE_MS);
    const plan = planShards({
      tickMs,
      ...(last === undefined ? {} : { previousTickMs: last.tickMs }),
      tickIntervalMs: planned.intervalMs,
      targets: planned.targets,
      owing: planned.complete ? await local.owing() : [],
    });
    sayProblems(plan.problems);
    last = { tickMs, intervalMs: planned.intervalMs };
    sound = planned.sound && plan.problems.length === 0;
    for (const message of plan.messages) {
      const budgetMs = settings.once ? ONCE_DEADLINE_MS : Math.max(MIN_DEADLINE_MS, planned.intervalMs);
      const own = { maxStalenessMs: MAX_STALENESS_MS, writer: randomUUID(), selfMetrics: true };
      const deadlineMs = systemClock.monotonicMs() + budgetMs;
      const report = await runShard({ ...message, ...own, deadlineMs }, ports, memory);
      const points = local.takeDelivered();
      const books = await demo.balance(report, local.pending);
      delivered = isDelivered(report);
      balanced &&= books?.balanced ?? true;
      await print(
        settings.output === 'json'
          ? jsonLines(tickMs, points)
          : tableOf(report, points, books, settings.dryRun),
      );
      for (const line of troubles(report)) say(line);
    }
    if (plan.messages.length === 0 && settings.output === 'table') await print(nothingDue(tickMs));
    demo.afterTick(i);
  }
  if (!balanced) say('the books do not balance: this is a bug; please report it');
  return delivered && balanced && sound ? 0 : 1;
}

function nothingDue(tickMs: number): string {
  return `tick ${new Date(tickMs).toISOString()}: no job is due by its scrape_interval\n\n`;
}

/**
 * Ticks keep their distance from each other, as those of a schedule do, so that an interval is due when it is over and
 * not a millisecond later. One that was missed is left out: none lies before the end of the run before it.
 */
export function nextTick(
  last: { readonly tickMs: number; readonly intervalMs: number } | undefined,
  nowMs: number,
): number {
  if (last === undefined) return nowMs;
  const { tickMs, intervalMs } = last;
  return tickMs + Math.max(1, Math.ceil((nowMs - tickMs) / intervalMs)) * intervalMs;
}

/** The last body that mattered was accepted, and what became of it is written down. */
export function isDelivered(report: RunReport): boolean {
  const codes = report.exports.map(({ outcome }) => outcome.code);
  const accepted = codes.some((code) => code === 'accepted' || code === 'partial');
  const stuck = codes.some((code) => !['accepted', 'partial', 'too_large'].includes(code));
  const tooLarge = codes.includes('too_large') && report.pending > 0;
  return report.code === 'ended' && accepted && !stuck && !tooLarge && report.commitsFailed === 0;
}

function* troubles(report: RunReport): Iterable<string> {
  if (report.code !== 'ended')
    yield `run ${report.code}${report.message === undefined ? '' : `: ${report.message}`}`;
  for (const {
    instance,
    error,
    commitError,
    refusedLines,
    refusedExample,
    suspects,
    ...rest
  } of report.targets) {
    if (refusedLines > 0)
      yield `${instance}: cannot read ${refusedLines} lines of the page (${refusedExample}); the others were taken`;
    for (const key of suspects)
      yield `${instance}: Dynatrace refuses ${key} as malformed; it is tried again later`;
    const { points, overBudget, collision } = rest;
    if (collision !== undefined) yield `${instance}: ${collision}`;
    if (overBudget !== undefined)
      yield `${instance}: ${points} points, and points_budget is ${overBudget}; narrow it by preset, include or exclude`;
    if (error !== undefined) yield `${instance}: ${error}`;
    if (commitError !== undefined) yield `${instance}: commit ${commitError}`;
  }
  const drops = Object.entries(report.drops) as [DropReason, number][];
  const notSent = drops.flatMap(([reason, count]) =>
    reason === 'filtered' ? [] : [`${count} ${reason} (${NOT_SENT[reason]})`],
  );
  if (notSent.length > 0) yield `not sent: ${notSent.join('; ')}`;
  for (const { outcome, points } of report.exports) {
    if (outcome.code === 'accepted') continue;
    yield `export of ${points} points: ${outcome.code}: ${outcome.message}`;
    if (outcome.code === 'waiting_for_token') yield 'set DT_API_TOKEN in the environment of this command';
  }
}

function demoTarget(url: string): Target {
  const target = readAddress(url, 'nim');
  assert(typeof target !== 'string', 'a simulated NIM has a good address');
  return target;
}

async function pause(ms: number, interrupted: AbortSignal): Promise<void> {
  if (ms <= 0 || interrupted.aborted) return;
  await sleep(ms, undefined, { signal: interrupted }).catch(() => undefined);
}
