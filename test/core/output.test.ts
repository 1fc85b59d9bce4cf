/** Options under `dynatrace:` that say what is sent: written, kept with the state, obeyed. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import {
  MAX_HEARTBEAT_MS,
  MAX_MERGED_BUCKETS,
  MAX_NAME_PATTERNS,
  MAX_NAME_PATTERN_LENGTH,
  MAX_POINTS_BUDGET,
  MIN_HEARTBEAT_MS,
} from '../../functions/core/config/config-bounds.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { DEFAULT_OUTPUT, readOutputText, writeOutput } from '../../functions/core/output-text.ts';
import type { OutputSettings } from '../../functions/core/scrape-config.ts';
import { knownUnit, unitInName } from '../../functions/core/units.ts';
import { createWorld, deltasOf, gaugesOf, target } from '../fakes/ports.ts';

function written(options: string) {
  const value = `job_name: nim\ndynatrace: {${options}}`;
  const { configs, problems } = readDocuments([{ name: '/nim-to-dynatrace/targets/nim', value }]);
  return { output: configs[0]?.settings.output, problems: problems.map(({ message }) => message) };
}

describe('in a document', () => {
  test('nothing written: the defaults', () => {
    assert.deepEqual(written('initial_value: auto').output, DEFAULT_OUTPUT);
  });

  test('all of it written', () => {
    const { output, problems } = written(
      'metric_names: raw, preset: core, include: ["DCGM_*"], exclude: ["*_created", up], skip_unchanged: true, ' +
        'heartbeat_interval: 5m, max_buckets: 12, points_budget: 200',
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(output, {
      metricNames: 'raw',
      preset: 'core',
      include: ['DCGM_*'],
      exclude: ['*_created', 'up'],
      skipUnchanged: true,
      heartbeatMs: 300_000,
      maxBuckets: 12,
      pointsBudget: 200,
    });
  });

  const names = (count: number): string =>
    `include: [${Array.from({ length: count }, (_, i) => `m${i}`).join()}]`;
  for (const [good, bad, cause] of [
    ['metric_names: nim', 'metric_names: vllm', /cannot use metric_names: .*write one of nim, raw/],
    ['preset: all', 'preset: most', /cannot use preset: .*write one of core, default, all/],
    ['include: ["a*"]', 'include: ["a*b"]', /an entry of include: "a\*b" has a \* between other characters/],
    ['exclude: ["*"]', 'exclude: [""]', /an entry of exclude: it is empty/],
    [names(MAX_NAME_PATTERNS), names(MAX_NAME_PATTERNS + 1), /it has 33 entries, and 32 are the most/],
    [
      `include: ["${'a'.repeat(MAX_NAME_PATTERN_LENGTH)}"]`,
      `include: ["${'a'.repeat(MAX_NAME_PATTERN_LENGTH + 1)}"]`,
      /longer than 255 characters/,
    ],
    [
      `heartbeat_interval: ${MIN_HEARTBEAT_MS / 1000}s`,
      `heartbeat_interval: ${MIN_HEARTBEAT_MS / 1000 - 1}s`,
      /not from 1m to 1h/,
    ],
    [
      `heartbeat_interval: ${MAX_HEARTBEAT_MS / 1000}s`,
      `heartbeat_interval: ${MAX_HEARTBEAT_MS / 1000 + 1}s`,
      /not from 1m to 1h/,
    ],
    ['max_buckets: 2', 'max_buckets: 1', /a histogram has 2 buckets or more/],
    [`max_buckets: ${MAX_MERGED_BUCKETS}`, `max_buckets: ${MAX_MERGED_BUCKETS + 1}`, /at most/],
    [`points_budget: ${MAX_POINTS_BUDGET}`, `points_budget: ${MAX_POINTS_BUDGET + 1}`, /at most/],
  ] as const) {
    test(bad.slice(0, 60), () => {
      assert.deepEqual(written(good).problems, []);
      const { problems } = written(bad);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] ?? '', cause);
    });
  }
});

describe('beside the state', () => {
  test('only what differs from the defaults', () => {
    assert.equal(writeOutput(DEFAULT_OUTPUT), undefined);
    const own: OutputSettings = { ...DEFAULT_OUTPUT, metricNames: 'raw', preset: 'all', include: ['a*'] };
    assert.deepEqual(readOutputText(writeOutput(own)), own);
  });

  test('a text that is none, or of another release, is the defaults as far as it is not understood', () => {
    for (const text of [undefined, '', '[', '5', 'null', '{"include":"a"}', '{"later":1}'])
      assert.deepEqual({ ...readOutputText(text), later: 1 }, { ...DEFAULT_OUTPUT, later: 1 });
  });
});

const PAGE = (a: number, g: number): string =>
  `# TYPE a_total counter\na_total ${a}\n# TYPE g gauge\ngg ${g}\n# TYPE python_gc_total counter\npython_gc_total ${a}\n`;

async function runs(pages: readonly string[], outputs: readonly Partial<OutputSettings>[]) {
  const world = createWorld();
  const reports = [];
  for (const [i, page] of pages.entries()) {
    world.script.scrape = () => page;
    const output = { ...DEFAULT_OUTPUT, ...outputs[Math.min(i, outputs.length - 1)] };
    reports.push(await world.run(60 * (i + 1), [target('10.0.0.1:8000', { output })]));
  }
  return { world, reports };
}

describe('obeyed', () => {
  test('D11: what was filtered makes no jump when it is asked for', async () => {
    const { world, reports } = await runs([PAGE(1, 1), PAGE(5, 1), PAGE(8, 1)], [{}, {}, { preset: 'all' }]);
    assert.deepEqual(deltasOf(world.bodies.slice(-1)), [
      'a_total 3 (120,180]',
      'python_gc_total 3 (120,180]',
    ]);
    assert.deepEqual(reports[1]?.drops, { filtered: 1 });
  });

  test('filtered series owe nothing, through an outage and after it', async () => {
    const world = createWorld();
    const output = { ...DEFAULT_OUTPUT, preset: 'core' } as const;
    for (const [i, answer] of (['accepted', 'retry', 'accepted'] as const).entries()) {
      world.script.scrape = () => PAGE(i + 1, 1);
      world.script.answer = () => answer;
      const report = await world.run(60 * (i + 1), [target('10.0.0.1:8000', { output })]);
      assert.equal(report.pending, 0);
    }
    assert.deepEqual(gaugesOf(world.bodies.slice(-1)), ['up 1 @180']);
  });

  test('skip_unchanged: nothing new is left out until the heartbeat, and windows touch', async () => {
    const counts = [1, 3, 3, 3, 3, 4];
    const { world } = await runs(
      counts.map((a) => PAGE(a, 7)),
      [{ skipUnchanged: true, heartbeatMs: 180_000 }],
    );
    const sent = world.bodies.flatMap((body) => deltasOf([body]));
    assert.deepEqual(sent, ['a_total 2 (60,120]', 'a_total 0 (120,300]', 'a_total 1 (300,360]']);
  });

  test('max_buckets: of each point, its count and sum as before', async () => {
    const page = (n: number): string => `# TYPE wait histogram
${[1, 2, 3, 4].map((le) => `wait_bucket{le="${le}"} ${n * le}`).join('\n')}
wait_bucket{le="+Inf"} ${n * 5}
wait_sum ${n * 15}
wait_count ${n * 5}
`;
    const { world } = await runs([page(0), page(2)], [{ maxBuckets: 3 }]);
    const point = world.bodies.at(-1)?.points.find(({ name }) => name === 'wait');
    assert.deepEqual(point?.histogram, { count: 10, sum: 30, bounds: [1, 4], buckets: [2, 6, 2] });
  });

  test('points_budget: said where there are more, and all are sent', async () => {
    const { reports } = await runs([PAGE(1, 1), PAGE(2, 1)], [{ pointsBudget: 7 }]);
    assert.deepEqual([reports[1]?.targets[0]?.points, reports[1]?.targets[0]?.overBudget], [7, undefined]);
    const over = await runs([PAGE(1, 1), PAGE(2, 1)], [{ pointsBudget: 6 }]);
    const { points, overBudget } = over.reports[1]?.targets[0] ?? {};
    assert.deepEqual([points, overBudget, over.reports[1]?.pointsSent], [7, 6, 7]);
    const none = await runs([PAGE(1, 1), PAGE(2, 1)], [{ pointsBudget: 0 }]);
    assert.equal(none.reports[1]?.targets[0]?.overBudget, undefined);
  });
});

describe('units', () => {
  for (const [name, unit] of [
    ['gpu_power_usage_watts', 'mW'],
    ['gpu_power_limit_watts', 'mW'],
    ['gpu_total_energy_consumption_joules', 'J'],
    ['gpu_utilization', '1'],
    ['gpu_memory_used_bytes', 'By'],
    ['nv_gpu_power_usage', 'W'],
    ['nv_energy_consumption', 'J'],
    ['nv_inference_queue_duration_us', 'us'],
    ['nv_inference_first_response_histogram_ms', 'ms'],
    ['nv_gpu_memory_total_bytes', 'By'],
    ['nv_inference_request_success', '{request}'],
    ['DCGM_FI_DEV_POWER_USAGE', 'W'],
    ['DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION', 'mJ'],
    ['DCGM_FI_DEV_GPU_TEMP', 'Cel'],
    ['DCGM_FI_DEV_SM_CLOCK', 'MHz'],
    ['DCGM_FI_DEV_MEM_COPY_UTIL', '%'],
    ['DCGM_FI_DEV_FB_USED', 'MiBy'],
    ['DCGM_FI_PROF_GR_ENGINE_ACTIVE', '1'],
    ['DCGM_FI_DEV_XID_ERRORS', ''],
    ['vllm:request_queue_time_seconds', 's'],
    ['process_cpu_seconds_total', 's'],
    ['vllm:num_preemptions_total', ''],
    ['vllm:iteration_tokens_total', '{token}'],
    ['sglang:num_used_tokens', '{token}'],
    ['http_requests_total', '{request}'],
    ['seconds', 's'],
    ['', ''],
  ] as const) {
    test(`${name} is in ${unit === '' ? 'no unit' : unit}`, () =>
      assert.equal(knownUnit(name) ?? unitInName(name), unit));
  }

  test('a blank of DCGM is no value, a value beside it is', async () => {
    const page = (value: number | string): string =>
      `# TYPE DCGM_FI_DEV_GPU_TEMP gauge\nDCGM_FI_DEV_GPU_TEMP ${value}\n`;
    for (const [value, isBlank] of [
      ['2147483631', false],
      ['2147483632', true],
      ['2147483635', true],
      ['2147483636', false],
      ['9223372036854775794', true],
      ['140737488355328', true],
      ['140737488355327', false],
    ] as const) {
      const { reports } = await runs([page(value)], [{}]);
      assert.equal(reports[0]?.drops['blank'], isBlank ? 1 : undefined, value);
    }
  });
});
