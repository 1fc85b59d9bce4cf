/** Starts the command line as a user does, as a process of its own, and gathers what it says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Peak resident set; absent when a signal ended it. */
  readonly maxRssBytes?: number;
  readonly durationMs: number;
}

export interface Cli {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ended>;
}

/** The text as it was before it was broken into lines. */
export function unfolded(text: string): string {
  return text.replace(/\s+/g, ' ');
}

/** One line of `-o json`, as the options say. */
export interface JsonPoint {
  readonly tick: string;
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: string;
  readonly start: string | null;
  readonly time: string;
  readonly value?: number;
  readonly count?: number;
  readonly sum?: number;
  readonly bounds?: readonly number[];
  readonly buckets?: readonly number[];
  readonly attributes: Readonly<Record<string, string>>;
}

const PROGRAM = fileURLToPath(new URL('../../functions/cli/nim-to-dynatrace.js', import.meta.url));
/** Far beyond any run here: a test that hangs must not keep CI. */
const KILL_AFTER_MS = 60_000;
/** Halves the start-up of the many processes here. */
const COMPILE_CACHE = join(tmpdir(), 'nim-to-dynatrace-compile-cache');
/** Writes the peak memory to the fourth stream at the end; `ru_maxrss` is in KiB. */
const MEASURE =
  'data:text/javascript,import { writeSync } from "node:fs";' +
  'process.on("exit", () => writeSync(3, String(process.resourceUsage().maxRSS)));';

export function startCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): Cli {
  const startedMs = performance.now();
  const { DT_API_TOKEN: _, ...inherited } = process.env;
  const child = spawn(process.execPath, ['--import', MEASURE, PROGRAM, ...args], {
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    timeout: KILL_AFTER_MS,
    killSignal: 'SIGKILL',
  });
  const [, stdout, stderr, measured] = child.stdio as unknown as readonly [
    null,
    Readable,
    Readable,
    Readable,
  ];
  // The test may leave the pipe early, as `| head` does.
  const output = text(stdout).catch(() => '');
  const ended = Promise.all([once(child, 'close'), output, text(stderr), text(measured)]).then(
    ([[code, signal], out, err, kib]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: out,
      stderr: err,
      ...(kib === '' ? {} : { maxRssBytes: Number(kib) * 1024 }),
      durationMs: performance.now() - startedMs,
    }),
  );
  return { pid: child.pid ?? 0, stdout, stderr, kill: (signal) => void child.kill(signal), ended };
}

/** Runs it to its end. */
export function cli(...args: readonly string[]): Promise<Ended> {
  return startCli(args).ended;
}

export function pointsOf({ stdout }: Pick<Ended, 'stdout'>): readonly JsonPoint[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JsonPoint);
}

/** A test's context, or the hooks of its file. */
export interface Cleaner {
  readonly after: (hook: () => Promise<void>) => void;
}

/** A directory that is gone after the test. */
export async function temporaryDirectory(context: Cleaner): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'nim-to-dynatrace-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** `--target A --target B`. */
export function targetArgs(addresses: readonly string[]): readonly string[] {
  return addresses.flatMap((address) => ['--target', address]);
}
