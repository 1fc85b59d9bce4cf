/**
 * Data points -> OTLP protobuf. The one core file that imports a package: the serializer knows the bytes, this file
 * knows its shapes. Encoded requests are joined by appending, since a repeated field may come in parts (protobuf,
 * "Last One Wins": repeated fields of concatenated messages are concatenated).
 */
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import type { Attributes, DataPoint } from './model.ts';
import { assert } from './outcome.ts';

/** Constant and without a version: Dynatrace makes dimensions of both, so a release would begin new series. */
const SCOPE = { name: 'nim-to-dynatrace' } as const;

/** ValueType.DOUBLE of @opentelemetry/api: values are doubles, as the Collector sends them. */
const DOUBLE = 1;

/** One request with one resource. */
export function encodeResource(resource: Attributes, points: readonly DataPoint[]): Uint8Array {
  const request = {
    resource: { attributes: resource },
    scopeMetrics: [{ scope: SCOPE, metrics: groupMetrics(points) }],
  };
  // Of the resource the serializer reads its attributes only.
  const bytes = ProtobufMetricsSerializer.serializeRequest(request as unknown as ResourceMetrics);
  assert(bytes !== undefined, 'the serializer answers with bytes');
  return bytes;
}

export function joinRequests(requests: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(requests.reduce((length, request) => length + request.length, 0));
  let at = 0;
  for (const request of requests) {
    joined.set(request, at);
    at += request.length;
  }
  return joined;
}

/** Points of one name and kind are one metric, in the order of their first point. */
function groupMetrics(points: readonly DataPoint[]): MetricData[] {
  const metrics = new Map<string, MetricData>();
  for (const point of points) {
    const id = `${point.kind} ${point.name}`;
    let metric = metrics.get(id);
    if (metric === undefined) {
      metric = emptyMetric(point);
      metrics.set(id, metric);
    }
    (metric.dataPoints as unknown[]).push(dataPoint(point));
  }
  return [...metrics.values()];
}

function emptyMetric({ kind, name, description, unit }: DataPoint): MetricData {
  const common = {
    descriptor: { name, description, unit, valueType: DOUBLE },
    aggregationTemporality: AggregationTemporality.DELTA,
    dataPoints: [],
  };
  if (kind === 'counter') return { ...common, dataPointType: DataPointType.SUM, isMonotonic: true };
  if (kind === 'gauge') return { ...common, dataPointType: DataPointType.GAUGE };
  return { ...common, dataPointType: DataPointType.HISTOGRAM };
}

function dataPoint(point: DataPoint) {
  const common = {
    startTime: hrTime(point.kind === 'gauge' ? 0 : point.startMs),
    endTime: hrTime(point.timeMs),
    attributes: point.attributes,
  };
  if (point.kind !== 'histogram') return { ...common, value: point.value };
  const { count, sum, bounds, buckets } = point;
  return { ...common, value: { count, sum, buckets: { boundaries: bounds, counts: buckets } } };
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1000);
  return [seconds, (ms - seconds * 1000) * 1_000_000];
}
