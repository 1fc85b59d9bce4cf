import type { ReceivedPoint } from './ingest-rules.ts';

/** Finds what no single point shows. */
export interface SeriesWindows {
  /** Adds an accepted point. */
  readonly add: (seriesKey: string, point: ReceivedPoint) => WindowFindings;
  readonly clear: () => void;
}

export interface WindowFindings {
  /** What it breaks: the same series at the same time, or over a span already counted. */
  readonly violations: readonly string[];
  /** A second point of the series within a minute is right, and may be billed. */
  readonly secondInMinute: boolean;
}

interface SeriesMemory {
  /** Newest last. */
  readonly times: Set<number>;
  /** Of the newest point. */
  minute: number | undefined;
  /** Spans counted so far; spans that touch are one. */
  spans: readonly Span[];
}

interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** Dynatrace keeps one value per series and minute. */
const MINUTE_MS = 60_000;
/** Times remembered per series: four hours of minutes, far beyond any retry. */
export const MAX_TIMES = 240;
/** Series remembered: more than any test sends, and a bound for a demo that runs for weeks. */
export const MAX_SERIES = 200_000;

/** Windows of a delta stream must not overlap (OTLP data model, temporality; single-writer principle). */
export function createSeriesWindows(): SeriesWindows {
  const memories = new Map<string, SeriesMemory>();
  return {
    add: (seriesKey, point) => {
      const memory: SeriesMemory = memories.get(seriesKey) ?? {
        times: new Set(),
        minute: undefined,
        spans: [],
      };
      memories.set(seriesKey, memory);
      dropOldest(memories, MAX_SERIES);
      const violations: string[] = [];
      if (memory.times.has(point.timeMs)) violations.push(`two points at time ${point.timeMs}: ${seriesKey}`);
      memory.times.add(point.timeMs);
      dropOldest(memory.times, MAX_TIMES);
      const minute = Math.floor(point.timeMs / MINUTE_MS);
      const secondInMinute = memory.minute === minute;
      memory.minute = minute;
      if (point.kind === 'gauge' || point.startMs >= point.timeMs) return { violations, secondInMinute };
      const window = { startMs: point.startMs, endMs: point.timeMs };
      const overlapped = memory.spans.find((span) => overlaps(span, window));
      if (overlapped) violations.push(`${textOf(window)} overlaps ${textOf(overlapped)}: ${seriesKey}`);
      memory.spans = merge(memory.spans, window);
      return { violations, secondInMinute };
    },
    clear: () => memories.clear(),
  };
}

function overlaps(a: Span, b: Span): boolean {
  return a.startMs < b.endMs && b.startMs < a.endMs;
}

function merge(spans: readonly Span[], added: Span): readonly Span[] {
  let { startMs, endMs } = added;
  const apart = spans.filter((span) => {
    if (span.startMs > endMs || span.endMs < startMs) return true;
    startMs = Math.min(startMs, span.startMs);
    endMs = Math.max(endMs, span.endMs);
    return false;
  });
  return [...apart, { startMs, endMs }];
}

/** Maps and sets keep the order of insertion. */
function dropOldest<K>(memory: Map<K, unknown> | Set<K>, max: number): void {
  if (memory.size <= max) return;
  for (const oldest of memory.keys()) {
    memory.delete(oldest);
    return;
  }
}

function textOf({ startMs, endMs }: Span): string {
  return `window (${startMs}, ${endMs}]`;
}
