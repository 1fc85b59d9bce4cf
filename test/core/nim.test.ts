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

const TOKENS = '# TYPE vllm:prompt_tokens_total counter\n';
const tokens = (...byEngine: readonly number[]): string =>
  TOKENS + byEngine.map((n, i) => `vllm:prompt_tokens_total{engine="${i}"} ${n}\n`).join('');

describe('no jump', () => {
  const step = async (
    world: ReturnType<typeof createWorld>,
    tickS: number,
    page: string | undefined,
    output: Partial<OutputSettings> = {},
  ): Promise<readonly string[]> => {
    world.script.scrape = () => page ?? { fails: 'connect' };
    const before = world.bodies.length;
    const report = await world.run(tickS, [only(output)]);
    assert.deepEqual(report.drops['duplicate'], undefined);
    return world.bodies
      .slice(before)
      .flatMap(({ points }) => points)
      .filter(({ type }) => type !== 'gauge')
      .map(
        ({ name, value, histogram, startNs, timeNs }) =>
          `${name} ${histogram?.count ?? value} (${[startNs, timeNs].map((ns) => Number(ns / 1_000_000_000n) - 1767225600).join()}]`,
      );
  };

  test('names switched back and forth: each increase leaves once', async () => {
    const world = createWorld();
    await step(world, 60, tokens(10, 20));
    assert.deepEqual(await step(world, 120, tokens(11, 22)), ['prompt_tokens_total 3 (60,120]']);
    assert.deepEqual(await step(world, 180, tokens(15, 22), { metricNames: 'raw' }), [
      'vllm_prompt_tokens_total 4 (120,180]',
      'vllm_prompt_tokens_total 0 (120,180]',
    ]);
    assert.deepEqual(await step(world, 240, tokens(15, 30)), ['prompt_tokens_total 8 (180,240]']);
  });

  test('D3: a new engine joins a sum, the earliest window is the point’s', async () => {
    const world = createWorld();
    await step(world, 60, tokens(10));
    world.script.answer = () => 'retry';
    await step(world, 120, tokens(12));
    world.script.answer = () => 'accepted';
    assert.deepEqual(await step(world, 180, tokens(13, 5)), ['prompt_tokens_total 8 (60,180]']);
  });

  test('what was pending in an engine is settled by its sum’s body', async () => {
    const world = createWorld();
    await step(world, 60, tokens(10, 10));
    world.script.answer = () => 'retry';
    await step(world, 120, tokens(12, 13));
    await step(world, 180, undefined);
    world.script.answer = () => 'accepted';
    assert.deepEqual(await step(world, 240, undefined), ['prompt_tokens_total 5 (60,240]']);
    assert.deepEqual(await step(world, 300, undefined), []);
  });

  test('a NIM upgraded while the old one still owes: the old window goes first, the new one a tick later', async () => {
    const world = createWorld();
    const one = (n: number): string =>
      `# TYPE prompt_tokens_total counter\nprompt_tokens_total{model_name="m"} ${n}\n`;
    const two = (n: number): string => `${TOKENS}vllm:prompt_tokens_total{engine="0",model_name="m"} ${n}\n`;
    await step(world, 60, one(10));
    world.script.answer = () => 'retry';
    await step(world, 120, one(12));
    world.script.answer = () => 'accepted';
    assert.deepEqual(await step(world, 180, two(7)), ['prompt_tokens_total 2 (60,180]']);
    assert.deepEqual(await step(world, 240, two(8)), ['prompt_tokens_total 8 (120,240]']);
    assert.deepEqual(await step(world, 300, two(8)), ['prompt_tokens_total 0 (240,300]']);
  });

  test('engines with other bounds than each other take turns, and lose nothing', async () => {
    const world = createWorld();
    const page = (a: number, b: number): string => `# TYPE vllm:time_to_first_token_seconds histogram
${[
  ['0', '1', a],
  ['1', '2', b],
]
  .map(
    ([engine, le, count]) => `vllm:time_to_first_token_seconds_bucket{engine="${engine}",le="${le}"} ${count}
vllm:time_to_first_token_seconds_bucket{engine="${engine}",le="+Inf"} ${count}
vllm:time_to_first_token_seconds_sum{engine="${engine}"} 1
vllm:time_to_first_token_seconds_count{engine="${engine}"} ${count}`,
  )
  .join('\n')}
`;
    await step(world, 60, page(0, 0));
    const name = 'time_to_first_token_seconds';
    assert.deepEqual(await step(world, 120, page(1, 10)), [`${name} 1 (60,120]`]);
    assert.deepEqual(await step(world, 180, page(2, 20)), [`${name} 20 (60,180]`]);
    assert.deepEqual(await step(world, 240, page(3, 30)), [`${name} 2 (120,240]`]);
  });

  test('what a vanished target owes leaves under the names that it had', async () => {
    for (const metricNames of ['nim', 'raw'] as const) {
      const world = createWorld();
      await step(world, 60, tokens(10), { metricNames });
      world.script.answer = () => 'retry';
      await step(world, 120, tokens(12), { metricNames });
      world.script.answer = () => 'accepted';
      await world.run(180, [], { drains: [only().key] });
      const [point] = world.bodies.at(-1)?.points ?? [];
      assert.deepEqual(
        [point?.name, point?.value],
        [`${metricNames === 'raw' ? 'vllm_' : ''}prompt_tokens_total`, 2],
      );
    }
  });

  test('D12: a sum that Dynatrace refuses is one suspect, and all of it stays pending', async () => {
    const world = createWorld();
    const page = (n: number): string => `${tokens(n, n)}# TYPE a_total counter\na_total ${n}\n`;
    await step(world, 60, page(1));
    world.script.answer = (points) =>
      points.some(({ name }) => name === 'prompt_tokens_total') ? 'malformed' : 'accepted';
    await step(world, 120, page(3));
    const report = await world.run(180, [only()]);
    assert.deepEqual(report.targets[0]?.suspects, ['vllm:prompt_tokens_total']);
    world.script.answer = () => 'accepted';
    for (let tickS = 240; tickS < 1200; tickS += 60) await step(world, tickS, page(3));
    const sent = world.bodies.filter(({ answer }) => answer === 'accepted').flatMap(({ stored }) => stored);
    const values = sent.filter(({ name }) => name === 'prompt_tokens_total').map(({ value }) => value ?? 0);
    assert.equal(
      values.reduce((sum, value) => sum + value, 0),
      4,
    );
  });

  test('D1, one point per series and tick: whatever engines count, answers and names', async () => {
    const tick = fc.record({
      add: fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9)),
      engines: fc.integer({ min: 1, max: 3 }),
      raw: fc.boolean(),
      fails: fc.boolean(),
      accepted: fc.boolean(),
      skipUnchanged: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(tick, { minLength: 1, maxLength: 12 }), async (ticks) => {
        const world = createWorld();
        const counts = [0, 0, 0];
        const finish = (): string =>
          `# TYPE vllm:request_success_total counter\n${counts
            .flatMap((n, i) =>
              ['stop', 'abort'].map(
                (reason) => `vllm:request_success_total{engine="${i}",finished_reason="${reason}"} ${n}\n`,
              ),
            )
            .join('')}`;
        world.script.scrape = () => tokens(...counts) + finish();
        await world.run(60, [only()]);
        let tickS = 60;
        for (const { add, raw, fails, accepted, skipUnchanged } of [
          ...ticks,
          { add: [0, 0, 0], raw: false, fails: false, accepted: true, skipUnchanged: false },
        ]) {
          for (const [i, n] of add.entries()) counts[i] = (counts[i] ?? 0) + n;
          const page = fails ? undefined : tokens(...counts) + finish();
          world.script.scrape = () => page ?? { fails: 'connect' };
          world.script.answer = () => (accepted ? 'accepted' : 'retry');
          await world.run((tickS += 60), [only({ metricNames: raw ? 'raw' : 'nim', skipUnchanged })]);
        }
        const total = counts.reduce((sum, n) => sum + n, 0);
        const sums: Record<string, number> = {};
        for (const { stored } of world.bodies) {
          const seen = new Set(stored.map((point) => `${point.name} ${JSON.stringify(point.attributes)}`));
          assert.equal(seen.size, stored.length);
          for (const point of stored) {
            const { name, value = 0, type } = point;
            if (type === 'gauge') continue;
            const reason = labelsOf(point)['finished_reason'];
            const of = name === 'vllm_request_success_total' ? `raw ${reason}` : name;
            sums[of] = (sums[of] ?? 0) + value;
          }
        }
        const of = (name: string): number => sums[name] ?? 0;
        assert.equal(of('prompt_tokens_total') + of('vllm_prompt_tokens_total'), total);
        assert.equal(of('request_success_total') + of('raw stop'), total);
        assert.equal(of('request_failure_total') + of('raw abort'), total);
        assert.equal(of('request_finish_total') + of('raw stop') + of('raw abort'), 2 * total);
      }),
      { numRuns: 60 },
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
