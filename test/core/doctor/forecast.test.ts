/** What a page would send, told before anything is deployed, and held against the pipeline itself. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type ForecastWarning,
  MANY_SERIES,
  MAX_ALTERATIONS,
  MAX_EXAMPLES,
  MAX_EXAMPLE_LENGTH,
  MAX_MODELS,
  NEAR_LIMIT,
  type WarningCode,
} from '../../../functions/core/doctor/forecast-model.ts';
import { forecastPage } from '../../../functions/core/doctor/forecast.ts';
import type { Target } from '../../../functions/core/model.ts';
import { DEFAULT_OUTPUT } from '../../../functions/core/output-text.ts';
import { target } from '../../fakes/ports.ts';
import { PLAIN, RECORDED, TICK_MS, anyPage, anyTarget, forecastOf, scrapedTwice, sentBy } from './pages.ts';

const STARTED = '# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1767220000\n';
const bytes = (page: string): Uint8Array => new TextEncoder().encode(page);

function metric(page: string, name: string, of: Target = PLAIN) {
  const { metrics } = forecastOf(page, of);
  return metrics.find((one) => one.name === name);
}

function warning(page: string, code: WarningCode, of: Target = PLAIN): ForecastWarning | undefined {
  return forecastOf(page, of).warnings.find((one) => one.code === code);
}

async function assertSame(page: string, of: Target): Promise<void> {
  const told = forecastOf(page, of);
  const { sent, report } = await scrapedTwice(page, of);
  assert.deepEqual(sentBy(told), sent);
  const dropped = told.dropped.filter(({ reason }) => reason !== 'relabelled');
  assert.deepEqual(Object.fromEntries(dropped.map(({ reason, count }) => [reason, count])), report.drops);
  assert.equal(told.points.given.perMinute, report.targets[0]?.points);
  assert.equal(told.page.refused.lines, report.targets[0]?.refusedLines);
  const collision = told.warnings.find(({ code }) => code === 'collision');
  assert.equal(collision?.message, report.targets[0]?.collision);
}

describe('names, types, units and drops are those of the second of two scrapes', () => {
  for (const [name, page] of RECORDED)
    test(name, async () => {
      for (const preset of ['core', 'default', 'all'] as const)
        await assertSame(page, target('10.0.0.1:8000', { output: { ...DEFAULT_OUTPUT, preset } }));
    });

  test('any page under any settings', async () => {
    await fc.assert(fc.asyncProperty(anyPage, anyTarget, assertSame), { numRuns: 150 });
  });
});

describe('a metric', () => {
  test('of NIM 2.x: its final name, what the engines are added up to, and where it comes from', () => {
    const page = ['0', '1']
      .map((engine) => `vllm:num_requests_running{engine="${engine}",model_name="m"} 2`)
      .join('\n');
    assert.deepEqual(metric(`# TYPE vllm:num_requests_running gauge\n${page}\n`, 'num_requests_running'), {
      name: 'num_requests_running',
      type: 'gauge',
      unit: '{request}',
      series: 1,
      dimensions: ['model_name', 'service.instance.id', 'service.name'],
      sources: ['vllm:num_requests_running'],
    });
  });

  test('a summary is two counters, its quantiles are a gauge', () => {
    const page = '# TYPE s_us summary\ns_us{quantile="0.5"} 3\ns_us_sum 9\ns_us_count 2\n';
    const { metrics } = forecastOf(page);
    const own = metrics.filter(({ sources }) => sources.length > 0);
    assert.deepEqual(
      own.map(({ name, type, sources }) => [name, type, ...sources]),
      [
        ['s_us', 'gauge', 's_us'],
        ['s_us_count', 'counter', 's_us'],
        ['s_us_sum', 'counter', 's_us'],
      ],
    );
  });

  test('that a rule renamed is told by the name on the page', () => {
    const rule = { action: 'replace', sourceLabels: ['__name__'], separator: ';', modulus: 0 } as const;
    const rename = [{ ...rule, regex: 'old(.*)', targetLabel: '__name__', replacement: 'new$1' }];
    const renamed = target('10.0.0.1:8000', { metricRelabelConfigs: rename });
    const page =
      '# TYPE old histogram\nold_bucket{le="+Inf"} 1\nold_count 1\nold_sum 2\n# TYPE old_g gauge\nold_g 1\n';
    assert.deepEqual(metric(page, 'new', renamed)?.sources, ['old']);
    assert.deepEqual(metric(page, 'new_g', renamed)?.sources, ['old_g']);
  });

  test('up and the scrape gauges come of no page', () => {
    const own = forecastOf('aa 1\n').metrics.filter(({ sources }) => sources.length === 0);
    assert.equal(own.length, 5);
    assert(own.every(({ name }) => name === 'up' || name.startsWith('scrape_')));
  });
});

describe('what is dropped', () => {
  const drops = (page: string, of: Target = PLAIN) =>
    forecastOf(page, of).dropped.map(({ reason, count, examples }) => [reason, count, ...examples]);

  test('nothing of an ordinary page', () => {
    assert.deepEqual(drops('# TYPE aa counter\naa 1\n'), []);
  });

  for (const [reason, page, ...told] of [
    ['filtered', 'python_info{version="3"} 1\n', 1, 'python_info{version="3"}'],
    ['nan', '# TYPE aa gauge\naa{k="v"} NaN\n', 1, 'aa{k="v"}'],
    ['negative', '# TYPE aa counter\naa -1\n', 1, 'aa'],
    ['blank', '# TYPE DCGM_FI_X gauge\nDCGM_FI_X 2147483632\n', 1, 'DCGM_FI_X'],
    ['duplicate', '# TYPE aa gauge\naa{k="v"} 1\naa{k="v"} 2\n', 1, 'aa{k="v"}'],
    [
      'invalid_histogram',
      '# TYPE hh histogram\nhh_bucket{le="1"} 5\nhh_bucket{le="2"} 3\nhh_count 5\nhh_sum 1\n',
      1,
      'hh',
    ],
    ['unsendable', '# TYPE aa gauge\naa 1 1000\n', 1, 'aa'],
    [
      'unsendable',
      `${'# TYPE aa gauge\naa{'}${Array.from({ length: 50 }, (_, i) => `l${i}="1"`).join()}} 1\n`,
      1,
    ],
  ] as const)
    test(`${reason}, with an example: ${page.slice(0, 40)}`, () => {
      const [only] = drops(page);
      assert.deepEqual(only?.slice(0, 1 + told.length), [reason, ...told]);
    });

  test('by metric_relabel_configs', () => {
    const rule = { sourceLabels: ['__name__'], separator: ';', modulus: 0, targetLabel: '', replacement: '' };
    const relabel = target('10.0.0.1:8000', {
      metricRelabelConfigs: [{ ...rule, action: 'drop', regex: 'aa' }],
    });
    assert.deepEqual(drops('aa{k="1"} 1\nbb 1\naa{k="2"} 1\n', relabel), [
      ['relabelled', 2, 'aa{k="1"}', 'aa{k="2"}'],
    ]);
  });

  test('examples are few and short', () => {
    const long = 'x'.repeat(MAX_EXAMPLE_LENGTH);
    const page = Array.from({ length: MAX_EXAMPLES + 1 }, (_, i) => `python_${i}{a="${long}"} 1\n`).join('');
    const [only] = forecastOf(page).dropped;
    assert.equal(only?.count, MAX_EXAMPLES + 1);
    assert.deepEqual(
      only.examples.map(({ length }) => length),
      Array(MAX_EXAMPLES).fill(MAX_EXAMPLE_LENGTH),
    );
    const [fits] = forecastOf(`python_${'x'.repeat(MAX_EXAMPLE_LENGTH - 7)} 1\n`).dropped;
    assert.deepEqual(fits?.examples, [`python_${'x'.repeat(MAX_EXAMPLE_LENGTH - 7)}`]);
  });
});

describe('what Dynatrace would not take as it is', () => {
  const altered = (page: string, of: Target = PLAIN) =>
    forecastOf(page, of).altered.map(({ kind, from, to }) => `${kind}: ${from} -> ${to}`);

  test('an ordinary series stays', () => {
    assert.deepEqual(altered('# TYPE aa gauge\naa{model_name="m",job="x",instance="y"} 1\n'), []);
  });

  for (const [page, ...told] of [
    ['vllm:x 1\n', 'metric_name: vllm:x -> vllm_x'],
    ['aa{Hostname="h"} 1\n', 'dimension_key: Hostname -> hostname'],
    ['aa{Host="1",host="2"} 1\n', 'dimension_clash: host -> host', 'dimension_key: Host -> host'],
    [
      '# TYPE hh histogram\nhh_bucket{le="-1"} 1\nhh_bucket{le="2"} 2\nhh_count 3\nhh_sum 1\n',
      'negative_bounds: le -1, 2 -> le 2',
    ],
  ] as const)
    test(told.join('; '), () => {
      assert.deepEqual(altered(page), told);
    });

  test('a long value ends in a hash; one of 255 characters stays', () => {
    assert.deepEqual(altered(`aa{k="${'v'.repeat(255)}"} 1\n`), []);
    assert.match(
      altered(`aa{k="${'v'.repeat(256)}"} 1\n`)[0] ?? '',
      /^dimension_value: v{256} -> v{243}_[0-9a-z]{11}$/,
    );
  });

  test('a unit that is not ASCII is none; a description is cut', () => {
    const page = (unit: string, help: number) => `# UNIT aa ${unit}\n# HELP aa ${'h'.repeat(help)}\naa 1\n`;
    assert.deepEqual(altered(page('bananas', 1023)), []);
    assert.deepEqual(altered(page('m²', 1023)), ['unit: m² -> ']);
    assert.match(
      altered(page('m', 1024))[0] ?? '',
      /^description: h{297}\.\.\. -> its first 1023 characters$/,
    );
  });

  test('max_buckets merges, and says how many', () => {
    const page = '# TYPE hh histogram\nhh_bucket{le="1"} 1\nhh_bucket{le="2"} 2\nhh_count 3\nhh_sum 1\n';
    const of = (maxBuckets: number) => target('10.0.0.1:8000', { output: { ...DEFAULT_OUTPUT, maxBuckets } });
    assert.deepEqual(altered(page, of(3)), []);
    assert.deepEqual(altered(page, of(2)), ['buckets: 3 buckets -> 2 buckets']);
  });

  test('what is not sent is not altered either', () => {
    assert.deepEqual(altered('python_x{Host="1"} 1\n'), []);
  });

  test('each once, and no more than can be read', () => {
    const page = (count: number) =>
      Array.from({ length: count }, (_, i) => `a:${i}{k="1"} 1\na:${i}{k="2"} 1\n`).join('');
    const told = [MAX_ALTERATIONS, MAX_ALTERATIONS + 1].map((count) => forecastOf(page(count)));
    assert.deepEqual(
      told.map(({ altered: { length }, alterations }) => [length, alterations]),
      [
        [MAX_ALTERATIONS, MAX_ALTERATIONS],
        [MAX_ALTERATIONS, MAX_ALTERATIONS + 1],
      ],
    );
  });
});

describe('points', () => {
  test('at the interval of the target; below a minute there is one run a minute', () => {
    const at = (intervalMs: number) =>
      forecastOf('aa 1\n', target('10.0.0.1:8000', { intervalMs })).points.given.perMinute;
    assert.deepEqual([10_000, 60_000, 120_000].map(at), [6, 6, 3]);
  });

  test('a preset takes the place of the given one; include and exclude stay', () => {
    const output = {
      ...DEFAULT_OUTPUT,
      preset: 'core',
      include: ['python_x'],
      exclude: ['scrape_*'],
    } as const;
    const { points } = forecastOf(
      'python_x 1\npython_y 1\naa 1\nnum_request_max 1\n',
      target('10.0.0.1:8000', { output }),
    );
    assert.deepEqual(
      [points.given, points.core, points.default, points.all].map(({ perMinute }) => perMinute),
      [3, 3, 4, 5],
    );
  });
});

describe('warnings', () => {
  const cases: readonly (readonly [WarningCode, good: string, bad: string, RegExp, Partial<Target>?])[] = [
    [
      'refused_lines',
      'aa 1\n',
      'aa 1\nbb x\n',
      /^line 2 of the page cannot be read: no number; the other lines are taken$/,
    ],
    ['collision', 'a_b 1\n', 'a:b 1\na_b 1\n', /^Dynatrace could not tell a_b from a:b/],
    ['nothing_sent', 'aa 1\n', 'python_x 1\n', /^nothing of this page is sent/],
    ['nothing_sent', '# TYPE aa counter\npython_x 1\n', 'python_x 1\n', /right path and port$/],
    [
      'model_name_missing',
      'num_request_max{model_name="m"} 1\n',
      'num_request_max 1\n',
      /^num_request_max: no label model_name/,
    ],
    [
      'no_process_start',
      STARTED + counter(1),
      counter(1),
      /^the page does not tell process_start_time_seconds/,
    ],
    ['no_process_start', 'aa 1\n', counter(1), /give each a target of its own$/],
    [
      'families_without_samples',
      counter(1),
      '# TYPE aa counter\nbb 1\n',
      /^one family of the page without a sample so far \(aa\)/,
    ],
    [
      'many_series',
      gauges(MANY_SERIES),
      gauges(MANY_SERIES + 1),
      /^gg has 1001 series, i alone has 1001 values, and 999 such/,
    ],
    [
      'near_limit',
      gauges(100 * NEAR_LIMIT - 1),
      gauges(100 * NEAR_LIMIT),
      /^the page has 80 samples, and sample_limit is 100/,
      { sampleLimit: 100 },
    ],
    [
      'near_limit',
      'aa 1\n',
      'aaaaa 1\n',
      /^the page has 8 bytes, and body_size_limit is 10/,
      { bodySizeLimitBytes: 10 },
    ],
    [
      'points_over_budget',
      'aa 1\n',
      'aa 1\nbb 1\n',
      /^a run sends 7 points, and points_budget is 6/,
      { output: { ...DEFAULT_OUTPUT, pointsBudget: 6 } },
    ],
  ];
  for (const [code, good, bad, message, changes] of cases)
    test(`${code}: ${String(message).slice(1, 60)}`, () => {
      const of = target('10.0.0.1:8000', changes);
      assert.equal(warning(good, code, of), undefined);
      assert.match(warning(bad, code, of)?.message ?? 'none', message);
    });

  test('page_cut: where HTTP did not tell the end', () => {
    const codes = [true, false].map((complete) => {
      const told = forecastPage(bytes('aa 1\nbb 2'), PLAIN, TICK_MS, { complete });
      return told.code === 'forecast' ? told.warnings.map(({ code }) => code) : [];
    });
    assert.deepEqual(codes, [[], ['page_cut', 'refused_lines']]);
  });

  test('a budget of 0 is none', () => {
    const output = { ...DEFAULT_OUTPUT, pointsBudget: 0 };
    assert.equal(warning('aa 1\n', 'points_over_budget', target('10.0.0.1:8000', { output })), undefined);
  });
});

describe('a page that cannot be used', () => {
  const code = (page: string, changes: Partial<Target> = {}, fits = () => true) =>
    forecastPage(bytes(page), target('10.0.0.1:8000', changes), TICK_MS, { fits }).code;

  for (const [name, page, changes] of [
    ['not_exposition', '<html></html>', {}],
    ['sample_limit', 'aa 1\nbb 1\n', { sampleLimit: 1 }],
    ['label_limit', 'aa{b="c"} 1\n', { labelLimit: 1 }],
    ['body_size_limit', 'aa 1\n', { bodySizeLimitBytes: 4 }],
  ] as const) {
    test(name, () => {
      assert.equal(code(page, changes), name);
    });
  }

  test('at its limits it can be', () => {
    assert.equal(code('aa 1\n', { sampleLimit: 1, bodySizeLimitBytes: 6 }), 'forecast');
  });

  test('state_too_large, as the store says', () => {
    assert.equal(
      code('aa 1\n', {}, () => false),
      'state_too_large',
    );
  });
});

describe('the page itself', () => {
  test('families by the names of their comments, those without samples too; models; the start', () => {
    const { page } = forecastOf(
      `${STARTED}# TYPE hh histogram\nhh_bucket{le="+Inf",model_name="m"} 1\nhh_count 1\n# HELP zz none\nqq{model="n"} 1\n`,
    );
    assert.deepEqual(page.families, ['hh', 'process_start_time_seconds', 'qq', 'zz']);
    assert.deepEqual(page.familiesWithoutSamples, ['zz']);
    assert.deepEqual(page.models, ['m', 'n']);
    assert.equal(page.processStartMs, 1_767_220_000_000);
  });

  test('OpenMetrics of the Python client: samples that lost their colons are no other families', () => {
    const { page } = forecastOf('# TYPE vllm:x counter\nvllm_x_total 1\n# EOF\n');
    assert.deepEqual(
      [page.format, page.families, page.familiesWithoutSamples],
      ['openmetrics', ['vllm:x'], []],
    );
  });

  test('models up to a bound', () => {
    const page = Array.from({ length: MAX_MODELS + 1 }, (_, i) => `aa{model_name="m${i}"} 1\n`).join('');
    assert.equal(forecastOf(page).page.models.length, MAX_MODELS);
  });
});

function counter(value: number): string {
  return `# TYPE aa counter\naa ${value}\n`;
}

function gauges(count: number): string {
  return Array.from({ length: count }, (_, i) => `gg{i="${i}"} 1\n`).join('');
}
