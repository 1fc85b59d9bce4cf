/**
 * The metrics page of a NIM for LLMs 1.x: its families in their order, and the text format 0.0.4 as the
 * Python client writes it.
 */

/** A family as its HELP and TYPE lines state it. */
export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Of a histogram: finite upper bounds, rising. */
  readonly bounds?: readonly number[];
}

/** Observations of one histogram series. */
export interface HistogramState {
  /** Not cumulative; one longer than the family's bounds. */
  readonly buckets: number[];
  sum: number;
}

/**
 * What one process counts: family name, then label text (`a="x",b="y"`, sorted; empty: no labels), then
 * value.
 */
export interface Registry {
  readonly add: (name: string, labels: string, increment: number) => void;
  readonly set: (name: string, labels: string, value: number) => void;
  readonly observe: (name: string, labels: string, value: number) => void;
  /** The page as it stands. */
  readonly page: () => string;
  /**
   * Each counter, and each histogram's `_count`, `_sum` and `_bucket` (not cumulative), by exposition text
   * `name{labels}`; a series without labels is its bare name.
   */
  readonly totals: () => Map<string, number>;
}

/** Starts an empty registry over the families of nimFamilies. */
export function createRegistry(): Registry {
  const families = new Map(nimFamilies.map((family) => [family.name, family]));
  const values = new Map<string, Map<string, number>>();
  const histograms = new Map<string, Map<string, HistogramState>>();

  const seriesOf = (name: string) => entry(values, name, () => new Map<string, number>());
  const add = (name: string, labels: string, increment: number) => {
    const series = seriesOf(name);
    series.set(labels, (series.get(labels) ?? 0) + increment);
  };
  const set = (name: string, labels: string, value: number) => {
    seriesOf(name).set(labels, value);
  };
  const observe = (name: string, labels: string, value: number) => {
    const bounds = families.get(name)?.bounds ?? [];
    const series = entry(histograms, name, () => new Map<string, HistogramState>());
    const state = entry(series, labels, () => ({ buckets: Array(bounds.length + 1).fill(0), sum: 0 }));
    const found = bounds.findIndex((bound) => value <= bound);
    const bucket = found === -1 ? bounds.length : found;
    state.buckets[bucket] = (state.buckets[bucket] ?? 0) + 1;
    state.sum += value;
  };
  const page = () =>
    nimFamilies
      .flatMap(({ name, type, help, bounds = [] }) => [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...[...(values.get(name) ?? [])].map(([labels, value]) => sampleLine(name, labels, value)),
        ...[...(histograms.get(name) ?? [])].flatMap(([labels, state]) =>
          histogramLines(name, labels, bounds, state),
        ),
      ])
      .join('\n') + '\n';
  const totals = () => {
    const all = new Map<string, number>();
    for (const { name, type, bounds = [] } of nimFamilies) {
      if (type === 'counter') {
        for (const [labels, value] of values.get(name) ?? []) all.set(sampleKey(name, labels), value);
      }
      for (const [labels, { buckets, sum }] of histograms.get(name) ?? []) {
        buckets.forEach((count, i) => all.set(bucketKey(name, labels, bounds[i]), count));
        all.set(sampleKey(`${name}_count`, labels), totalOf(buckets));
        all.set(sampleKey(`${name}_sum`, labels), sum);
      }
    }
    return all;
  };
  return { add, set, observe, page, totals };
}

/** A label pair in the text format: backslash, quote and line feed are escaped. */
export function labelText(name: string, value: string): string {
  return `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

/**
 * A number as the Python client prints it: its shortest form, whole numbers with `.0`, and from 10^6 an
 * exponent with a leading zero (`1.048576e+06`, `1.15891634176e+011`).
 */
export function floatText(value: number): string {
  if (value === Infinity) return '+Inf';
  const text = pythonFloat(value);
  const dot = text.indexOf('.');
  if (value <= 0 || dot <= 6) return text;
  const mantissa = `${text[0]}.${text.slice(1, dot)}${text.slice(dot + 1)}`.replace(/[0.]+$/, '');
  return `${mantissa}e+0${dot - 1}`;
}

function histogramLines(name: string, labels: string, bounds: readonly number[], state: HistogramState) {
  let cumulative = 0;
  const buckets = state.buckets.map((count, i) => {
    cumulative += count;
    return `${bucketKey(name, labels, bounds[i])} ${floatText(cumulative)}`;
  });
  return [
    ...buckets,
    sampleLine(`${name}_count`, labels, cumulative),
    sampleLine(`${name}_sum`, labels, state.sum),
  ];
}

function sampleLine(name: string, labels: string, value: number): string {
  return `${sampleKey(name, labels)} ${floatText(value)}`;
}

function sampleKey(name: string, labels: string): string {
  return labels === '' ? name : `${name}{${labels}}`;
}

/** `le` sorts before every label that a histogram of this page has. */
function bucketKey(name: string, labels: string, bound = Infinity): string {
  return sampleKey(`${name}_bucket`, `le="${floatText(bound)}",${labels}`);
}

/** Python's repr: like JavaScript's shortest digits, but exponents begin at 1e16 and below 1e-4. */
function pythonFloat(value: number): string {
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-4 || size >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function totalOf(buckets: readonly number[]): number {
  return buckets.reduce((total, count) => total + count, 0);
}

function entry<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const found = map.get(key) ?? create();
  map.set(key, found);
  return found;
}

/** 1, 2, 5, 10 ... up to the context length of 131,072 tokens. */
const TOKEN_BOUNDS = [0, 1, 2, 3, 4].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));

/** In the order of the page. */
export const nimFamilies: readonly Family[] = [
  counter('python_gc_objects_collected_total', 'Objects collected during gc'),
  counter('python_gc_objects_uncollectable_total', 'Uncollectable objects found during GC'),
  counter('python_gc_collections_total', 'Number of times this generation was collected'),
  gauge('python_info', 'Python platform information'),
  gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.'),
  gauge('process_resident_memory_bytes', 'Resident memory size in bytes.'),
  gauge('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.'),
  counter('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.'),
  gauge('process_open_fds', 'Number of open file descriptors.'),
  gauge('process_max_fds', 'Maximum number of open file descriptors.'),
  gauge('num_requests_running', 'Number of requests currently running on GPU.'),
  gauge('num_requests_waiting', 'Number of requests waiting to be processed.'),
  gauge('num_request_max', 'Max number of concurrently running requests.'),
  gauge('gpu_cache_usage_perc', 'GPU KV-cache usage. 1 means 100 percent usage.'),
  counter('prompt_tokens_total', 'Number of prefill tokens processed.'),
  counter('generation_tokens_total', 'Number of generation tokens processed.'),
  histogram(
    'time_to_first_token_seconds',
    'Histogram of time to first token in seconds.',
    [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  ),
  histogram(
    'time_per_output_token_seconds',
    'Histogram of time per output token in seconds.',
    [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5],
  ),
  histogram(
    'e2e_request_latency_seconds',
    'Histogram of end to end request latency in seconds.',
    [1, 2.5, 5, 10, 15, 20, 30, 40, 50, 60],
  ),
  histogram('request_prompt_tokens', 'Number of prefill tokens processed.', [...TOKEN_BOUNDS, 100_000]),
  histogram('request_generation_tokens', 'Number of generation tokens processed.', [
    ...TOKEN_BOUNDS,
    100_000,
  ]),
  counter('request_finish_total', 'Count of finished requests, differentiated by finish reason as label.'),
  counter('request_success_total', 'Count of successful requests.'),
  counter('request_failure_total', 'Count of failed requests.'),
];

function counter(name: string, help: string): Family {
  return { name, type: 'counter', help };
}

function gauge(name: string, help: string): Family {
  return { name, type: 'gauge', help };
}

function histogram(name: string, help: string, bounds: readonly number[]): Family {
  return { name, type: 'histogram', help, bounds };
}
