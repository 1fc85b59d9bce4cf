/** Pages that a forecast is held against, and what the pipeline sends of them on the second of two scrapes. */
import { strict as assert } from 'node:assert';
import { readFileSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import type { Forecast } from '../../../functions/core/doctor/forecast-model.ts';
import { forecastPage } from '../../../functions/core/doctor/forecast.ts';
import type { Target } from '../../../functions/core/model.ts';
import type { RunReport } from '../../../functions/core/report.ts';
import { createWorld, target } from '../../fakes/ports.ts';
import { T0_MS } from '../../fakes/virtual-time.ts';

/** Of the second scrape. */
export const TICK_MS = T0_MS + 60_000;

export const PLAIN = target('10.0.0.1:8000');

/** Every page of the repository. */
export const RECORDED: readonly (readonly [name: string, page: string])[] = [
  '../../pages/',
  '../../pages/nim/',
  '../../peers/pages/',
]
  .map((directory) => new URL(directory, import.meta.url))
  .flatMap((directory) =>
    readdirSync(directory)
      .filter((file) => file.endsWith('.prom'))
      .map((file) => [file, readFileSync(new URL(file, directory), 'utf8')] as const),
  );

export function forecastOf(page: string, of: Target = PLAIN): Forecast {
  const told = forecastPage(new TextEncoder().encode(page), of, TICK_MS);
  assert(told.code === 'forecast', told.code === 'forecast' ? '' : told.message);
  return told;
}

/** `name type unit`, and how many of it. */
export type Sent = Readonly<Record<string, number>>;

export function sentBy({ metrics }: Forecast): Sent {
  return counted(
    metrics.flatMap(({ name, type, unit, series }) => Array<string>(series).fill(`${name} ${type} ${unit}`)),
  );
}

/** Two scrapes of one page, a minute apart: what the second sends and reports. */
export async function scrapedTwice(
  page: string,
  of: Target,
): Promise<{ readonly sent: Sent; readonly report: RunReport }> {
  const world = createWorld();
  world.script.scrape = () => page;
  await world.run(0, [of]);
  const from = world.bodies.length;
  const report = await world.run(60, [of]);
  const points = world.bodies.slice(from).flatMap((body) => body.points);
  const typeOf = { sum: 'counter', gauge: 'gauge', histogram: 'histogram' } as Readonly<
    Record<string, string>
  >;
  return {
    sent: counted(points.map(({ name, type, unit }) => `${name} ${typeOf[type] ?? type} ${unit}`)),
    report,
  };
}

function counted(texts: readonly string[]): Sent {
  const counts: Record<string, number> = {};
  for (const text of texts.toSorted()) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}

const NAMES = [
  'a',
  'A_total',
  'vllm:request_success_total',
  'vllm:kv_cache_usage_perc',
  'num_request_max',
  'up',
];
const name = fc.constantFrom(
  ...NAMES,
  'python_x',
  'x_created',
  'DCGM_FI_DEV_TEMP',
  'x'.repeat(300),
  ':',
  'vllm:x',
);
const value = fc.constantFrom(
  '0',
  '1',
  '7.5',
  '3',
  '-2',
  'NaN',
  '+Inf',
  '9223372036854775807',
  '2147483632',
  'x',
);
const labels = fc
  .uniqueArray(
    fc.constantFrom(
      'model_name',
      'engine',
      'finished_reason',
      'Host',
      'host',
      'job',
      'instance',
      'l'.repeat(120),
    ),
    {
      maxLength: 3,
    },
  )
  .chain((keys) =>
    fc.tuple(
      ...keys.map((key) =>
        fc.constantFrom('0', '1', 'stop', 'v'.repeat(300)).map((text) => `${key}="${text}"`),
      ),
    ),
  )
  .map((pairs) => pairs.join(','));
const timestamp = fc.constantFrom('', '', '', ' 1', ` ${TICK_MS}`);

const numbers = fc
  .tuple(
    name,
    fc.constantFrom('counter', 'gauge', 'untyped', undefined),
    fc.array(fc.tuple(labels, value, timestamp), { maxLength: 5 }),
  )
  .map(([of, type, samples]) =>
    [
      ...(type === undefined ? [] : [`# TYPE ${of} ${type}`]),
      ...samples.map(([inner, text, time]) => `${of}{${inner}} ${text}${time}`),
    ].join('\n'),
  );

const distributions = fc
  .tuple(
    fc.constantFrom('h', 'vllm:time_to_first_token_seconds', 'e2e_request_latency_seconds', 's'),
    fc.constantFrom('histogram', 'summary'),
    fc.array(fc.tuple(fc.constantFrom('-1', '0', '1', '2.5', '+Inf'), fc.nat({ max: 9 })), { maxLength: 5 }),
    labels,
  )
  .map(([of, type, buckets, inner]) =>
    [
      `# TYPE ${of} ${type}`,
      ...buckets.map(([le, count]) => `${of}_bucket{${inner === '' ? '' : `${inner},`}le="${le}"} ${count}`),
      `${of}_count{${inner}} 9`,
      `${of}_sum{${inner}} 4.5`,
    ].join('\n'),
  );

/** Whatever may stand on a page, much of it wrong. */
export const anyPage = fc
  .array(fc.oneof(numbers, distributions), { maxLength: 8 })
  .map((parts) => `# TYPE ok gauge\nok 1\n${parts.join('\n')}\n`);

/** Settings of a job that change what is sent. */
export const anyTarget = fc
  .record({
    metricNames: fc.constantFrom('nim', 'raw'),
    preset: fc.constantFrom('core', 'default', 'all', undefined),
    exclude: fc.constantFrom([], ['a*'], ['up'], ['scrape_*']),
    maxBuckets: fc.constantFrom(0, 2),
    honorLabels: fc.boolean(),
    rule: fc.constantFrom(undefined, 'drop', 'rename'),
  })
  .map(({ metricNames, preset, exclude, maxBuckets, honorLabels, rule }): Target => {
    const { preset: _, ...output } = PLAIN.output;
    const config = {
      sourceLabels: ['__name__'],
      separator: ';',
      regex: 'a|h_bucket|vllm:x',
      modulus: 0,
      targetLabel: '__name__',
      replacement: 'b',
    };
    return {
      ...PLAIN,
      honorLabels,
      metricRelabelConfigs:
        rule === undefined ? [] : [{ ...config, action: rule === 'drop' ? 'drop' : 'replace' }],
      output: { ...output, metricNames, exclude, maxBuckets, ...(preset === undefined ? {} : { preset }) },
    };
  });
