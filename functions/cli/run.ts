/**
 * `nim-to-dynatrace run`: the pipeline of the deployed function, on a laptop. What is not given is brought along: two
 * simulated NIM servers, a receiver that behaves as Dynatrace's ingest, an embedded DynamoDB.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../adapters/clock.ts';
import type { Target } from '../core/model.ts';
import { runShard } from '../core/pipeline.ts';
import { createMemory } from '../core/points.ts';
import type { RunReport } from '../core/report.ts';
import { readAddress } from '../core/settings.ts';
import { type DropReason, assert } from '../core/outcome.ts';
import { planShards } from '../core/work.ts';
import { type Demo, startDemo } from './demo.ts';
import { openLocalPorts } from './local-ports.ts';
import { type RunSettings, readRunOptions, runHelp } from './run-options.ts';
import { jsonLines } from './run-json.ts';
import { tableOf } from './run-table.ts';

/** The least time a run has for itself, and what a single one has. */
export const MIN_DEADLINE_MS = 2_000;
export const ONCE_DEADLINE_MS = 10_000;
/** As the reference configuration of the Collector has it: 25 h. */
export const MAX_STALENESS_MS = 25 * 3_600_000;

export async function run(args: readonly string[]): Promise<number> {
  const options = readRunOptions(args);
  if (options.code === 'help') {
    process.stdout.write(`${runHelp()}\n`);
    return 0;
  }
  if (options.code === 'wrong') {
    process.stderr.write(`${options.problems.join('\n')}\n`);
    return 2;
  }
  const interrupted = new AbortController();
  const interrupt = (): void => {
    interrupted.abort();
    say('ending after this tick; Ctrl-C again stops at once');
  };
  let unwritable = false;
  // The reader of a pipe may leave first (`| head`): that ends the run as Ctrl-C does. A full disk is a failure.
  const leave = ({ code, message }: NodeJS.ErrnoException): void => {
    interrupted.abort();
    if (unwritable || code === 'EPIPE') return;
    unwritable = true;
    say(`cannot write to standard output: ${message}; make room where it goes`);
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  process.stdout.on('error', leave);
  try {
    const code = await runUntil(options.settings, interrupted.signal);
    return unwritable ? 1 : code;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    process.stdout.off('error', leave);
  }
}

async function runUntil(settings: RunSettings, interrupted: AbortSignal): Promise<number> {
  const demo = await startDemo({
    nims: settings.targets.length === 0,
    receiver: settings.endpoint === undefined && !settings.dryRun,
  });
  try {
    const ports = await openLocalPorts(settings, demo.endpoint);
    try {
      const targets = settings.targets.length > 0 ? settings.targets : demo.urls.map(demoTarget);
      say(`scraping ${targets.map((target) => target.instance).join(', ')}`);
      say(
        `sending to ${settings.dryRun ? 'nobody (dry run)' : (settings.endpoint ?? `${demo.endpoint} (simulated Dynatrace)`)}`,
      );
      if (settings.endpoint !== undefined && settings.targets.length === 0 && !settings.dryRun)
        say(`warning: no --target: ${settings.endpoint} is sent the numbers of two simulated NIMs`);
      return await tickUntil(settings, targets, ports, demo, interrupted);
    } finally {
      await ports.close();
    }
  } finally {
    await demo.close();
  }
}

async function tickUntil(
  settings: RunSettings,
  targets: readonly Target[],
  ports: Awaited<ReturnType<typeof openLocalPorts>>,
  demo: Demo,
  interrupted: AbortSignal,
): Promise<number> {
  const memory = createMemory();
  const scraped = targets.map((target) => ({ ...target, intervalMs: settings.intervalMs }));
  let delivered = true;
  let balanced = true;
  let tickMs = 0;
  const firstMs = systemClock.monotonicMs();
  for (let i = 0; i < settings.count && !interrupted.aborted; i++) {
    tickMs = Math.max(systemClock.wallMs(), tickMs + 1);
    const budgetMs = settings.once ? ONCE_DEADLINE_MS : Math.max(MIN_DEADLINE_MS, settings.intervalMs);
    const [message] = planShards({
      tickMs,
      previousTickMs: 0,
      tickIntervalMs: settings.intervalMs,
      targets: scraped,
      owing: await ports.owing(),
    }).messages;
    assert(message !== undefined, 'there is a target to scrape');
    const report = await runShard(
      {
        ...message,
        maxStalenessMs: MAX_STALENESS_MS,
        writer: randomUUID(),
        deadlineMs: systemClock.monotonicMs() + budgetMs,
      },
      ports.ports,
      memory,
    );
    const points = ports.takeDelivered();
    const books = await demo.balance(report, ports.pending);
    delivered = isDelivered(report);
    balanced &&= books?.balanced ?? true;
    await print(
      settings.output === 'json'
        ? jsonLines(tickMs, points)
        : tableOf(report, points, books, settings.dryRun),
    );
    for (const line of troubles(report)) say(line);
    demo.afterTick(i);
    const nextMs = firstMs + (i + 1) * settings.intervalMs;
    if (i + 1 < settings.count) await pause(nextMs - systemClock.monotonicMs(), interrupted);
  }
  if (!balanced) say('the books do not balance: this is a bug; please report it');
  return delivered && balanced ? 0 : 1;
}

/** The last body that mattered was accepted, and what became of it is written down. */
export function isDelivered(report: RunReport): boolean {
  const codes = report.exports.map(({ outcome }) => outcome.code);
  const accepted = codes.some((code) => code === 'accepted' || code === 'partial');
  const stuck = codes.some((code) => !['accepted', 'partial', 'too_large'].includes(code));
  const tooLarge = codes.includes('too_large') && report.pending > 0;
  return report.code === 'ended' && accepted && !stuck && !tooLarge && report.commitsFailed === 0;
}

/** What of a page was not sent, for a reason that a person may want to know: not by choice. */
const NOT_SENT: Readonly<Record<Exclude<DropReason, 'filtered'>, string>> = {
  initial: 'first sight: a baseline, and what is counted from now on is sent',
  bucket_mismatch: 'other bounds than before: a new baseline',
  replica_flip: 'another process answered: scrape each replica by its own address',
  nan: 'NaN or infinite',
  negative: 'a counter below zero',
  invalid_histogram: 'not whole in itself',
  duplicate: 'twice on the page: the first one counts',
  unsendable: 'a name or labels that Dynatrace does not take',
  given_up: 'owed by a target that vanished too long ago',
  suspect: 'refused by Dynatrace as malformed, until the next try',
  gauge_not_delivered: 'a reading of a moment is not sent later',
};

function* troubles(report: RunReport): Iterable<string> {
  if (report.code !== 'ended')
    yield `run ${report.code}${report.message === undefined ? '' : `: ${report.message}`}`;
  for (const { instance, error, commitError, refusedLines, refusedExample, suspects } of report.targets) {
    if (refusedLines > 0)
      yield `${instance}: cannot read ${refusedLines} lines of the page (${refusedExample}); the others were taken`;
    for (const key of suspects)
      yield `${instance}: Dynatrace refuses ${key} as malformed; it is tried again later`;
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

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Waits for a slow reader, so that a pipe never fills the memory. One that left is noticed by the `error` event. */
async function print(text: string): Promise<void> {
  if (text === '') return;
  await new Promise<void>((resolve) => void process.stdout.write(text, () => resolve()));
}
