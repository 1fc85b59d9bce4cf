/**
 * What Dynatrace's OTLP metrics ingest says to a data point, and what it does not say although it would harm.
 * The reason words and line formats are those of its partial-success messages; sources: Dynatrace
 * documentation, "OpenTelemetry metrics" (type mapping, limitations, troubleshooting) and the OTLP metrics
 * data model.
 */
import type { AttributeValue, DecodedAttributes, DecodedHistogram, DecodedPoint } from './otlp-decoder.ts';

/** Strings only, as Dynatrace stores dimensions. */
export type ReceivedAttributes = Readonly<Record<string, string>>;

interface ReceivedBase {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly timeMs: number;
  /** Of the point itself. */
  readonly attributes: ReceivedAttributes;
  readonly resource: ReceivedAttributes;
  readonly scope: { readonly name: string; readonly version: string };
}

/** An accepted point, as plain data. */
export type ReceivedPoint =
  | (ReceivedBase & { readonly kind: 'counter'; readonly startMs: number; readonly value: number })
  | (ReceivedBase & { readonly kind: 'gauge'; readonly startMs: number; readonly value: number })
  | (ReceivedBase & {
      readonly kind: 'histogram';
      readonly startMs: number;
      readonly count: number;
      readonly sum: number;
      readonly bounds: readonly number[];
      /** Not cumulative; one longer than bounds (both empty: no buckets were sent). */
      readonly buckets: readonly number[];
    });

/** A point that was accepted, or the line of the answer that says why not. */
export type Judgement =
  | {
      readonly code: 'accepted';
      readonly point: ReceivedPoint;
      /** Name and the dimensions that every environment keeps: the identity of the stored series. */
      readonly seriesKey: string;
      /** What the server would change, drop or add up without a word. */
      readonly violations: readonly string[];
    }
  | { readonly code: 'rejected'; readonly line: string };

/** A point's time: as the line protocol documents it ("Metric ingestion protocol", timestamp), for all ingest alike. */
export const MAX_AGE_MS = 3_600_000;
export const MAX_LEAD_MS = 600_000;
/** Dynatrace's limit of dimensions per point, after flattening resource, scope and point. */
export const MAX_DIMENSIONS = 50;
/** Dynatrace's limits of a metric key's length. */
export const METRIC_KEY_LENGTH = { min: 2, max: 255 } as const;
/** Longer ones are cut by the server, and two may become one. */
export const MAX_DIMENSION_KEY_LENGTH = 100;
export const MAX_DIMENSION_VALUE_LENGTH = 255;
/** A longer or non-ASCII unit is dropped. */
export const MAX_UNIT_LENGTH = 63;
export const MAX_DESCRIPTION_LENGTH = 1023;
/** A letter comes first, no section is empty or begins with `-` ("Metric ingestion protocol"). */
const METRIC_KEY = /^[A-Za-z][\w-]*(?:\.\w[\w-]*)*$/;
const DIMENSION_KEY = /^[a-z][a-z0-9_-]*(?:\.[a-z0-9_][a-z0-9_-]*)*$/;
/**
 * The attributes of a resource that are dimensions everywhere; others only where an environment has "Advanced OTLP
 * metric dimensions" switched on (setting `builtin:opentelemetry-metrics`, its list of allowed attributes).
 */
const ALLOWED_RESOURCE_ATTRIBUTES: ReadonlySet<string> = new Set([
  'service.name',
  'service.instance.id',
  'host.id',
  'host.name',
  'faas.id',
  'faas.name',
  ...['cluster', 'node', 'namespace', 'deployment', 'statefulset', 'daemonset', 'job', 'cronjob', 'pod'].map(
    (kind) => `k8s.${kind}.name`,
  ),
  'k8s.pod.uid',
  'process.executable.name',
  'dt.metrics.source',
  ...['host', 'process_group_instance', 'host_group'].map((kind) => `dt.entity.${kind}`),
  ...['workload.kind', 'workload.name', 'cluster.id'].map((key) => `dt.kubernetes.${key}`),
]);
const NS_PER_MS = 1_000_000n;

/** First line of every message about rejected points. */
export const MESSAGE_HEAD = 'The following issues were encountered while ingesting OTLP metrics:\nErrors:\n';

/** Judges one point by itself; `nowMs`, on the wall clock, is when it arrived. */
export function judge(point: DecodedPoint, nowMs: number): Judgement {
  const dimensions = flatten(point);
  const line =
    typeRejection(point) ??
    nameRejection(point, dimensions) ??
    timeRejection(point, nowMs) ??
    valueRejection(point);
  if (line !== undefined) return { code: 'rejected', line };
  return {
    code: 'accepted',
    point: receivedPoint(point),
    seriesKey: seriesKeyOf(point),
    violations: silentHarm(point, dimensions).map((harm) => `${point.name}: ${harm}`),
  };
}

function typeRejection(point: DecodedPoint): string | undefined {
  const unsupported = (what: string) =>
    `Unsupported metric: '${point.name}' - Reason: UNSUPPORTED_METRIC_TYPE_${what}`;
  switch (point.type) {
    case 'gauge':
      return undefined;
    case 'sum':
      if (point.temporality === 'unspecified') return unsupported('UNSPECIFIED_TEMPORALITY');
      if (point.temporality === 'cumulative' && point.monotonic)
        return unsupported('MONOTONIC_CUMULATIVE_SUM');
      return undefined;
    case 'histogram':
      if (point.temporality === 'unspecified') return unsupported('UNSPECIFIED_TEMPORALITY');
      return point.temporality === 'cumulative' ? unsupported('CUMULATIVE_HISTOGRAM') : undefined;
    case 'exponential_histogram':
      // Dynatrace keeps only their min, max, sum and count: a loss that nobody here wants to go unseen.
      return unsupported('EXPONENTIAL_HISTOGRAM');
    case 'summary':
      return unsupported('SUMMARY');
  }
}

function nameRejection(
  point: DecodedPoint,
  dimensions: ReadonlyMap<string, AttributeValue>,
): string | undefined {
  const dropped = (reason: string) => `Metric dropped: '${point.name}' - Reason: ${reason}`;
  const { min, max } = METRIC_KEY_LENGTH;
  // The word is ours: the length is documented, its reason is not.
  if (point.name.length < min || point.name.length > max) return dropped('METRIC_KEY_INVALID');
  const sent = [...point.resource, ...point.scope.attributes, ...point.attributes];
  if (sent.some(([key, value]) => key === '' || value === '')) return dropped('DIMENSION_KEY_OR_VALUE_EMPTY');
  if (dimensions.size > MAX_DIMENSIONS) return dropped('DIMENSION_COUNT_EXCEEDED');
  return undefined;
}

/** The words are ours: the span is documented, its reason is not. Without a time a point has that of its arrival. */
function timeRejection({ name, timeNs }: DecodedPoint, nowMs: number): string | undefined {
  const timeMs = Number(timeNs / NS_PER_MS);
  const cause =
    timeNs !== 0n && timeMs < nowMs - MAX_AGE_MS
      ? 'more than an hour old'
      : timeMs > nowMs + MAX_LEAD_MS
        ? 'more than ten minutes ahead'
        : undefined;
  if (cause === undefined) return undefined;
  return `Metric value dropped. key: '${name}' details: 'Timestamp is ${cause}' - Reason: TIMESTAMP_INVALID`;
}

function valueRejection(point: DecodedPoint): string | undefined {
  if (point.histogram !== undefined) return histogramRejection(point.name, point.histogram);
  if (point.value === undefined) return invalidValue(point.name, 'Value is missing');
  return Number.isFinite(point.value) ? undefined : invalidValue(point.name, `Value was ${point.value}`);
}

function histogramRejection(name: string, histogram: DecodedHistogram): string | undefined {
  const { count, sum, bounds, buckets } = histogram;
  const invalid = (details: string) =>
    `Histogram metric dropped. key: '${name}' details: '${details}' - Reason: HISTOGRAM_BUCKET_INVALID`;
  if (sum === undefined) return invalid('Histogram sum is missing');
  if (!Number.isFinite(sum)) return invalidValue(name, `Value was ${sum}`);
  if (!bounds.every(Number.isFinite)) return invalid('Histogram boundaries are not finite');
  if (bounds.some((bound, i) => i > 0 && bound <= (bounds[i - 1] as number)))
    return invalid('Histogram boundaries are not sorted');
  if (bounds.some((bound) => bound < 0)) return invalid('Histogram boundaries are negative');
  // Neither bounds nor buckets: count and sum only (opentelemetry-proto, HistogramDataPoint).
  if (buckets.length === 0 && bounds.length === 0) return undefined;
  if (buckets.length !== bounds.length + 1)
    return invalid('Histogram bucket count does not match the boundaries');
  if (buckets.reduce((total, bucket) => total + bucket, 0) !== count)
    return invalid('Histogram bucket counts do not add up to the count');
  return undefined;
}

function invalidValue(name: string, details: string): string {
  return `Metric value dropped. key: '${name}' details: '${details}' - Reason: VALUE_INVALID`;
}

function silentHarm(point: DecodedPoint, dimensions: ReadonlyMap<string, AttributeValue>): string[] {
  const harm: string[] = [];
  const flag = (condition: boolean, sentence: string) => {
    if (condition) harm.push(sentence);
  };
  const windowed = point.type !== 'gauge';
  flag(windowed && point.startNs === 0n, 'no start time');
  flag(
    windowed && point.startNs >= point.timeNs,
    `start ${point.startNs} is not before time ${point.timeNs}`,
  );
  flag(point.timeNs === 0n, 'no time');
  flag(point.timeNs % NS_PER_MS !== 0n || point.startNs % NS_PER_MS !== 0n, 'a time between milliseconds');
  flag(windowed && point.monotonic && (point.value ?? 0) < 0, `negative delta ${point.value}`);
  // The data model asks for a sum only where observations cannot be negative.
  flag((point.histogram?.sum ?? 0) < 0, `negative delta ${point.histogram?.sum} of the sum`);
  flag(!METRIC_KEY.test(point.name), 'a name that the server would change');
  flag(point.name.startsWith('dt.'), 'a name of the reserved prefix dt.');
  flag(!/^[\x20-\x7e]*$/.test(point.unit), 'a unit that is not ASCII');
  flag(point.unit.length > MAX_UNIT_LENGTH, 'a unit that the server would drop');
  flag(point.description.length > MAX_DESCRIPTION_LENGTH, 'a description that the server would cut');
  // A value of the resource is cut also where the point's own wins.
  const losing = point.resource.filter(([key, value]) => dimensions.get(key) !== value);
  for (const [key, value] of [...dimensions, ...losing]) {
    flag(!DIMENSION_KEY.test(key), `a dimension key that the server would change: ${key}`);
    flag(key.length > MAX_DIMENSION_KEY_LENGTH, `a dimension key that the server would cut: ${key}`);
    flag(textOf(value).length > MAX_DIMENSION_VALUE_LENGTH, `a value that the server would cut: ${key}`);
    flag(typeof value === 'object', `a dimension that the server would drop: ${key}`);
  }
  for (const attributes of [point.resource, point.scope.attributes, point.attributes]) {
    flag(new Set(attributes.map(([key]) => key)).size < attributes.length, 'the same attribute key twice');
  }
  return harm;
}

/** Point before scope before resource; the scope's name and version are dimensions as well. */
function flatten(point: DecodedPoint): ReadonlyMap<string, AttributeValue> {
  const dimensions = new Map<string, AttributeValue>();
  const { name, version, attributes } = point.scope;
  const scopeIdentity = [
    ['otel.scope.name', name],
    ['otel.scope.version', version],
  ] as const;
  const named = scopeIdentity.filter(([, text]) => text !== '');
  for (const [key, value] of [...point.attributes, ...attributes, ...named, ...point.resource]) {
    if (!dimensions.has(key)) dimensions.set(key, value);
  }
  return dimensions;
}

/** What tells series apart on every environment: an attribute that only some keep must not be the difference. */
function seriesKeyOf(point: DecodedPoint): string {
  const resource = point.resource.filter(([key]) => ALLOWED_RESOURCE_ATTRIBUTES.has(key));
  const pairs = [...flatten({ ...point, resource })].map(
    ([key, value]) => `${key}=${JSON.stringify(textOf(value))}`,
  );
  return `${point.name}{${pairs.toSorted().join(',')}}`;
}

function receivedPoint(point: DecodedPoint): ReceivedPoint {
  const base = {
    name: point.name,
    unit: point.unit,
    description: point.description,
    startMs: Number(point.startNs / NS_PER_MS),
    timeMs: Number(point.timeNs / NS_PER_MS),
    attributes: textsOf(point.attributes),
    resource: textsOf(point.resource),
    scope: { name: point.scope.name, version: point.scope.version },
  };
  if (point.histogram !== undefined) {
    const { count, sum = 0, bounds, buckets } = point.histogram;
    return { kind: 'histogram', ...base, count, sum, bounds, buckets };
  }
  // A cumulative sum that is not monotonic is a gauge to Dynatrace.
  const counter = point.type === 'sum' && point.temporality === 'delta';
  return { kind: counter ? 'counter' : 'gauge', ...base, value: point.value ?? 0 };
}

function textsOf(attributes: DecodedAttributes): ReceivedAttributes {
  const kept = attributes.filter(([, value]) => typeof value !== 'object');
  // Of a repeated key the first one counts.
  return Object.fromEntries(kept.toReversed().map(([key, value]) => [key, textOf(value)]));
}

function textOf(value: AttributeValue): string {
  return typeof value === 'object' ? '' : String(value);
}
