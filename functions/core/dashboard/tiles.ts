/**
 * What the dashboard shows: the sample board of Dynatrace's NIM page, NVIDIA's Grafana board, and how the collection
 * itself fares. The order is that of the page.
 */
import type { Aggregation, HistogramName, MetricQuery } from './query.ts';
import { BY_MODEL, type DataTile, HALF, MAX_ROWS, NUMBER, OVERALL, type Section, THIRD } from './tile.ts';
import { COLLECTION } from './collection-tiles.ts';

/**
 * `grail`: percentiles, where histograms are stored with their buckets ("Metrics powered by Grail"). `summary`: means,
 * where they are not and a percentile is an error.
 */
export type DashboardVariant = 'grail' | 'summary';

/** Names of the text variables that hold the prices per million tokens. */
export const PROMPT_PRICE = 'PromptPrice';
export const GENERATION_PRICE = 'GenerationPrice';

const HEALTH: Section = {
  heading: 'Service health and performance',
  tiles: [
    {
      title: 'Detected problems',
      about: 'Problems of the whole environment that Dynatrace sees as active.',
      query:
        'fetch dt.davis.problems\n| filter event.status == "ACTIVE"\n| summarize problems = countDistinct(event.id)',
      visualization: 'singleValue',
      unit: 'count',
      size: NUMBER,
    },
    {
      title: 'Requests',
      about: 'Requests that finished, well or not, in the timeframe.',
      query: { ...OVERALL, columns: { requests: { sum: 'request_finish_total', whole: true } } },
      visualization: 'singleValue',
      unit: 'count',
      size: NUMBER,
    },
    {
      title: 'Failed requests',
      about: 'Requests that finished for another reason than stop or length.',
      query: { ...OVERALL, columns: { failed: { sum: 'request_failure_total', orZero: true, whole: true } } },
      visualization: 'singleValue',
      unit: 'count',
      size: NUMBER,
    },
    {
      title: 'Token cost',
      about: 'Tokens of the timeframe times the prices per million that the two variables hold.',
      query: {
        ...OVERALL,
        columns: tokens({ orZero: true, whole: true }),
        union: true,
        computed: { cost: costOf('prompt', 'generation') },
        removed: ['prompt', 'generation'],
      },
      visualization: 'singleValue',
      unit: 'count',
      size: NUMBER,
    },
    {
      title: 'Requests per second',
      about: 'Requests that succeeded and failed, per second and model.',
      query: {
        ...BY_MODEL,
        columns: {
          succeeded: { sum: 'request_success_total', perSecond: true },
          failed: { sum: 'request_failure_total', perSecond: true },
        },
        union: true,
      },
      visualization: 'lineChart',
      unit: 'count',
      size: THIRD,
    },
    {
      title: 'Failure ratio',
      about: 'Failed requests as a percentage of the finished ones, by model.',
      query: {
        ...BY_MODEL,
        columns: {
          finished: { sum: 'request_finish_total' },
          failed: { sum: 'request_failure_total', orZero: true },
        },
        union: true,
        computed: { failed_percent: '100 * failed[] / finished[]' },
        removed: ['finished', 'failed'],
      },
      visualization: 'lineChart',
      unit: 'percent',
      size: THIRD,
    },
    {
      title: 'Finish reasons',
      about: 'Finished requests by the reason that ended them.',
      query: {
        by: ['finished_reason'],
        narrowedBy: OVERALL.narrowedBy,
        columns: { requests: { sum: 'request_finish_total' } },
      },
      visualization: 'barChart',
      unit: 'count',
      size: THIRD,
    },
  ],
};

function latency(variant: DashboardVariant): Section {
  return {
    heading: 'Latency',
    tiles: [
      latencyTile(
        variant,
        'Time to first token',
        'from a request to its first token',
        'time_to_first_token_seconds',
      ),
      latencyTile(
        variant,
        'Time per output token',
        'between two tokens of a request',
        'time_per_output_token_seconds',
      ),
      latencyTile(variant, 'End-to-end latency', 'from a request to its end', 'e2e_request_latency_seconds'),
    ],
  };
}

function latencyTile(
  variant: DashboardVariant,
  title: string,
  of: string,
  histogram: HistogramName,
): DataTile {
  const percentiles = {
    p50: { percentile: histogram, rank: 50 },
    p95: { percentile: histogram, rank: 95 },
    p99: { percentile: histogram, rank: 99 },
  } as const;
  const isGrail = variant === 'grail';
  return {
    title,
    about: `${isGrail ? 'Median, 95th and 99th percentile' : 'Mean'} of the time ${of}, by model.`,
    query: { ...BY_MODEL, columns: isGrail ? percentiles : { mean: { mean: histogram } } },
    visualization: 'lineChart',
    unit: 'second',
    size: THIRD,
  };
}

const THROUGHPUT: Section = {
  heading: 'Throughput and cost',
  tiles: [
    {
      title: 'Tokens per second',
      about: 'Prompt tokens read and tokens generated, per second and model.',
      query: { ...BY_MODEL, columns: tokens({ perSecond: true }), union: true },
      visualization: 'lineChart',
      unit: 'count',
      size: THIRD,
    },
    {
      title: 'Tokens per request',
      about: 'Mean length of prompts and of answers, by model.',
      query: {
        ...BY_MODEL,
        columns: {
          prompt: { mean: 'request_prompt_tokens' },
          generation: { mean: 'request_generation_tokens' },
        },
        union: true,
      },
      visualization: 'lineChart',
      unit: 'count',
      size: THIRD,
    },
    {
      title: 'Token cost over time',
      about: 'Cost by model, at the prices of the two variables.',
      query: {
        ...BY_MODEL,
        columns: tokens({ orZero: true }),
        union: true,
        computed: { cost: costOf('prompt[]', 'generation[]') },
        removed: ['prompt', 'generation'],
      },
      visualization: 'barChart',
      unit: 'count',
      size: THIRD,
    },
    {
      title: 'Tokens by model',
      about: 'Prompt tokens and generated tokens of the timeframe.',
      query: { ...BY_MODEL, columns: tokens({ orZero: true, whole: true }), union: true },
      visualization: 'table',
      unit: 'count',
      size: HALF,
    },
    {
      title: 'Busiest instances',
      about: `The ${MAX_ROWS} instances that finished the most requests.`,
      query: {
        by: ['service.instance.id', 'model_name'],
        narrowedBy: OVERALL.narrowedBy,
        columns: { requests: { sum: 'request_finish_total', whole: true } },
        first: { rows: MAX_ROWS, by: 'requests', direction: 'desc' },
      },
      visualization: 'table',
      unit: 'count',
      size: HALF,
    },
  ],
};

/** A text variable stands for a quoted text. */
function costOf(prompt: string, generation: string): string {
  return `(${prompt} * toDouble($${PROMPT_PRICE}) + ${generation} * toDouble($${GENERATION_PRICE})) / 1000000`;
}

function tokens(how: Omit<Extract<Aggregation, { sum: unknown }>, 'sum'>) {
  return {
    prompt: { sum: 'prompt_tokens_total', ...how },
    generation: { sum: 'generation_tokens_total', ...how },
  } as const satisfies MetricQuery['columns'];
}

const CAPACITY: Section = {
  heading: 'Capacity',
  tiles: [
    {
      title: 'KV cache',
      about: 'Use of the KV cache: the mean over all instances of a model, and the fullest of them.',
      query: {
        ...BY_MODEL,
        columns: {
          used: { mean: 'gpu_cache_usage_perc' },
          fullest: { highest: 'gpu_cache_usage_perc' },
        },
        computed: { used_percent: '100 * used[]', fullest_percent: '100 * fullest[]' },
        removed: ['used', 'fullest'],
      },
      visualization: 'lineChart',
      unit: 'percent',
      size: HALF,
    },
    {
      title: 'Requests running and waiting',
      about:
        'Requests in work and in the queue, against the most that may run at once where the NIM says it.',
      query: {
        ...BY_MODEL,
        columns: {
          running: { total: 'num_requests_running', reading: 'avg' },
          waiting: { total: 'num_requests_waiting', reading: 'avg' },
          maximum: { total: 'num_request_max', reading: 'avg' },
        },
        union: true,
      },
      visualization: 'lineChart',
      unit: 'count',
      size: HALF,
    },
  ],
};

export function describeTiles(variant: DashboardVariant): readonly Section[] {
  return [HEALTH, latency(variant), THROUGHPUT, CAPACITY, COLLECTION];
}
