/** A tile's query as typed parts, and its text in DQL (docs.dynatrace.com, "DQL metric commands"). */

/** Histograms of a NIM, by the names of Dynatrace's NIM page. */
export type HistogramName =
  | 'e2e_request_latency_seconds'
  | 'request_generation_tokens'
  | 'request_prompt_tokens'
  | 'time_per_output_token_seconds'
  | 'time_to_first_token_seconds';

export type CounterName =
  | 'generation_tokens_total'
  | 'prompt_tokens_total'
  | 'request_failure_total'
  | 'request_finish_total'
  | 'request_success_total'
  | 'nim_to_dynatrace.points.dropped'
  | 'nim_to_dynatrace.points.rejected'
  | 'nim_to_dynatrace.points.sent'
  /** Dynatrace's own, free of charge. */
  | 'dt.sfm.active_gate.metrics.ingest.otlp.datapoints.rejected';

export type GaugeName =
  | 'gpu_cache_usage_perc'
  | 'num_request_max'
  | 'num_requests_running'
  | 'num_requests_waiting'
  | 'scrape_duration_seconds'
  | 'scrape_samples_scraped'
  | 'up'
  | 'nim_to_dynatrace.pending.age'
  | 'nim_to_dynatrace.pending.points';

export type Dimension = 'finished_reason' | 'model_name' | 'reason' | 'service.instance.id' | 'service.name';

/** A dimension that a variable of the dashboard narrows. */
export const VARIABLE_OF = { model_name: 'Model', 'service.name': 'Service' } as const;
export type NarrowedDimension = keyof typeof VARIABLE_OF;

/** Over the whole timeframe, one value instead of one per minute. */
interface Whole {
  readonly whole?: true;
}

/** How one metric becomes one column. */
export type Aggregation =
  | (Whole & {
      readonly sum: CounterName;
      readonly perSecond?: true;
      /** A minute without a point counts 0. */
      readonly orZero?: true;
    })
  /**
   * A gauge added up over its series. Several points of a series in one minute are one reading first; without that they
   * would add up as well.
   */
  | { readonly total: GaugeName; readonly reading: 'avg' | 'max' }
  | (Whole & { readonly mean: GaugeName | HistogramName })
  | { readonly highest: GaugeName }
  | { readonly percentile: HistogramName; readonly rank: 50 | 95 | 99 };

export interface MetricQuery {
  /** Name -> aggregation. Not named like a function of DQL. */
  readonly columns: Readonly<Record<string, Aggregation>>;
  readonly by: readonly Dimension[];
  readonly narrowedBy: readonly NarrowedDimension[];
  /** Rows that lack one of the columns stay: a metric that is absent hides no other. */
  readonly union?: true;
  /** Columns computed of the others, as DQL expressions; `a[]` is each element of a series. */
  readonly computed?: Readonly<Record<string, string>>;
  /** Columns that only served a computation. */
  readonly removed?: readonly string[];
  readonly first?: { readonly rows: number; readonly by: string; readonly direction: 'asc' | 'desc' };
}

/** `''`: histograms are stored under their own name. `'_bucket'`: some environments store them so. */
export type HistogramSuffix = '' | '_bucket';

export function queryText(query: MetricQuery, suffix: HistogramSuffix): string {
  const { columns, by, narrowedBy, union, computed = {}, removed = [], first } = query;
  const aggregations = Object.entries(columns).map(
    ([name, aggregation]) => `${name} = ${aggregationText(aggregation, suffix)}`,
  );
  const conditions = narrowedBy.map((dimension) => `in(${dimension}, array($${VARIABLE_OF[dimension]}))`);
  const timeseries = [
    aggregations.length === 1 ? aggregations.join() : `{${aggregations.join(', ')}}`,
    ...(by.length === 0 ? [] : [`by:{${by.join(', ')}}`]),
    ...(conditions.length === 0 ? [] : [`filter:{${conditions.join(' and ')}}`]),
    ...(union === true ? ['union:true'] : []),
  ];
  return [
    `timeseries ${timeseries.join(', ')}`,
    ...Object.entries(computed).map(([name, expression]) => `| fieldsAdd ${name} = ${expression}`),
    ...(removed.length === 0 ? [] : [`| fieldsRemove ${removed.join(', ')}`]),
    ...(first === undefined ? [] : [`| sort ${first.by} ${first.direction}`, `| limit ${first.rows}`]),
  ].join('\n');
}

function aggregationText(aggregation: Aggregation, suffix: HistogramSuffix): string {
  if ('percentile' in aggregation)
    return `percentile(${aggregation.percentile}${suffix}, ${aggregation.rank})`;
  if ('total' in aggregation) return `sum(${aggregation.total}, rollup:${aggregation.reading})`;
  if ('highest' in aggregation) return `max(${aggregation.highest})`;
  const whole = aggregation.whole === true ? ', scalar:true' : '';
  if ('mean' in aggregation) {
    const key = isHistogram(aggregation.mean) ? `${aggregation.mean}${suffix}` : aggregation.mean;
    return `avg(${key}${whole})`;
  }
  const orZero = aggregation.orZero === true ? ', default:0' : '';
  const perSecond = aggregation.perSecond === true ? ', rate:1s' : '';
  return `sum(${aggregation.sum}${orZero}${perSecond}${whole})`;
}

const HISTOGRAMS: Readonly<Record<HistogramName, true>> = {
  e2e_request_latency_seconds: true,
  request_generation_tokens: true,
  request_prompt_tokens: true,
  time_per_output_token_seconds: true,
  time_to_first_token_seconds: true,
};

function isHistogram(name: GaugeName | HistogramName): name is HistogramName {
  return Object.hasOwn(HISTOGRAMS, name);
}
