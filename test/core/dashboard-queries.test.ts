/** Every tile's query on what the exporter really sends, against numbers counted from the pages. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { buildDashboard } from '../../functions/core/dashboard/dashboard.ts';
import { FIXTURES, LACKING } from './dashboard-pages.ts';
import { PRICES, storeOf, tilesOf } from './dashboard-store.ts';
import { type Moment, type Selection, type Truth, type Where, readTruth } from './dashboard-truth.ts';
import { type Cell, type DqlRecord, evaluateDql } from './dql-evaluator.ts';
import { type Timeseries, parseDql } from './dql-parser.ts';

type Expected = number | null | readonly [low: number, high: number];
type Columns = Readonly<Record<string, (truth: Selection) => Expected>>;

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
const mean = (values: readonly number[]) => (values.length === 0 ? null : total(values) / values.length);
const most = (values: readonly number[]) => (values.length === 0 ? null : Math.max(...values));
const percent = (value: number | null) => (value === null ? null : 100 * value);
const sumOf = (values: readonly number[]) => (values.length === 0 ? null : total(values));

const increase =
  (counter: string, factor = 1) =>
  (truth: Selection) =>
    factor * truth.increase(counter);
const cost = (truth: Selection) =>
  (0.15 * truth.increase('prompt_tokens_total') + 0.6 * truth.increase('generation_tokens_total')) / 1e6;
const tokens = (factor?: number): Columns => ({
  prompt: increase('prompt_tokens_total', factor),
  generation: increase('generation_tokens_total', factor),
});
const percentiles = (histogram: string): Columns => ({
  p50: (truth) => truth.percentileBetween(histogram, 50),
  p95: (truth) => truth.percentileBetween(histogram, 95),
  p99: (truth) => truth.percentileBetween(histogram, 99),
});
const meanObserved = (histogram: string) => (truth: Selection) => truth.meanObserved(histogram);

/** Title -> column -> what pages say. */
const EXPECTED: Readonly<Record<string, Columns>> = {
  Requests: { requests: increase('request_finish_total') },
  'Failed requests': { failed: increase('request_failure_total') },
  'Token cost': { cost },
  'Requests per second': {
    succeeded: increase('request_success_total', 1 / 60),
    failed: increase('request_failure_total', 1 / 60),
  },
  'Failure ratio': {
    failed_percent: (truth) => {
      const finished = truth.increase('request_finish_total');
      return finished === 0 ? null : (100 * truth.increase('request_failure_total')) / finished;
    },
  },
  'Finish reasons': { requests: increase('request_finish_total') },
  'Tokens per second': tokens(1 / 60),
  'Tokens per request': {
    prompt: meanObserved('request_prompt_tokens'),
    generation: meanObserved('request_generation_tokens'),
  },
  'Token cost over time': { cost },
  'Tokens by model': tokens(),
  'Busiest instances': { requests: increase('request_finish_total') },
  'KV cache': {
    used_percent: (truth) => percent(mean(truth.gauges('gpu_cache_usage_perc'))),
    fullest_percent: (truth) => percent(most(truth.gauges('gpu_cache_usage_perc'))),
  },
  'Requests running and waiting': {
    running: (truth) => sumOf(truth.gauges('num_requests_running')),
    waiting: (truth) => sumOf(truth.gauges('num_requests_waiting')),
    maximum: (truth) => sumOf(truth.gauges('num_request_max')),
  },
  'Targets up': { up_percent: (truth) => percent(mean(truth.gauges('up'))) },
  'Least available targets': { up_percent: (truth) => percent(mean(truth.gauges('up'))) },
  'Scrape duration': {
    usual: (truth) => mean(truth.gauges('scrape_duration_seconds')),
    longest: (truth) => most(truth.gauges('scrape_duration_seconds')),
  },
  'Samples scraped': { samples: (truth) => sumOf(truth.gauges('scrape_samples_scraped')) },
};

const LATENCIES: Readonly<Record<string, string>> = {
  'Time to first token': 'time_to_first_token_seconds',
  'Time per output token': 'time_per_output_token_seconds',
  'End-to-end latency': 'e2e_request_latency_seconds',
};

const EXPECTED_LATENCIES = {
  grail: Object.fromEntries(Object.entries(LATENCIES).map(([title, name]) => [title, percentiles(name)])),
  summary: Object.fromEntries(
    Object.entries(LATENCIES).map(([title, name]) => [title, { mean: meanObserved(name) }]),
  ),
} as const;

/** Rows of the tiles that no page fills; something is told in the first two minutes. */
const OWN_TILES: Readonly<
  Record<string, (minutes: (...values: (number | null)[]) => Cell) => readonly DqlRecord[]>
> = {
  'Detected problems': () => [{ problems: 1 }],
  'Points sent': (minutes) => [{ points: minutes(5, 15) }],
  'Points dropped': (minutes) => [
    { reason: 'filtered', points: minutes(2, 1) },
    { reason: 'initial', points: minutes(1, null) },
    { reason: 'gauge_not_delivered', points: minutes(10, null) },
  ],
  'Points rejected': (minutes) => [{ reason: 'VALUE_INVALID', points: minutes(null, 1) }],
  'Points rejected by Dynatrace': (minutes) => [{ reason: 'VALUE_INVALID', points: minutes(3, 3) }],
  'Series pending': (minutes) => [{ series: minutes(1, 0) }],
  'Age of what is pending': (minutes) => [{ age: minutes(120, 0) }],
};

/** The groups that a query must show: with union those of any of its metrics, else those of all. */
function groupsOf({ aggregations, by, union }: Timeseries, { shown }: Truth): readonly Where[] {
  const perMetric = [...new Set(aggregations.map(({ metric }) => metric))].map((metric) => {
    const groups = (shown.get(metric) ?? []).map((labels) => by.map((name) => labels[name] ?? null));
    return new Set(groups.map((group) => JSON.stringify(group)));
  });
  const keys = new Set(perMetric.flatMap((keys) => [...keys]));
  const kept = [...keys].filter((key) => union || perMetric.every((keys) => keys.has(key)));
  return kept.map((key) => {
    const values = JSON.parse(key) as readonly (string | null)[];
    return Object.fromEntries(by.map((name, i) => [name, values[i] ?? null]));
  });
}

function assertSame(actual: number | null, expected: Expected, what: string): void {
  if (typeof expected === 'object' && expected !== null) {
    const [low, high] = expected;
    assert(
      actual !== null && actual >= low && actual <= high,
      `${what}: ${actual} is not in ${low}..${high}`,
    );
    return;
  }
  // What is 0 on the pages may be no point at all.
  const [is, should] = [actual ?? 0, expected ?? 0];
  assert(Math.abs(is - should) <= 1e-9 * Math.abs(should), `${what}: ${is}, but pages say ${should}`);
}

for (const variant of ['grail', 'summary'] as const) {
  const columnsOf: Readonly<Record<string, Columns>> = { ...EXPECTED, ...EXPECTED_LATENCIES[variant] };

  test(`${variant}: what each tile must show is known`, () => {
    const titles = tilesOf(variant).map(({ title }) => title);
    assert.deepEqual(titles.toSorted(), [...Object.keys(columnsOf), ...Object.keys(OWN_TILES)].toSorted());
  });

  for (const fixture of FIXTURES) {
    describe(`${variant}: ${fixture.name}`, async () => {
      const truth = readTruth(fixture);
      const store = await storeOf(fixture, truth);

      for (const { title, query } of tilesOf(variant)) {
        test(title, () => {
          const records = evaluateDql(query, store);
          const own = OWN_TILES[title]?.((...values) =>
            Array.from({ length: truth.ticks }, (_, tick) => values[tick] ?? null),
          );
          if (own !== undefined) return assert.deepEqual(records, own);
          const parsed = parseDql(query) as Timeseries;
          const groups = groupsOf(parsed, truth);
          assert.equal(records.length, groups.length);
          const isFilled = !fixture.empty.includes(title);
          assert.equal(records.length > 0, isFilled);
          const columns = columnsOf[title] ?? {};
          let values = 0;
          for (const record of records) {
            const where = Object.fromEntries(parsed.by.map((name) => [name, record[name] as string | null]));
            assert.deepEqual(
              Object.keys(record).toSorted(),
              [...parsed.by, ...Object.keys(columns)].toSorted(),
            );
            for (const [column, expected] of Object.entries(columns)) {
              const cell = record[column] as number | null | readonly (number | null)[];
              const moments: readonly [Moment, number | null][] =
                cell !== null && typeof cell === 'object'
                  ? cell.map((value, tick) => [tick, value] as const)
                  : [['whole', cell]];
              for (const [moment, value] of moments) {
                assertSame(value, expected(truth.at(moment, where)), `${column} at ${moment}`);
                if (value !== null) values += 1;
              }
            }
          }
          assert.equal(values > 0, isFilled, 'the tile shows nothing');
        });
      }

      test('no model and no service chosen: no rows where they narrow', () => {
        const none = { ...store, variables: { ...PRICES, Service: [], Model: [] } };
        for (const { title, query } of tilesOf(variant)) {
          if (OWN_TILES[title] === undefined) assert.deepEqual(evaluateDql(query, none), [], title);
        }
      });
    });
  }
}

test('the variables offer the models and jobs that there are', async () => {
  const options = { variant: 'grail', histogramSuffix: '', promptPrice: '0', generationPrice: '0' } as const;
  const { variables } = buildDashboard(options);
  for (const fixture of FIXTURES) {
    const store = await storeOf(fixture, readTruth(fixture));
    for (const { key, input } of variables) {
      if (input === undefined) continue;
      const offered = evaluateDql(input, store).flatMap((record) => Object.values(record));
      assert.deepEqual(offered, store.variables[key], `${key} of ${fixture.name}`);
    }
  }
});

test('every metric and dimension of a query is sent, in every generation', async () => {
  for (const generation of new Set(FIXTURES.map((fixture) => fixture.generation))) {
    const ofGeneration = FIXTURES.filter((fixture) => fixture.generation === generation);
    const sent = new Map<string, Set<string>>();
    for (const fixture of ofGeneration) {
      const { points } = await storeOf(fixture, readTruth(fixture));
      for (const { metric, dimensions } of points) {
        const known = sent.get(metric) ?? new Set();
        sent.set(metric, new Set([...known, ...Object.keys(dimensions)]));
      }
    }
    for (const variant of ['grail', 'summary'] as const) {
      for (const { title, query } of tilesOf(variant)) {
        const parsed = parseDql(query);
        if (parsed.kind === 'fetch') continue;
        for (const { metric } of parsed.aggregations) {
          if (parsed.union && LACKING[generation].includes(metric)) continue;
          const dimensions = sent.get(metric);
          assert(dimensions, `${title} asks for ${metric}, which NIM ${generation} does not send`);
          for (const dimension of [...parsed.by, ...parsed.filter.map((one) => one.dimension)])
            assert(dimensions.has(dimension), `${title} asks for ${dimension} of ${metric}`);
        }
      }
    }
  }
});
