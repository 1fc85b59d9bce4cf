/** One line of JSON per delivered data point. */
import type { AttributeValue, DecodedAttributes, DecodedPoint } from './world/otlp-decoder.ts';

export function jsonLines(tickMs: number, points: readonly DecodedPoint[]): string {
  return points.map((point) => `${JSON.stringify(jsonOf(tickMs, point))}\n`).join('');
}

/** Times are ISO 8601 in UTC; a gauge has no start. */
function jsonOf(tickMs: number, point: DecodedPoint) {
  const type = point.type === 'sum' ? 'counter' : point.type;
  const { histogram } = point;
  return {
    tick: instant(tickMs),
    name: point.name,
    type,
    unit: point.unit,
    start: point.startNs === 0n ? null : instant(Number(point.startNs / 1_000_000n)),
    time: instant(Number(point.timeNs / 1_000_000n)),
    ...(histogram === undefined
      ? { value: point.value }
      : { count: histogram.count, sum: histogram.sum, bounds: histogram.bounds, buckets: histogram.buckets }),
    attributes: attributesOf(point),
  };
}

/** Resource and point as Dynatrace merges them: the point wins. */
export function attributesOf({ resource, attributes }: DecodedPoint): Readonly<Record<string, string>> {
  return Object.fromEntries([...textual(resource), ...textual(attributes)]);
}

function textual(attributes: DecodedAttributes): [string, string][] {
  return attributes.map(([key, value]) => [key, text(value)]);
}

function text(value: AttributeValue): string {
  return typeof value === 'object' ? value.unsupported : String(value);
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
