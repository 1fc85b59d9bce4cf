/**
 * OTLP metrics off the wire, by a decoder that shares no code with the serializer under test: protobufjs over
 * the messages of opentelemetry-proto 1.x (`collector/metrics/v1`, `metrics/v1`, `common/v1`, `resource/v1`).
 */
import protobuf from 'protobufjs';

/**
 * An attribute as sent: what Dynatrace keeps (string, bool, int), or the name of a type that it does not
 * keep.
 */
export type AttributeValue = string | boolean | bigint | { readonly unsupported: string };

/** In the order of the wire, repeated keys included. */
export type DecodedAttributes = readonly (readonly [key: string, value: AttributeValue])[];

export type Temporality = 'unspecified' | 'delta' | 'cumulative';

export interface DecodedHistogram {
  /** Exact up to 2^53. */
  readonly count: number;
  /** Absent when the field was not sent. */
  readonly sum?: number;
  readonly bounds: readonly number[];
  /** Exact up to 2^53 each. */
  readonly buckets: readonly number[];
}

/** One data point with all that stands around it. */
export interface DecodedPoint {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly type: 'gauge' | 'sum' | 'histogram' | 'exponential_histogram' | 'summary';
  readonly temporality: Temporality;
  readonly monotonic: boolean;
  readonly resource: DecodedAttributes;
  readonly scope: { readonly name: string; readonly version: string; readonly attributes: DecodedAttributes };
  readonly attributes: DecodedAttributes;
  /** Nanoseconds since the epoch; 0: not sent. */
  readonly startNs: bigint;
  readonly timeNs: bigint;
  /** Of a gauge or sum; absent when neither as_double nor as_int was sent. */
  readonly value?: number;
  readonly histogram?: DecodedHistogram;
}

/**
 * Decodes an ExportMetricsServiceRequest into its points, in the order of the wire.
 * @throws Error of protobufjs when the bytes are not that message.
 */
export function decodeMetricsRequest(bytes: Uint8Array): DecodedPoint[] {
  const message = requestType.toObject(requestType.decode(bytes), { longs: BigInt, defaults: false });
  return ((message as WireRequest).resourceMetrics ?? []).flatMap((resourceMetrics) => {
    const resource = attributesOf(resourceMetrics.resource?.attributes);
    return (resourceMetrics.scopeMetrics ?? []).flatMap((scopeMetrics) => {
      const { name = '', version = '', attributes } = scopeMetrics.scope ?? {};
      const scope = { name, version, attributes: attributesOf(attributes) };
      return (scopeMetrics.metrics ?? []).flatMap((metric) => pointsOf(metric, resource, scope));
    });
  });
}

/** Encodes an ExportMetricsServiceResponse with a partial success. */
export function encodePartialSuccess(rejectedPoints: number, message: string): Uint8Array {
  const partialSuccess = { rejectedDataPoints: rejectedPoints, errorMessage: message };
  return responseType.encode(responseType.fromObject({ partialSuccess })).finish();
}

function pointsOf(
  metric: WireMetric,
  resource: DecodedAttributes,
  scope: DecodedPoint['scope'],
): DecodedPoint[] {
  const found = dataOf(metric);
  if (found === undefined) return [];
  const { type, data } = found;
  return (data.dataPoints ?? []).map((point) => ({
    name: metric.name ?? '',
    unit: metric.unit ?? '',
    description: metric.description ?? '',
    type,
    temporality: TEMPORALITIES[data.aggregationTemporality ?? 0] ?? 'unspecified',
    monotonic: data.isMonotonic ?? false,
    resource,
    scope,
    attributes: attributesOf(point.attributes),
    startNs: point.startTimeUnixNano ?? 0n,
    timeNs: point.timeUnixNano ?? 0n,
    ...(type === 'histogram' ? { histogram: histogramOf(point) } : valueOf(point)),
  }));
}

function dataOf(metric: WireMetric): { type: DecodedPoint['type']; data: WireData } | undefined {
  if (metric.gauge) return { type: 'gauge', data: metric.gauge };
  if (metric.sum) return { type: 'sum', data: metric.sum };
  if (metric.histogram) return { type: 'histogram', data: metric.histogram };
  if (metric.exponentialHistogram) {
    return { type: 'exponential_histogram', data: metric.exponentialHistogram };
  }
  if (metric.summary) return { type: 'summary', data: metric.summary };
  return undefined;
}

function valueOf(point: WirePoint): { value?: number } {
  if (point.asDouble !== undefined) return { value: point.asDouble };
  if (point.asInt !== undefined) return { value: Number(point.asInt) };
  return {};
}

function histogramOf(point: WirePoint): DecodedHistogram {
  return {
    count: Number(point.count ?? 0n),
    ...(point.sum === undefined ? {} : { sum: point.sum }),
    bounds: point.explicitBounds ?? [],
    buckets: (point.bucketCounts ?? []).map(Number),
  };
}

function attributesOf(attributes: readonly WireKeyValue[] = []): DecodedAttributes {
  return attributes.map(({ key = '', value = {} }) => [key, attributeValueOf(value)] as const);
}

function attributeValueOf(value: WireAnyValue): AttributeValue {
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.boolValue !== undefined) return value.boolValue;
  if (value.intValue !== undefined) return value.intValue;
  const [unsupported] = Object.keys(value);
  return unsupported === undefined ? '' : { unsupported };
}

const TEMPORALITIES: readonly Temporality[] = ['unspecified', 'delta', 'cumulative'];

const PROTO = `
syntax = "proto3";
message ExportMetricsServiceRequest { repeated ResourceMetrics resource_metrics = 1; }
message ExportMetricsServiceResponse { ExportMetricsPartialSuccess partial_success = 1; }
message ExportMetricsPartialSuccess { int64 rejected_data_points = 1; string error_message = 2; }
message ResourceMetrics {
  Resource resource = 1;
  repeated ScopeMetrics scope_metrics = 2;
  string schema_url = 3;
}
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message ScopeMetrics { InstrumentationScope scope = 1; repeated Metric metrics = 2; string schema_url = 3; }
message InstrumentationScope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }
message Metric {
  string name = 1;
  string description = 2;
  string unit = 3;
  oneof data {
    Gauge gauge = 5;
    Sum sum = 7;
    Histogram histogram = 9;
    ExponentialHistogram exponential_histogram = 10;
    Summary summary = 11;
  }
}
message Gauge { repeated NumberDataPoint data_points = 1; }
message Sum {
  repeated NumberDataPoint data_points = 1;
  int32 aggregation_temporality = 2;
  bool is_monotonic = 3;
}
message Histogram { repeated HistogramDataPoint data_points = 1; int32 aggregation_temporality = 2; }
message ExponentialHistogram { repeated OtherDataPoint data_points = 1; int32 aggregation_temporality = 2; }
message Summary { repeated SummaryDataPoint data_points = 1; }
message NumberDataPoint {
  fixed64 start_time_unix_nano = 2;
  fixed64 time_unix_nano = 3;
  oneof value { double as_double = 4; sfixed64 as_int = 6; }
  repeated KeyValue attributes = 7;
  uint32 flags = 8;
}
message HistogramDataPoint {
  fixed64 start_time_unix_nano = 2;
  fixed64 time_unix_nano = 3;
  fixed64 count = 4;
  optional double sum = 5;
  repeated fixed64 bucket_counts = 6;
  repeated double explicit_bounds = 7;
  repeated KeyValue attributes = 9;
  uint32 flags = 10;
  optional double min = 11;
  optional double max = 12;
}
message OtherDataPoint {
  repeated KeyValue attributes = 1;
  fixed64 start_time_unix_nano = 2;
  fixed64 time_unix_nano = 3;
}
message SummaryDataPoint {
  fixed64 start_time_unix_nano = 2;
  fixed64 time_unix_nano = 3;
  fixed64 count = 4;
  double sum = 5;
  repeated KeyValue attributes = 7;
}
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue {
  oneof value {
    string string_value = 1;
    bool bool_value = 2;
    int64 int_value = 3;
    double double_value = 4;
    ArrayValue array_value = 5;
    KeyValueList kvlist_value = 6;
    bytes bytes_value = 7;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
`;

const root = protobuf.parse(PROTO).root;
const requestType = root.lookupType('ExportMetricsServiceRequest');
const responseType = root.lookupType('ExportMetricsServiceResponse');

/** What toObject makes of the messages: a field that was not sent is absent, 64-bit integers are bigint. */
interface WireRequest {
  readonly resourceMetrics?: readonly {
    readonly resource?: { readonly attributes?: readonly WireKeyValue[] };
    readonly scopeMetrics?: readonly {
      readonly scope?: {
        readonly name?: string;
        readonly version?: string;
        readonly attributes?: readonly WireKeyValue[];
      };
      readonly metrics?: readonly WireMetric[];
    }[];
  }[];
}

interface WireMetric {
  readonly name?: string;
  readonly description?: string;
  readonly unit?: string;
  readonly gauge?: WireData;
  readonly sum?: WireData;
  readonly histogram?: WireData;
  readonly exponentialHistogram?: WireData;
  readonly summary?: WireData;
}

interface WireData {
  readonly dataPoints?: readonly WirePoint[];
  readonly aggregationTemporality?: number;
  readonly isMonotonic?: boolean;
}

interface WirePoint {
  readonly startTimeUnixNano?: bigint;
  readonly timeUnixNano?: bigint;
  readonly attributes?: readonly WireKeyValue[];
  readonly asDouble?: number;
  readonly asInt?: bigint;
  readonly count?: bigint;
  readonly sum?: number;
  readonly bucketCounts?: readonly bigint[];
  readonly explicitBounds?: readonly number[];
}

interface WireKeyValue {
  readonly key?: string;
  readonly value?: WireAnyValue;
}

interface WireAnyValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: bigint;
}
