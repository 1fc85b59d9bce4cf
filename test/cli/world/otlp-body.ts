import { ValueType } from '@opentelemetry/api';
import type { Attributes, HrTime } from '@opentelemetry/api';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics';
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics';

/** One metric with one point; what is absent has a harmless default. */
export interface BodyMetric {
  readonly kind: 'counter' | 'gauge' | 'histogram' | 'exponential_histogram';
  readonly name?: string;
  readonly unit?: string;
  readonly description?: string;
  readonly attributes?: Attributes;
  readonly startMs?: number;
  readonly timeMs?: number;
  readonly value?: number;
  readonly integer?: boolean;
  readonly cumulative?: boolean;
  readonly monotonic?: boolean;
  readonly count?: number;
  readonly sum?: number | undefined;
  readonly bounds?: readonly number[];
  readonly buckets?: readonly number[];
}

/** Start of every window here: a whole minute. */
export const MINUTE = 1_800_000_000_000;

/** A body as the OpenTelemetry serializer writes it. */
export function bodyOf(metrics: readonly BodyMetric[], resource: Attributes = {}): Uint8Array {
  const body = ProtobufMetricsSerializer.serializeRequest({
    resource: { attributes: resource, getRawAttributes: () => Object.entries(resource) },
    scopeMetrics: [{ scope: { name: 'scope', version: '1' }, metrics: metrics.map(metricData) }],
  } as unknown as ResourceMetrics);
  if (body === undefined) throw new Error('nothing serialized');
  return body;
}

function metricData(metric: BodyMetric): MetricData {
  const { kind, attributes = {}, startMs = MINUTE, timeMs = startMs + 60_000 } = metric;
  const common = {
    descriptor: {
      name: metric.name ?? kind,
      description: metric.description ?? '',
      unit: metric.unit ?? '',
      valueType: metric.integer === true ? ValueType.INT : ValueType.DOUBLE,
    },
    aggregationTemporality:
      metric.cumulative === true ? AggregationTemporality.CUMULATIVE : AggregationTemporality.DELTA,
  };
  const window = { startTime: hrTime(startMs), endTime: hrTime(timeMs), attributes };
  const number = { ...window, value: metric.value ?? 1 };
  const { count = 3, buckets = [1, 2], bounds = [0.5] } = metric;
  const sum = 'sum' in metric ? { sum: metric.sum } : { sum: 2.5 };
  switch (kind) {
    case 'gauge':
      return { ...common, dataPointType: DataPointType.GAUGE, dataPoints: [number] };
    case 'counter': {
      const isMonotonic = metric.monotonic ?? true;
      return { ...common, dataPointType: DataPointType.SUM, isMonotonic, dataPoints: [number] };
    }
    case 'histogram': {
      const value = { count, ...sum, buckets: { boundaries: [...bounds], counts: [...buckets] } };
      return {
        ...common,
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: [{ ...window, value }],
      } as MetricData;
    }
    case 'exponential_histogram': {
      const side = { offset: 0, bucketCounts: [1] };
      const value = { count: 1, sum: 1, scale: 0, zeroCount: 0, positive: side, negative: side };
      const dataPoints = [{ ...window, value }];
      return { ...common, dataPointType: DataPointType.EXPONENTIAL_HISTOGRAM, dataPoints };
    }
  }
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1_000_000)];
}
