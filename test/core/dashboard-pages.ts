/**
 * Pages that the dashboard must fill, tick by tick: of each generation of NIM at least one fixture that shows everything
 * that it has. Another generation is another entry of FIXTURES.
 */
import { readFileSync } from 'node:fs';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type Sample, readEngines } from './dashboard-engines.ts';
import { SEQUENCE } from '../peers/pages/sequence.ts';

export interface PageFixture {
  readonly name: string;
  readonly generation: '1.x' | '2.x';
  /** instance -> its pages, a minute apart. */
  readonly pages: Readonly<Record<string, readonly string[]>>;
  /** Titles of the tiles that these pages leave empty. */
  readonly empty: readonly string[];
  /** A page's samples under the names of Dynatrace's NIM page; by default they have them already. */
  readonly read?: (page: readonly Sample[]) => readonly Sample[];
}

const LLAMA = 'meta/llama-3.1-8b-instruct';
const NEMOTRON = 'nvidia/nemotron-nano-9b-v2';

/** Of a NIM 1.x for LLMs. */
const TTFT_BOUNDS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const TPOT_BOUNDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const E2E_BOUNDS = [1, 2.5, 5, 10, 15, 20, 30, 40, 50, 60];
const TOKEN_BOUNDS = [1, 10, 100, 1000, 10_000].flatMap((power) => [power, 2 * power, 5 * power]);

/** A NIM 1.x that serves what the test tells it to, with the real client's text. */
function createNim1(model: string) {
  const registry = new Registry();
  const options = { labelNames: ['model_name'], registers: [registry] };
  const gauge = (name: string) => new Gauge({ name, help: name, ...options });
  const counter = (name: string) => new Counter({ name, help: name, ...options });
  const histogram = (name: string, buckets: readonly number[]) =>
    new Histogram({ name, help: name, ...options, buckets: [...buckets] });
  const running = gauge('num_requests_running');
  const waiting = gauge('num_requests_waiting');
  const maximum = gauge('num_request_max');
  const cache = gauge('gpu_cache_usage_perc');
  const prompt = counter('prompt_tokens_total');
  const generation = counter('generation_tokens_total');
  const ttft = histogram('time_to_first_token_seconds', TTFT_BOUNDS);
  const tpot = histogram('time_per_output_token_seconds', TPOT_BOUNDS);
  const e2e = histogram('e2e_request_latency_seconds', E2E_BOUNDS);
  const prompts = histogram('request_prompt_tokens', TOKEN_BOUNDS);
  const generations = histogram('request_generation_tokens', TOKEN_BOUNDS);
  const finished = new Counter({
    name: 'request_finish_total',
    help: 'request_finish_total',
    labelNames: ['model_name', 'finished_reason'],
    registers: [registry],
  });
  const success = counter('request_success_total');
  const failure = counter('request_failure_total');
  const label = { model_name: model };
  return {
    page: () => registry.metrics(),
    /** Every seventh request is cancelled; lengths and times go up and down with the request's number. */
    serve: (from: number, to: number) => {
      failure.inc(label, 0);
      maximum.set(label, 64);
      for (let i = from; i < to; i++) {
        running.set(label, (i * 7) % 60);
        waiting.set(label, (i * 3) % 5);
        cache.set(label, ((i * 13) % 97) / 100);
        const reason = i % 7 === 0 ? 'cancelled' : i % 3 === 0 ? 'length' : 'stop';
        finished.inc({ ...label, finished_reason: reason });
        if (reason === 'cancelled') {
          failure.inc(label);
          continue;
        }
        const promptTokens = 20 + ((i * 37) % 900);
        const tokens = 5 + ((i * 11) % 60);
        success.inc(label);
        prompt.inc(label, promptTokens);
        generation.inc(label, tokens);
        prompts.observe(label, promptTokens);
        generations.observe(label, tokens);
        ttft.observe(label, 0.003 * (1 + ((i * i) % 400)));
        for (let token = 1; token < tokens; token++) tpot.observe(label, 0.008 + 0.001 * ((i + token) % 70));
        e2e.observe(label, 0.4 + 0.05 * tokens);
      }
    },
  };
}

/** Three replicas of two models over three ticks; the last has served nothing at the first. */
async function nim1Fixture(): Promise<PageFixture> {
  const replicas = [
    { instance: '10.0.0.1:8000', model: LLAMA, served: [40, 100, 130] },
    { instance: '10.0.0.2:8000', model: LLAMA, served: [15, 16, 90] },
    { instance: '10.0.0.3:8000', model: NEMOTRON, served: [0, 30, 75] },
  ];
  const pages = replicas.map(async ({ instance, model, served }) => {
    const nim = createNim1(model);
    const texts: string[] = [];
    let before = 0;
    for (const requests of served) {
      if (requests > 0) nim.serve(before, requests);
      before = requests;
      texts.push(await nim.page());
    }
    return [instance, texts] as const;
  });
  return {
    name: 'NIM 1.x, three replicas of two models',
    generation: '1.x',
    pages: Object.fromEntries(await Promise.all(pages)),
    empty: [],
  };
}

/** Written by the Python client: before the first request, two loads, a restart. It has few of the families. */
function recorded(name: string, ticks: number, empty: readonly string[]): PageFixture {
  const pages = SEQUENCE.slice(0, ticks).map((file) => readFileSync(file, 'utf8'));
  return { name, generation: '1.x', pages: { '10.0.0.9:8000': pages }, empty };
}

const NOT_RECORDED = ['End-to-end latency', 'Tokens per request', 'KV cache'];

/** Metrics that no page of a generation has; a tile that shows them shows others beside them. */
export const LACKING: Readonly<Record<PageFixture['generation'], readonly string[]>> = {
  '1.x': [],
  '2.x': ['num_request_max'],
};

/** Pages of the Python client with the same traffic in each generation, of two engines where it has engines. */
function sameTraffic(engine: '1' | '2-vllm' | '2-sglang'): PageFixture {
  const pages = ['before', 'after'].map((moment) =>
    readFileSync(new URL(`../pages/nim/${engine}-${moment}.prom`, import.meta.url), 'utf8'),
  );
  return {
    name: `NIM, the same traffic, ${engine}`,
    generation: engine === '1' ? '1.x' : '2.x',
    pages: { '10.0.0.1:8000': pages },
    empty: [],
    ...(engine === '1' ? {} : { read: readEngines }),
  };
}

export const SAME_TRAFFIC = {
  '1': sameTraffic('1'),
  '2-vllm': sameTraffic('2-vllm'),
  '2-sglang': sameTraffic('2-sglang'),
} as const;

export const FIXTURES: readonly PageFixture[] = [
  ...Object.values(SAME_TRAFFIC),
  await nim1Fixture(),
  recorded('NIM 1.x, a recorded sequence with a restart', 4, NOT_RECORDED),
  recorded('NIM 1.x, recorded before its first failure', 2, [...NOT_RECORDED, 'Failed requests']),
];
