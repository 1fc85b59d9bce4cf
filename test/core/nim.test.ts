/** NIM of every generation: the same traffic, told by pages of the Python client (test/pages/nim), is the same metrics. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { DecodedPoint } from '../../functions/cli/world/otlp-decoder.ts';
import { REFERENCE_METRICS, type ReferenceName } from '../../functions/core/nim.ts';
import { DEFAULT_OUTPUT } from '../../functions/core/output-text.ts';
import type { OutputSettings } from '../../functions/core/scrape-config.ts';
import { createWorld, target } from '../fakes/ports.ts';

const MODEL = 'meta/llama-3.1-8b-instruct';
const read = (name: string): string =>
  readFileSync(new URL(`../pages/nim/${name}.prom`, import.meta.url), 'utf8');
const only = (output: Partial<OutputSettings> = {}) =>
  target('10.0.0.1:8000', { output: { ...DEFAULT_OUTPUT, ...output } });

/** What Dynatrace has of the last of several pages, a minute apart. */
async function lastOf(pages: readonly string[], output: Partial<OutputSettings> = {}) {
  const world = createWorld();
  for (const [i, page] of pages.entries()) {
    world.script.scrape = () => page;
    await world.run(60 * (i + 1), [only(output)]);
  }
  return world.bodies.at(-1)?.points.filter(isOfPage) ?? [];
}

function isOfPage({ name }: DecodedPoint): boolean {
  return name !== 'up' && !name.startsWith('scrape_');
}

function labelsOf({ attributes }: DecodedPoint): Readonly<Record<string, unknown>> {
  return Object.fromEntries(attributes.filter(([key]) => !key.startsWith('service.')));
}

/** `name{labels} value`, of a histogram its count and sum: what does not hang on the bounds. */
function told(points: readonly DecodedPoint[]): readonly string[] {
  return points
    .map((point) => {
      const { histogram, name, value } = point;
      const labels = Object.values(labelsOf(point)).sort().join(' ');
      return `${name} ${labels}: ${histogram === undefined ? value : `${histogram.count} ${histogram.sum}`}`;
    })
    .sort();
}

const GENERATIONS = {
  'NIM 1.x': ['1-before', '1-after'],
  'NIM 2.x, vLLM': ['2-vllm-before', '2-vllm-after'],
  'NIM 2.x, SGLang': ['2-sglang-before', '2-sglang-after'],
} as const;

/** What an engine does not tell. */
const UNTOLD: Readonly<Record<string, readonly ReferenceName[]>> = {
  'NIM 1.x': [],
  'NIM 2.x, vLLM': ['num_request_max'],
  'NIM 2.x, SGLang': ['num_request_max', 'request_success_total'],
};

/** Counted in the script that makes the pages. */
const TRUTH: Readonly<Record<ReferenceName, readonly string[]>> = {
  e2e_request_latency_seconds: ['60 201.431640625'],
  generation_tokens_total: ['960'],
  gpu_cache_usage_perc: ['0.375'],
  num_request_max: ['256'],
  num_requests_running: ['12'],
  num_requests_waiting: ['1'],
  prompt_tokens_total: ['115695'],
  request_failure_total: ['REASON abort error'],
  request_finish_total: ['REASON stop length abort error'],
  request_generation_tokens: ['60 960'],
  request_prompt_tokens: ['60 115695'],
  request_success_total: ['REASON stop length'],
  time_per_output_token_seconds: ['900 84.9296875'],
  time_to_first_token_seconds: ['60 116.501953125'],
};
