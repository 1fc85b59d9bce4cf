/**
 * `nim-to-dynatrace run`: the pipeline of the deployed function, on a laptop. What is not given is brought along: two
 * simulated NIM servers, a receiver that behaves as Dynatrace's ingest, an embedded DynamoDB.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../adapters/clock.ts';
import type { Target } from '../core/model.ts';
import { runShard } from '../core/pipeline.ts';
import { createMemory } from '../core/points.ts';
import type { RunReport } from '../core/report.ts';
import { readAddress } from '../core/settings.ts';
import { assert } from '../core/outcome.ts';
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
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await runUntil(options.settings, interrupted.signal);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

async function runUntil(settings: RunSettings, interrupted: AbortSignal): Promise<number> {
  const demo = await startDemo({
    nims: settings.targets.length === 0,
    receiver: settings.endpoint === undefined && !settings.dryRun,
  });
  const ports = await openLocalPorts(settings, demo.endpoint);
  try {
    const targets = settings.targets.length > 0 ? settings.targets : demo.urls.map(demoTarget);
    say(`scraping ${targets.map((target) => target.instance).join(', ')}`);
    say(
      `sending to ${settings.dryRun ? 'nobody (dry run)' : (settings.endpoint ?? `${demo.endpoint} (simulated Dynatrace)`)}`,
    );
    return await tickUntil(settings, targets, ports, demo, interrupted);
  } finally {
    await ports.close();
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
  let delivered = false;
  let balanced = true;
  let tickMs = 0;
  const firstMs = systemClock.monotonicMs();
  for (let i = 0; i < settings.count && !interrupted.aborted; i++) {
    tickMs = Math.max(systemClock.wallMs(), tickMs + 1);
    const budgetMs = settings.once ? ONCE_DEADLINE_MS : Math.max(MIN_DEADLINE_MS, settings.intervalMs);
    const report = await runShard(
      {
        tickMs,
        shard: 0,
        targets: targets.map((target) => ({ ...target, intervalMs: settings.intervalMs })),
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
    await print(settings.output === 'json' ? jsonLines(tickMs, points) : tableOf(report, points, books));
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

function* troubles(report: RunReport): Iterable<string> {
  if (report.code !== 'ended')
    yield `run ${report.code}${report.message === undefined ? '' : `: ${report.message}`}`;
  for (const { instance, error, commitError } of report.targets) {
    if (error !== undefined) yield `${instance}: ${error}`;
    if (commitError !== undefined) yield `${instance}: commit ${commitError}`;
  }
  for (const { outcome, points } of report.exports) {
    if (outcome.code !== 'accepted') yield `export of ${points} points: ${outcome.code}: ${outcome.message}`;
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

/** Waits for a slow reader, so that a pipe never fills the memory. */
async function print(text: string): Promise<void> {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain');
}
