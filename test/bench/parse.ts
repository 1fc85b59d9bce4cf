/**
 * The exposition parser against the obvious one: split into lines, one regular expression for the line, one for the
 * labels, an object per sample. Rounds of all three alternate, so that heat and neighbours fall on all alike.
 */
import { strict as assert } from 'node:assert';
import { createRegistry } from '../../functions/cli/world/nim-page.ts';
import { parseExposition } from '../../functions/core/exposition.ts';
import { createSeriesTable, seriesKey } from '../../functions/core/series.ts';
import { vllmPage } from './vllm-page.ts';

/** Warm, as in a running function: at least this many times as fast as the naive parser. */
const CONTRACT_RATIO = 3;
const VERSIONS = 12;
const ROUNDS = 25;
const WARM_UP_ROUNDS = 5;
const SAMPLE_LIMIT = 10_000;

type Parser = (body: Uint8Array) => number;

/** Prints ns per sample of each parser; false if the contract is broken. */
export function benchParse(): boolean {
  const versions = Array.from({ length: VERSIONS }, (_, i) => i + 1);
  return [benchPages('vLLM', versions.map(vllmPage)), benchPages('NIM 1.x', versions.map(nimPage))].every(
    Boolean,
  );
}

function benchPages(title: string, pages: readonly string[]): boolean {
  const bodies = pages.map((page) => new TextEncoder().encode(page));
  const table = createSeriesTable();
  const parsers: Readonly<Record<'naive' | 'warm' | 'cold', Parser>> = {
    naive: (body) => parseNaively(body).length,
    warm: (body) => samplesOf(body, table).values.length,
    cold: (body) => samplesOf(body, createSeriesTable()).values.length,
  };
  for (const body of bodies) assertSame(body);
  const samples = bodies.reduce((total, body) => total + parsers.naive(body), 0);
  const times: Record<keyof typeof parsers, number[]> = { naive: [], warm: [], cold: [] };
  const names = ['naive', 'warm', 'cold'] as const;
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round + WARM_UP_ROUNDS) % names.length] as (typeof names)[number];
      const startNs = process.hrtime.bigint();
      for (const body of bodies) parsers[name](body);
      if (round >= 0) times[name].push(Number(process.hrtime.bigint() - startNs) / samples);
    }
  }
  const [naive, warm, cold] = names.map((name) => median(times[name])) as [number, number, number];
  const ns = (value: number): string => `${value.toFixed(0)} ns/sample`;
  process.stdout.write(
    `parse ${title}, ${Math.round(samples / bodies.length)} samples: naive ${ns(naive)}, ` +
      `warm ${ns(warm)} (${(naive / warm).toFixed(1)}x), cold ${ns(cold)} (${(naive / cold).toFixed(1)}x)\n`,
  );
  if (naive / warm >= CONTRACT_RATIO) return true;
  process.stdout.write(`parse ${title}: warm is below ${CONTRACT_RATIO}x\n`);
  return false;
}

function samplesOf(body: Uint8Array, table: ReturnType<typeof createSeriesTable>) {
  const parsed = parseExposition(body, table, SAMPLE_LIMIT);
  assert(parsed.code === 'page');
  return parsed.page;
}

function assertSame(body: Uint8Array): void {
  const page = samplesOf(body, createSeriesTable());
  assert.equal(page.refused.count, 0);
  const ours = page.series.map((series, i) => [series.key, page.values[i]]);
  const theirs = parseNaively(body).map(({ name, labels, value }) => {
    const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
    return [seriesKey(name, sorted.flat()), value];
  });
  assert.deepEqual(ours, theirs);
}

interface NaiveSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

function parseNaively(body: Uint8Array): NaiveSample[] {
  const samples: NaiveSample[] = [];
  for (const line of new TextDecoder().decode(body).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (match === null) throw new Error(`malformed line: ${line}`);
    const labels: Record<string, string> = {};
    for (const [, name, value] of (match[2] ?? '').matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
      labels[name as string] = (value as string).replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
    }
    samples.push({ name: match[1] as string, labels, value: naiveNumber(match[3] as string) });
  }
  return samples;
}

function naiveNumber(text: string): number {
  if (text === '+Inf') return Infinity;
  return text === '-Inf' ? -Infinity : Number(text);
}

/** A NIM for LLMs 1.x after `version` minutes of the same traffic. */
function nimPage(version: number): string {
  const registry = createRegistry();
  const model = 'model_name="meta/llama-3.1-8b-instruct"';
  registry.set('process_start_time_seconds', '', 1767225600.25);
  registry.set('process_resident_memory_bytes', '', 1.15891634176e11);
  for (const generation of ['0', '1', '2']) {
    registry.add('python_gc_collections_total', `generation="${generation}"`, 71 * version);
  }
  for (const name of ['num_requests_running', 'num_requests_waiting', 'gpu_cache_usage_perc']) {
    registry.set(name, model, (version % 7) / 8);
  }
  for (let request = 0; request < 40 * version; request++) {
    registry.add('prompt_tokens_total', model, 100 + request);
    registry.add('generation_tokens_total', model, 50 + request);
    registry.add('request_success_total', model, 1);
    registry.add('request_finish_total', `finished_reason="stop",${model}`, 1);
    registry.observe('time_to_first_token_seconds', model, 0.001 * request);
    registry.observe('time_per_output_token_seconds', model, 0.0003 * request);
    registry.observe('e2e_request_latency_seconds', model, 0.2 * request);
    registry.observe('request_prompt_tokens', model, 100 + request);
    registry.observe('request_generation_tokens', model, 50 + request);
  }
  return registry.page();
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}
