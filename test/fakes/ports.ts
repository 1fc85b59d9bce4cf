/**
 * The outside world in memory, seen by the pipeline as its ports: time that jumps to whoever wakes next, a store with
 * the real conditions on tick and version, pages told in exposition text, and a Dynatrace that decodes what it gets
 * with a decoder of its own. Everything goes well unless the script says otherwise.
 */
import { strict as assert } from 'node:assert';
import { type DecodedPoint, decodeMetricsRequest } from '../../functions/cli/world/otlp-decoder.ts';
import type { Target } from '../../functions/core/model.ts';
import type { ExportOutcome, ScrapeFailureCode } from '../../functions/core/outcome.ts';
import { runShard } from '../../functions/core/pipeline.ts';
import { createMemory } from '../../functions/core/point-names.ts';
import type { Ports, ScrapeResult, TargetItem } from '../../functions/core/ports.ts';
import type { RunReport } from '../../functions/core/report.ts';
import { createTarget } from '../../functions/core/targets.ts';
import type { ShardWork } from '../../functions/core/work.ts';
import { type ShardItem, type StoreScript, type Write, createStore } from './store.ts';
import { T0_MS, createVirtualTime } from './virtual-time.ts';

export type Page =
  | string
  | { readonly fails: ScrapeFailureCode; readonly message?: string }
  | { readonly hangs: true }
  /** Not bytes at all: what no adapter hands over. */
  | { readonly broken: unknown };

/** `unknown_stored`: Dynatrace has it, the pipeline cannot know. */
export type Answer =
  | ExportOutcome['code']
  | 'unknown_stored'
  | 'hangs'
  | { readonly partial: number; readonly message?: string };

export interface SentBody {
  readonly points: readonly DecodedPoint[];
  readonly bytes: number;
  /** When it was posted, and by when it must be answered; monotonic. */
  readonly atMs: number;
  readonly deadlineMs: number;
  readonly tickMs: number;
  readonly answer: Answer;
  /** Points of it that Dynatrace keeps. */
  readonly stored: readonly DecodedPoint[];
  /** Points of it that a partial success rejects: the first ones. */
  readonly rejected: readonly DecodedPoint[];
}

export interface Script extends StoreScript {
  scrape: (target: Target) => Page;
  /** `nth` counts the posts of a run from 0. */
  answer: (points: readonly DecodedPoint[], nth: number) => Answer;
}

export interface World {
  readonly ports: Ports;
  readonly script: Script;
  readonly items: Map<string, TargetItem>;
  readonly shards: Map<number, ShardItem>;
  /** Everything that was posted and written, and every call to a port, in order. */
  readonly bodies: SentBody[];
  readonly writes: Write[];
  readonly calls: string[];
  readonly monotonicMs: () => number;
  /** One run of shard 0 at `tickS` seconds after T0. */
  readonly run: (tickS: number, targets: readonly Target[], work?: Partial<ShardWork>) => Promise<RunReport>;
}

/** What a run may take unless the test says otherwise. */
export const RUN_BUDGET_MS = 60_000;

export function target(instance: string, changes: Partial<Target> = {}): Target {
  const identity = { job: 'nim', instance, scheme: 'http', address: instance, path: '', params: [] } as const;
  return { ...createTarget(identity), ...changes };
}

export function createWorld(): World {
  const time = createVirtualTime();
  const script: Script = {
    claim: () => undefined,
    load: () => undefined,
    fits: () => true,
    commit: () => undefined,
    end: () => undefined,
    scrape: () => ({ fails: 'connect' }),
    answer: () => 'accepted',
  };
  const bodies: SentBody[] = [];
  const writes: Write[] = [];
  const calls: string[] = [];
  const { state, items, shards } = createStore({
    script,
    time,
    onWrite: (write) => void writes.push(write),
    onCall: (call) => void calls.push(call),
  });
  const memory = createMemory();
  let runs = 0;
  let posts = 0;
  let tickMs = 0;

  const ports: Ports = {
    clock: time.clock,
    state,
    scrape: async (scraped, deadlineMs) => {
      calls.push(`scrape ${scraped.instance}`);
      const page = script.scrape(scraped);
      if (typeof page === 'object' && 'hangs' in page) await time.sleepUntil(deadlineMs);
      return scrapeResult(page);
    },
    export: async (bytes, deadlineMs) => {
      calls.push('export');
      const points = decodeMetricsRequest(bytes);
      const answer = script.answer(points, posts++);
      const atMs = time.clock.monotonicMs();
      bodies.push({ points, bytes: bytes.length, atMs, deadlineMs, tickMs, answer, ...kept(points, answer) });
      if (answer === 'hangs') await time.sleepUntil(deadlineMs);
      return exportOutcome(answer);
    },
  };
  return {
    ports,
    script,
    items,
    shards,
    bodies,
    writes,
    calls,
    monotonicMs: time.clock.monotonicMs,
    run: async (tickS, targets, work = {}) => {
      tickMs = T0_MS + tickS * 1000;
      posts = 0;
      time.advanceTo(tickMs);
      const deadlineMs = time.clock.monotonicMs() + RUN_BUDGET_MS;
      const writer = `run-${++runs}`;
      const facts = {
        tickMs,
        shard: 0,
        targets,
        drains: [],
        maxStalenessMs: 25 * 3_600_000,
        writer,
        deadlineMs,
        ...work,
      };
      return runShard(facts, ports, memory);
    },
  };
}

/** A world of one target, `10.0.0.1:8000`, whose page shows `a_total`; undefined: its scrape fails. */
export function oneCounter() {
  const world = createWorld();
  const only = target('10.0.0.1:8000');
  const run = async (tickS: number, value: number | undefined) => {
    world.script.scrape = () =>
      value === undefined ? { fails: 'connect' } : `# TYPE a_total counter\na_total ${value}\n`;
    const before = world.bodies.length;
    const report = await world.run(tickS, [only]);
    return { report, deltas: deltasOf(world.bodies.slice(before)), item: world.items.get(only.key) };
  };
  return { ...world, run };
}

function scrapeResult(page: Page): ScrapeResult {
  if (typeof page === 'string')
    return { code: 'page', body: new TextEncoder().encode(page), path: '/v1/metrics', complete: true };
  if ('broken' in page)
    return { code: 'page', body: page.broken as Uint8Array, path: '/v1/metrics', complete: true };
  const message = 'cannot scrape: as scripted';
  if ('hangs' in page) return { code: 'timeout', message };
  return { code: page.fails, message: page.message ?? message };
}

function kept(points: readonly DecodedPoint[], answer: Answer): Pick<SentBody, 'stored' | 'rejected'> {
  if (typeof answer === 'object')
    return { stored: points.slice(answer.partial), rejected: points.slice(0, answer.partial) };
  const stored = answer === 'accepted' || answer === 'partial' || answer === 'unknown_stored' ? points : [];
  return { stored, rejected: [] };
}

function exportOutcome(answer: Answer): ExportOutcome {
  const message = 'as scripted';
  if (typeof answer === 'object')
    return { code: 'partial', rejectedPoints: answer.partial, message: answer.message ?? message };
  switch (answer) {
    case 'accepted':
      return { code: 'accepted' };
    case 'partial':
      return { code: 'partial', rejectedPoints: 0, message };
    case 'refused':
      return { code: 'refused', status: 401, message };
    case 'hangs':
    case 'unknown_stored':
      return { code: 'unknown', message };
    default:
      return { code: answer, message };
  }
}

/** `name{labels} value (start,end]`, a histogram as `count sum [buckets]`, a gauge as `name{labels} value @time`. */
export function printPoint(point: DecodedPoint): string {
  const { histogram, value } = point;
  const labels = point.attributes
    .filter(([key]) => !key.startsWith('service.'))
    .map(([key, text]) => `${key}="${typeof text === 'string' ? text : typeof text}"`);
  const name = labels.length === 0 ? point.name : `${point.name}{${labels.join(',')}}`;
  const amount =
    histogram === undefined
      ? `${value}`
      : `${histogram.count} ${histogram.sum} [${histogram.buckets.join(' ')}]`;
  const window =
    point.type === 'gauge'
      ? `@${seconds(point.timeNs)}`
      : `(${seconds(point.startNs)},${seconds(point.timeNs)}]`;
  return `${name} ${amount} ${window}`;
}

function seconds(ns: bigint): number {
  return (Number(ns / 1_000_000n) - T0_MS) / 1000;
}

/** Deltas of the bodies, printed. */
export function deltasOf(bodies: readonly SentBody[]): readonly string[] {
  return bodies.flatMap(({ points }) => points.filter(({ type }) => type !== 'gauge').map(printPoint));
}

export function gaugesOf(bodies: readonly SentBody[]): readonly string[] {
  return bodies.flatMap(({ points }) => points.filter(({ type }) => type === 'gauge').map(printPoint));
}

export function instanceOf({ attributes }: DecodedPoint): string {
  const found = attributes.find(([key]) => key === 'service.instance.id')?.[1];
  assert(typeof found === 'string');
  return found;
}
