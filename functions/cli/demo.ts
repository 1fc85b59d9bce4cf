/**
 * What a run without arguments brings along: two simulated NIM servers that restart now and then, a receiver that
 * behaves as Dynatrace's ingest, and the books of every counter: what truly happened, what a committed scrape saw,
 * what was delivered, what is pending. Seen = delivered + pending, always; true - seen is what nobody could see.
 */
import { systemClock } from '../adapters/clock.ts';
import { START_JITTER_MS } from '../core/delta.ts';
import { isSentByDefault } from '../core/filter.ts';
import type { RunReport } from '../core/report.ts';
import { type SeriesState, increase } from '../core/series-state.ts';
import { type Receiver, startReceiver } from './world/receiver.ts';
import { type SimulatedNim, startSimulatedNim } from './world/simulated-nim.ts';

/** One counter, or one histogram's count, sum or bucket, over both servers. */
export interface BookRow {
  readonly name: string;
  readonly truth: number;
  readonly seen: number;
  readonly delivered: number;
  readonly pending: number;
}

export interface Books {
  readonly rows: readonly BookRow[];
  /** seen = delivered + pending in each row, and the receiver had nothing to object to. */
  readonly balanced: boolean;
  readonly restarts: number;
  readonly violations: readonly string[];
}

export interface Demo {
  readonly urls: readonly string[];
  readonly endpoint: string | undefined;
  /** The books after a run; undefined when one side of them is not ours to know. */
  readonly balance: (
    report: RunReport,
    pending: (keys: readonly string[]) => Promise<ReadonlyMap<string, readonly SeriesState[]>>,
  ) => Promise<Books | undefined>;
  /** Lets the world go on: a NIM restarts now and then. */
  readonly afterTick: (index: number) => void;
  readonly close: () => Promise<void>;
}

const MODEL = 'meta/llama-3.1-8b-instruct';
/** Traffic before the first scrape, so that the first tick has something to show. */
const HEAD_START_MS = 30_000;
/** A restart each so many ticks, by turns. */
const TICKS_PER_RESTART = 4;
/** A start that moves by less is taken for jitter of the same process (D7), and no model loads so fast. */
const MIN_LIFE_MS = 2 * START_JITTER_MS;
/** Traffic between the last scrape of a process and its end: nobody can see it. */
const UNSEEN_MS = 1_000;
/** Sums of seconds are added up in other orders on both sides. */
const RELATIVE_TOLERANCE = 1e-9;

export async function startDemo(wanted: {
  readonly nims: boolean;
  readonly receiver: boolean;
}): Promise<Demo> {
  const nims = wanted.nims
    ? await Promise.all(
        [1, 2].map((seed) => startSimulatedNim({ model: MODEL, seed, ageMs: HEAD_START_MS, live: true })),
      )
    : [];
  const startedMs = new Map(nims.map((nim) => [nim, systemClock.monotonicMs() - HEAD_START_MS]));
  const receiver = wanted.receiver ? await startReceiver() : undefined;
  const delivered = new Map<string, number>();
  receiver?.onPoints((points) => points.forEach((point) => addDelivered(delivered, point)));
  const seen = nims.map(() => new Map<string, number>() as ReadonlyMap<string, number>);
  return {
    urls: nims.map((nim) => nim.url),
    endpoint: receiver?.endpoint,
    balance: async (report, pending) => {
      if (nims.length === 0 || receiver === undefined) return undefined;
      for (const [i, nim] of nims.entries()) {
        const target = report.targets.find(({ instance }) => nim.url.endsWith(instance));
        if (target?.up === true && target.commitError === undefined) seen[i] = nim.served();
      }
      const owed = await pending(report.targets.map(({ key }) => key));
      return booksOf(nims, seen, delivered, [...owed.values()].flat(), receiver);
    },
    afterTick: (index) => {
      const nim = nims[Math.floor(index / TICKS_PER_RESTART) % nims.length];
      if (nim === undefined || index % TICKS_PER_RESTART !== TICKS_PER_RESTART - 2) return;
      const nowMs = systemClock.monotonicMs();
      if (nowMs - (startedMs.get(nim) ?? nowMs) < MIN_LIFE_MS) return;
      startedMs.set(nim, nowMs);
      nim.advance(UNSEEN_MS);
      nim.restart();
    },
    close: async () => {
      await Promise.all([...nims.map((nim) => nim.close()), receiver?.close()]);
    },
  };
}

function booksOf(
  nims: readonly SimulatedNim[],
  seen: readonly ReadonlyMap<string, number>[],
  delivered: ReadonlyMap<string, number>,
  owed: readonly SeriesState[],
  receiver: Receiver,
): Books {
  const truth = addUp(nims.map((nim) => nim.truth()));
  const allSeen = addUp(seen);
  const pending = new Map<string, number>();
  for (const state of owed) addPending(pending, state);
  const sent = [...truth].filter(([name]) => isSentByDefault(name));
  const rows = sent.map(([name, value]) => ({
    name,
    truth: value,
    seen: allSeen.get(name) ?? 0,
    delivered: delivered.get(name) ?? 0,
    pending: pending.get(name) ?? 0,
  }));
  const balanced = rows.every((row) => near(row.seen, row.delivered + row.pending));
  return {
    rows,
    balanced: balanced && receiver.violations.length === 0,
    restarts: nims.reduce((sum, nim) => sum + nim.restarts(), 0),
    violations: receiver.violations,
  };
}

function near(a: number, b: number): boolean {
  return Math.abs(a - b) <= RELATIVE_TOLERANCE * Math.max(1, Math.abs(a));
}

function addUp(maps: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const map of maps) for (const [name, value] of map) add(sums, name, value);
  return sums;
}

function add(sums: Map<string, number>, name: string, value: number): void {
  sums.set(name, (sums.get(name) ?? 0) + value);
}

const IDENTITY = new Set(['service.name', 'service.instance.id']);

/** A delivered point under the names of the truth. */
function addDelivered(delivered: Map<string, number>, point: Receiver['points'][number]): void {
  if (point.kind === 'gauge') return;
  const labels = Object.entries(point.attributes).filter(([key]) => !IDENTITY.has(key));
  if (point.kind === 'counter') add(delivered, seriesText(point.name, labels), point.value);
  else addHistogram(delivered, point.name, labels, point.sum, point.bounds, point.buckets);
}

function addPending(pending: Map<string, number>, state: SeriesState): void {
  const labels: [string, string][] = [];
  for (let i = 0; i < state.series.labels.length; i += 2) {
    labels.push([state.series.labels[i] as string, state.series.labels[i + 1] as string]);
  }
  const [first = 0, ...buckets] = increase(state);
  if (state.kind === 'counter') add(pending, seriesText(state.series.name, labels), first);
  else addHistogram(pending, state.series.name, labels, first, state.bounds, buckets);
}

function addHistogram(
  sums: Map<string, number>,
  name: string,
  labels: readonly [string, string][],
  sum: number,
  bounds: readonly number[],
  buckets: readonly number[],
): void {
  add(sums, seriesText(`${name}_sum`, labels), sum);
  add(
    sums,
    seriesText(`${name}_count`, labels),
    buckets.reduce((total, bucket) => total + bucket, 0),
  );
  for (const [i, bucket] of buckets.entries()) {
    const bound = bounds[i];
    const le = bound === undefined ? '+Inf' : Number.isInteger(bound) ? `${bound}.0` : String(bound);
    add(sums, seriesText(`${name}_bucket`, [...labels, ['le', le]]), bucket);
  }
}

function seriesText(name: string, labels: readonly (readonly [string, string])[]): string {
  if (labels.length === 0) return name;
  const sorted = [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
  return `${name}{${sorted.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}}`;
}
