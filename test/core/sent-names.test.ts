/** Names told from one page are those under which it leaves the pipeline. */
import { strict as assert } from 'node:assert';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { MAX_PAGE_SAMPLES, parseExposition } from '../../functions/core/exposition.ts';
import { DEFAULT_OUTPUT } from '../../functions/core/output-text.ts';
import { explainSeries, sampleRulesOf } from '../../functions/core/relabel/explain-series.ts';
import { DEFAULT_RELABEL_CONFIG } from '../../functions/core/relabel/relabel.ts';
import type { OutputSettings } from '../../functions/core/scrape-config.ts';
import { createSentNames } from '../../functions/core/sent-names.ts';
import { createSeriesTable } from '../../functions/core/series.ts';
import type { Target } from '../../functions/core/model.ts';
import { createWorld, target } from '../fakes/ports.ts';

const REPORTED = /^(?:up|scrape_\w+)$/;

function told(page: string, of: Target): readonly string[] {
  const table = createSeriesTable();
  const parsed = parseExposition(new TextEncoder().encode(page), table, MAX_PAGE_SAMPLES);
  assert(parsed.code === 'page');
  const sentNames = createSentNames(parsed.page, of, table);
  const rules = sampleRulesOf(of);
  const names = parsed.page.series.flatMap((series) => {
    const { outcome } = explainSeries(series, rules);
    return 'labels' in outcome ? sentNames(outcome.name, outcome.labels) : [];
  });
  return [...new Set(names)].sort();
}

async function sent(page: string, of: Target): Promise<readonly string[]> {
  const world = createWorld();
  world.script.scrape = () => page;
  await world.run(60, [of]);
  await world.run(120, [of]);
  const names = world.bodies.flatMap(({ points }) => points.map(({ name }) => name));
  return [...new Set(names)].filter((name) => !REPORTED.test(name)).sort();
}

const NIM_PAGES = new URL('../pages/nim/', import.meta.url);
const OPTIONS: Readonly<Record<string, Partial<OutputSettings>>> = {
  'by default': {},
  raw: { metricNames: 'raw' },
  core: { preset: 'core' },
  'core, raw': { preset: 'core', metricNames: 'raw' },
  all: { preset: 'all' },
  'chosen by name': { include: ['vllm:*', 'request_*'], exclude: ['*_tokens', 'vllm:num_requests_waiting'] },
};

for (const file of readdirSync(NIM_PAGES).filter((name) => name.endsWith('.prom'))) {
  describe(file, () => {
    const page = readFileSync(new URL(file, NIM_PAGES), 'utf8');
    for (const [name, output] of Object.entries(OPTIONS))
      test(name, async () => {
        const of = target('10.0.0.1:8000', { output: { ...DEFAULT_OUTPUT, ...output } });
        const names = told(page, of);
        assert.deepEqual(names, await sent(page, of));
      });
  });
}

const PAGE = `# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0"} 1
# TYPE size summary
size_count 2
size_sum 3
# TYPE wait histogram
wait_bucket{le="1"} 1
wait_bucket{le="+Inf"} 2
wait_count 2
wait_sum 3
# TYPE load gauge
load{le="1"} 1
`;

test('summaries, histograms, and a gauge with a label le', async () => {
  const of = target('10.0.0.1:8000');
  assert.deepEqual(told(PAGE, of), ['load', 'prompt_tokens_total', 'size_count', 'size_sum', 'wait']);
  assert.deepEqual(await sent(PAGE, of), told(PAGE, of));
});

test('a name that a rule wrote is the one that counts', async () => {
  const rule = { ...DEFAULT_RELABEL_CONFIG, sourceLabels: ['__name__'], targetLabel: '__name__' };
  const of = target('10.0.0.1:8000', {
    metricRelabelConfigs: [{ ...rule, regex: 'load', replacement: 'python_load' }],
  });
  assert.deepEqual(told(PAGE, of), ['prompt_tokens_total', 'size_count', 'size_sum', 'wait']);
  assert.deepEqual(await sent(PAGE, of), told(PAGE, of));
});

test('of a page that fails by a limit nothing is sent', async () => {
  const of = target('10.0.0.1:8000', { sampleLimit: 3 });
  assert.deepEqual(told(PAGE, of), []);
  assert.deepEqual(await sent(PAGE, of), []);
});
