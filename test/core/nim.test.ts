/** NIM of every generation: the same traffic, told by pages of the Python client (test/pages/nim), is the same metrics. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
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

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function labelsOf({ attributes }: DecodedPoint): Readonly<Record<string, string>> {
  return Object.fromEntries(
    attributes.flatMap(([key, value]) =>
      typeof value === 'string' && !key.startsWith('service.') ? [[key, value]] : [],
    ),
  );
}

/** `name{labels} value`, of a histogram its count and sum: what does not hang on the bounds. */
function told(points: readonly DecodedPoint[]): readonly string[] {
  return points
    .map((point) => {
      const { histogram, name, value } = point;
      const labels = Object.values(labelsOf(point)).sort(byText).join(' ');
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

const REASONS: Readonly<Record<string, number>> = { stop: 22, length: 29, abort: 5, error: 4 };

/** One value in all, but for finished requests by reason where reasons are told. */
function expected(metric: ReferenceName, generation: string): readonly string[] {
  const [value = ''] = TRUTH[metric];
  const [, reasons] = /^REASON (.*)$/.exec(value) ?? [];
  if (reasons === undefined) return [`${metric} ${MODEL}: ${value}`];
  const counts = reasons.split(' ').map((reason) => [reason, REASONS[reason] ?? 0] as const);
  if (metric === 'request_finish_total' && !generation.endsWith('SGLang'))
    return counts.map(([reason, count]) => `${metric} ${[MODEL, reason].sort().join(' ')}: ${count}`).sort();
  return [`${metric} ${MODEL}: ${counts.reduce((sum, [, count]) => sum + count, 0)}`];
}

describe('the metrics of the NIM page', () => {
  for (const [generation, [before, after]] of Object.entries(GENERATIONS)) {
    for (const [name, { kind, unit }] of Object.entries(REFERENCE_METRICS)) {
      const metric = name as ReferenceName;
      test(`${generation}: ${metric}`, async () => {
        const points = await lastOf([read(before), read(after)]);
        const own = points.filter((point) => point.name === metric);
        const isTold = UNTOLD[generation]?.includes(metric) === false;
        assert.deepEqual(told(own), isTold ? expected(metric, generation) : []);
        for (const point of own) {
          assert.equal(point.type, kind === 'counter' ? 'sum' : kind);
          assert.equal(point.unit, unit);
          assert.notEqual(point.description, '');
          assert.deepEqual(
            Object.keys(labelsOf(point)).filter((label) => label !== 'finished_reason'),
            ['model_name'],
          );
        }
      });
    }
  }

  test('what the two generations say of one traffic is the same but for the bounds', async () => {
    const first = told(await lastOf([read('1-before'), read('1-after')], { preset: 'core' }));
    const second = told(await lastOf([read('2-vllm-before'), read('2-vllm-after')], { preset: 'core' }));
    assert.deepEqual(
      second,
      first.filter((line) => !line.startsWith('num_request_max')),
    );
  });

  test('histograms keep the bounds of their page, and engines are added bucket by bucket', async () => {
    const points = await lastOf([read('2-vllm-before'), read('2-vllm-after')]);
    const ttft = points.find(({ name }) => name === 'time_to_first_token_seconds')?.histogram;
    assert.deepEqual(ttft?.bounds.slice(-3), [10, 20, 40]);
    assert.equal(
      ttft?.buckets.reduce((sum, count) => sum + count, 0),
      60,
    );
  });

  test('other metrics of an engine keep their names and its label', async () => {
    const points = await lastOf([read('2-vllm-before'), read('2-vllm-after')]);
    const other = points.filter(({ name }) => !Object.hasOwn(REFERENCE_METRICS, name));
    assert.deepEqual(told(other), [`vllm_num_preemptions_total 0 ${MODEL}: 3`]);
  });

  test('raw names on request', async () => {
    const points = await lastOf([read('2-vllm-before'), read('2-vllm-after')], { metricNames: 'raw' });
    assert(points.every(({ name }) => name.startsWith('vllm_')));
    const finished = points.filter(({ name }) => name === 'vllm_request_success_total');
    assert.equal(finished.length, 8);
    assert.equal(
      finished.reduce((sum, { value }) => sum + (value ?? 0), 0),
      60,
    );
  });
});

describe('no metric twice', () => {
  const names = async (page: string): Promise<readonly string[]> =>
    told(await lastOf([page])).map((line) => line.replaceAll('  ', ' '));

  test('a page that shows a metric itself keeps it; the engine’s goes out under its own name', async () => {
    const page = `# TYPE num_requests_running gauge
num_requests_running{model_name="m"} 3
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 2
# TYPE num_request_max gauge
num_request_max{model_name="m"} 1024
`;
    assert.deepEqual(await names(page), [
      'num_request_max m: 1024',
      'num_requests_running m: 3',
      'num_requests_waiting m: 2',
      'vllm_num_requests_running 0 m: 3',
    ]);
  });

  test('of an old and a new name on one page, the new one counts', async () => {
    const page = `# TYPE vllm:gpu_cache_usage_perc gauge
vllm:gpu_cache_usage_perc 0.5
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc 0.25
`;
    assert.deepEqual(await names(page), ['gpu_cache_usage_perc : 0.25', 'vllm_gpu_cache_usage_perc : 0.5']);
    assert.deepEqual(await names(page.slice(0, page.indexOf('# TYPE vllm:kv'))), [
      'gpu_cache_usage_perc : 0.5',
    ]);
  });

  test('what is of another kind than it should be goes out as it is', async () => {
    assert.deepEqual(await names('vllm:prompt_tokens_total{engine="0"} 5\n'), [
      'vllm_prompt_tokens_total 0: 5',
    ]);
  });
});

test('docs/metrics.md prints the table', () => {
  const docs = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const listed = (sources: readonly string[], engine: string): string =>
    sources
      .filter((source) => source.startsWith(engine))
      .map((source) => `\`${source}\``)
      .join(', ');
  for (const [name, { kind, unit, sources }] of Object.entries(REFERENCE_METRICS)) {
    const cells = [`\`${name}\``, kind, `\`${unit}\``, listed(sources, 'vllm:'), listed(sources, 'sglang:')];
    assert(docs.includes(`| ${cells.join(' | ')} |`.replaceAll('  ', ' ')), name);
  }
});
