/** Pages as real clients write them: kept ones of the Python client (test/pages), fresh ones of prom-client. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { pageOf, printFamilies } from './notation.ts';

const page = (name: string): string =>
  readFileSync(new URL(`../pages/${name}.prom`, import.meta.url), 'utf8');

/** Lines, whatever their indent -> families in one line. */
function assertRead(text: string, want: string): void {
  assert.equal(printFamilies(`${text.replaceAll(/\n +/g, '\n')}\n`), want);
}

describe('the Python client: samples', () => {
  const pages = ['text-0.0.4', 'text-1.0.0-utf8', 'openmetrics-1.0-lost-colons', 'openmetrics-1.0-utf8'];

  for (const name of pages) {
    test(`${name}: every line is understood`, () => {
      const { series, refused } = pageOf(page(name));
      const lines = page(name).match(/^[^#\n].*$/gm) ?? [];
      assert.deepEqual([series.length, refused.count, refused.anywhere], [lines.length, 0, false]);
    });
  }

  test('quoted names, escapes and units', () => {
    const read = pageOf(page('text-1.0.0-utf8'));
    const keys = read.series.map(({ key }) => key);
    assert(keys.includes('{"demo.näme","lab.el"="x"}'));
    assert(
      keys.includes('vllm:prompt_tokens_total{engine="1",model_name="a\\"quoted\\"\\\\path\\nüber"}'),
      keys.join('\n'),
    );
    assert.equal(read.metadata.get('plain_total')?.help, 'No labels, a \\ and a\nsecond line');
    const openmetrics = pageOf(page('openmetrics-1.0-utf8')).metadata;
    assert.equal(openmetrics.get('memory_bytes')?.unit, 'bytes');
    assert.equal(openmetrics.get('rpc')?.help, 'Python summaries have no "quantiles"');
  });
});

describe('real pages: families', () => {
  const read = (name: string): string[] => printFamilies(page(name)).split('; ');

  test('the Python client: every format says the same', () => {
    const text = read('text-0.0.4');
    assert.deepEqual(text, [
      'gauge process_start_time_seconds 1767222000.5',
      'gauge vllm:num_requests_running{engine="0"} 3',
      'gauge memory_bytes 150000000000',
      'gauge build_info{version="1.2.3"} 1',
      'gauge state{state="starting"} 0',
      'gauge state{state="running"} 1',
      'gauge demo_n_me{lab_el="x"} -0',
      'counter vllm:prompt_tokens_total{engine="0",model_name="meta/llama"} 1200 created 1767225600.25',
      'counter vllm:prompt_tokens_total{engine="1",model_name="a\\"quoted\\"\\\\path\\nüber"} ' +
        '9007199254740992 created 1767225600.25',
      'counter plain_total 1e+22 created 1767225600.25',
      'histogram vllm:iteration_tokens_total{engine="0"} le[1 8] [1 1 1] sum 107.5 created 1767225600.25',
      'histogram vllm:iteration_tokens_total{engine="1"} le[1 8] [0 0 0] sum 0 created 1767225600.25',
      'summary rpc count 1 sum 0.1 created 1767225600.25',
      'start 1767222000.5',
      'drop nan 1',
    ]);
    const utf8 = text.map((line) => line.replace('demo_n_me{lab_el=', '{"demo.näme","lab.el"='));
    assert.deepEqual(read('text-1.0.0-utf8'), utf8);
    assert.deepEqual(read('openmetrics-1.0-utf8'), utf8);
    assert.deepEqual(read('openmetrics-1.0-lost-colons'), text);
  });

  for (const [format, contentType] of [
    ['text', Registry.PROMETHEUS_CONTENT_TYPE],
    ['OpenMetrics', Registry.OPENMETRICS_CONTENT_TYPE],
  ] as const) {
    test(`prom-client: ${format}`, async () => {
      const registry = new Registry();
      // The types of prom-client bind a registry to the text format.
      registry.setContentType(contentType as typeof Registry.PROMETHEUS_CONTENT_TYPE);
      const registers = [registry];
      const requests = new Counter({ name: 'requests_total', help: 'R', labelNames: ['path'], registers });
      requests.inc({ path: 'a"b\\c\nd' }, 3);
      new Gauge({ name: 'temperature', help: 'T', registers }).set(-1.5e-7);
      const buckets = [0.1, 1];
      const latency = new Histogram({ name: 'latency', help: 'L', labelNames: ['m'], buckets, registers });
      latency.observe({ m: 'x' }, 0.05);
      latency.observe({ m: 'x' }, 5);
      new Summary({ name: 'size', help: 'S', percentiles: [0.5], registers }).observe(2);
      assert.equal(
        printFamilies(await registry.metrics()),
        'gauge temperature -1.5e-7; gauge size{quantile="0.5"} 2; ' +
          'counter requests_total{path="a\\"b\\\\c\\nd"} 3; ' +
          'histogram latency{m="x"} le[0.1 1] [1 0 1] sum 5.05; summary size count 1 sum 2',
      );
    });
  }

  test('dcgm-exporter and Triton: counters without _total, energy, blanks', () => {
    assertRead(
      `# HELP DCGM_FI_DEV_GPU_TEMP GPU temperature (in C).
       # TYPE DCGM_FI_DEV_GPU_TEMP gauge
       DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-1",device="nvidia0"} 42
       # TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter
       DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-1"} 1557126389
       # TYPE DCGM_FI_DEV_POWER_USAGE gauge
       DCGM_FI_DEV_POWER_USAGE{gpu="0"} 9223372036854775794`,
      'gauge DCGM_FI_DEV_GPU_TEMP{UUID="GPU-1",device="nvidia0",gpu="0"} 42; ' +
        'counter DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{UUID="GPU-1",gpu="0"} 1557126389; drop blank 1',
    );
    assertRead(
      `# TYPE nv_inference_count counter
       nv_inference_count{model="e",version="1"} 7
       # TYPE nv_energy_consumption counter
       nv_energy_consumption{gpu_uuid="GPU-1"} 53.5
       # TYPE nv_inference_request_summary_us summary
       nv_inference_request_summary_us{model="e",version="1",quantile="0.5"} 4
       nv_inference_request_summary_us_count{model="e",version="1"} 7
       nv_inference_request_summary_us_sum{model="e",version="1"} 30
       # TYPE nv_gpu_utilization gauge
       nv_gpu_utilization{gpu_uuid="GPU-1"} 0.5`,
      'gauge nv_inference_request_summary_us{model="e",quantile="0.5",version="1"} 4; ' +
        'gauge nv_gpu_utilization{gpu_uuid="GPU-1"} 0.5; ' +
        'counter nv_inference_count{model="e",version="1"} 7; ' +
        'counter nv_energy_consumption{gpu_uuid="GPU-1"} 53.5; ' +
        'summary nv_inference_request_summary_us{model="e",version="1"} count 7 sum 30',
    );
  });
});
