/**
 * NIM of every generation under one set of names: those of Dynatrace's NIM page. NIM 1.x shows them itself; NIM 2.x
 * passes the names of its engine through (`vllm:*`, `sglang:*`), a series for each engine. Here is told which series
 * are parts of which of the page's metrics. It acts on what is due, never on what is stored (D11): switching it on or
 * off, or upgrading a NIM, makes no jump.
 */
import type { CumulativeKind, Labels, Series } from './model.ts';
import { seriesKey } from './series.ts';

export type PointKind = CumulativeKind | 'gauge';

export interface ReferenceMetric {
  /** As real pages have it: the NIM page calls three of the gauges counters. */
  readonly kind: PointKind;
  /** UCUM. */
  readonly unit: string;
  readonly description: string;
  /** Names on NIM 2.x pages, the best first. What has several on one page is taken from the first of them. */
  readonly sources: readonly string[];
}

/** The metrics of Dynatrace's NIM page (docs.dynatrace.com, "NVIDIA NIM", Metrics). */
export const REFERENCE_METRICS = {
  e2e_request_latency_seconds: {
    kind: 'histogram',
    unit: 's',
    description: 'Histogram of end-to-end request latency in seconds',
    sources: ['vllm:e2e_request_latency_seconds', 'sglang:e2e_request_latency_seconds'],
  },
  generation_tokens_total: {
    kind: 'counter',
    unit: '{token}',
    description: 'Number of generation tokens processed',
    sources: ['vllm:generation_tokens_total', 'sglang:generation_tokens_total'],
  },
  gpu_cache_usage_perc: {
    kind: 'gauge',
    unit: '1',
    description: 'GPU KV-cache usage. 1 means 100 percent usage',
    sources: [
      'vllm:kv_cache_usage_perc',
      'vllm:gpu_cache_usage_perc',
      'sglang:kv_cache_usage_perc',
      'sglang:token_usage',
    ],
  },
  num_request_max: {
    kind: 'gauge',
    unit: '{request}',
    description: 'Maximum number of concurrently running requests',
    sources: [],
  },
  num_requests_running: {
    kind: 'gauge',
    unit: '{request}',
    description: 'Number of requests currently running on GPU',
    sources: ['vllm:num_requests_running', 'sglang:num_running_reqs'],
  },
  num_requests_waiting: {
    kind: 'gauge',
    unit: '{request}',
    description: 'Number of requests waiting to be processed',
    sources: ['vllm:num_requests_waiting', 'sglang:num_queue_reqs'],
  },
  prompt_tokens_total: {
    kind: 'counter',
    unit: '{token}',
    description: 'Number of prefill tokens processed',
    sources: ['vllm:prompt_tokens_total', 'sglang:prompt_tokens_total'],
  },
  request_failure_total: {
    kind: 'counter',
    unit: '{request}',
    description: 'Number of failed requests; requests with other finish reason are counted',
    sources: ['vllm:request_success_total', 'sglang:num_aborted_requests_total'],
  },
  request_finish_total: {
    kind: 'counter',
    unit: '{request}',
    description: 'Number of finished requests, with label indicating finish reason',
    sources: ['vllm:request_success_total', 'sglang:num_requests_total'],
  },
  request_generation_tokens: {
    kind: 'histogram',
    unit: '{token}',
    description: 'Histogram of number of generation tokens processed',
    sources: ['vllm:request_generation_tokens', 'sglang:generation_tokens_histogram'],
  },
  request_prompt_tokens: {
    kind: 'histogram',
    unit: '{token}',
    description: 'Histogram of number of prefill tokens processed',
    sources: ['vllm:request_prompt_tokens', 'sglang:prompt_tokens_histogram'],
  },
  request_success_total: {
    kind: 'counter',
    unit: '{request}',
    description: 'Number of successful requests; requests with finish reason "stop" or "length" are counted',
    sources: ['vllm:request_success_total'],
  },
  time_per_output_token_seconds: {
    kind: 'histogram',
    unit: 's',
    description: 'Histogram of time per output token in seconds',
    sources: [
      'vllm:inter_token_latency_seconds',
      'vllm:time_per_output_token_seconds',
      'sglang:inter_token_latency_seconds',
      'sglang:time_per_output_token_seconds',
    ],
  },
  time_to_first_token_seconds: {
    kind: 'histogram',
    unit: 's',
    description: 'Histogram of time to first token in seconds',
    sources: ['vllm:time_to_first_token_seconds', 'sglang:time_to_first_token_seconds'],
  },
} as const satisfies Readonly<Record<string, ReferenceMetric>>;

export type ReferenceName = keyof typeof REFERENCE_METRICS;

const ENTRIES = Object.entries(REFERENCE_METRICS) as [ReferenceName, ReferenceMetric][];

/** Name on a page -> the metrics that it is a source of. */
const METRICS_OF: ReadonlyMap<string, readonly ReferenceName[]> = invert();

function invert(): Map<string, ReferenceName[]> {
  const metrics = new Map<string, ReferenceName[]>();
  for (const [name, { sources }] of ENTRIES)
    for (const source of sources) metrics.set(source, [...(metrics.get(source) ?? []), name]);
  return metrics;
}

/** Whether this is, or feeds, a metric of Dynatrace's NIM page. */
export function isReferenceSource(name: string): boolean {
  return Object.hasOwn(REFERENCE_METRICS, name) || METRICS_OF.has(name);
}

export function referenceMetric(name: string): ReferenceMetric | undefined {
  return Object.hasOwn(REFERENCE_METRICS, name) ? REFERENCE_METRICS[name as ReferenceName] : undefined;
}

/** `<metric> <source>` of sources that are not taken, as the page has the metric itself or from a better source. */
export type Displaced = ReadonlySet<string>;

const NONE: Displaced = new Set();

/** No metric twice: a page of two generations, or of a release that shows a metric under its old and its new name. */
export function displacedBy(names: ReadonlySet<string>): Displaced {
  let displaced: Set<string> | undefined;
  for (const [metric, { sources }] of ENTRIES) {
    let isThere = names.has(metric);
    for (const source of sources) {
      if (!names.has(source)) continue;
      if (isThere) (displaced ??= new Set()).add(`${metric} ${source}`);
      isThere = true;
    }
  }
  return displaced ?? NONE;
}

/** One of the metrics that a series is a part of. */
export interface ReferencePart {
  readonly name: ReferenceName;
  readonly labels: Labels;
}

export interface Reference {
  readonly parts: readonly ReferencePart[];
  /** Series with the same text are parts of the same points. */
  readonly bundle: string;
  /** Which engine it is of, as text. */
  readonly engine: string;
}

/** The engine of a series: data-parallel index, and SGLang's role of it. Engines are summed. */
const ENGINE_LABELS: ReadonlySet<string> = new Set(['engine', 'engine_type', 'dp_rank']);
/** Parts of one engine, each of which tells of the whole engine: the largest counts. */
const RANK_LABELS: ReadonlySet<string> = new Set(['tp_rank', 'pp_rank', 'moe_ep_rank']);
const REASON = 'finished_reason';
const SUCCESSES: ReadonlySet<string> = new Set(['stop', 'length']);

/** What a series of a NIM 2.x page is a part of; undefined where it goes out under its own name. */
export function referenceOf(
  { name, labels }: Series,
  kind: PointKind,
  displaced: Displaced,
): Reference | undefined {
  const metrics = METRICS_OF.get(name);
  if (metrics === undefined) return undefined;
  const reason = valueOf(labels, REASON);
  const named = metrics.filter(
    (metric) =>
      REFERENCE_METRICS[metric].kind === kind &&
      !displaced.has(`${metric} ${name}`) &&
      isOfReason(metric, name, reason),
  );
  if (named.length === 0) return undefined;
  const whole = labelsWithout(labels, (label) => ENGINE_LABELS.has(label) || RANK_LABELS.has(label));
  const bare = reason === undefined ? whole : labelsWithout(whole, (label) => label === REASON);
  return {
    parts: named.map((metric) => ({
      name: metric,
      labels: metric === 'request_finish_total' ? whole : bare,
    })),
    bundle: seriesKey(name, bare),
    engine: JSON.stringify(labelsOnly(labels, ENGINE_LABELS)),
  };
}

/** vLLM counts all finished requests as `request_success`, by the reason why they finished. */
function isOfReason(metric: ReferenceName, source: string, reason: string | undefined): boolean {
  if (source !== 'vllm:request_success_total') return true;
  if (metric === 'request_success_total') return reason !== undefined && SUCCESSES.has(reason);
  if (metric === 'request_failure_total') return reason === undefined || !SUCCESSES.has(reason);
  return true;
}

/** The engines' readings of one gauge, by engine, as one. */
export function foldGauge(name: string, byEngine: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const value of byEngine.values()) sum += value;
  // Engines of one process have caches of one size: the used part of all is the mean of the used parts.
  return name === 'gpu_cache_usage_perc' ? sum / byEngine.size : sum;
}

function valueOf(labels: Labels, name: string): string | undefined {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1];
  return undefined;
}

function labelsWithout(labels: Labels, isLeftOut: (label: string) => boolean): Labels {
  return labels.filter((_, i) => !isLeftOut(labels[i - (i % 2)] as string));
}

function labelsOnly(labels: Labels, names: ReadonlySet<string>): Labels {
  return labels.filter((_, i) => names.has(labels[i - (i % 2)] as string));
}
