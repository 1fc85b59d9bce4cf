/**
 * A target's story, told in exposition text and answered in data point notation: `name{labels} increase (start,end]`,
 * a histogram as `count sum [buckets]`, then `drop <reason> <count>`. Times are seconds since T0. Baselines travel as
 * bytes between two steps, as they do between two runs.
 */
import { strict as assert } from 'node:assert';
import { type Baseline, duePending, owed, settle } from '../../functions/core/baseline.ts';
import { decodeBaseline, encodeBaseline } from '../../functions/core/baseline-format.ts';
import { MAX_TRACKED_SERIES, type ScrapeFacts, observe } from '../../functions/core/delta.ts';
import { parseExposition } from '../../functions/core/exposition.ts';
import { groupFamilies } from '../../functions/core/families.ts';
import { type SeriesState, increase, sendableIncrease } from '../../functions/core/series-state.ts';
import { createSeriesTable } from '../../functions/core/series.ts';

/** Second 0 of every story. */
export const T0_MS = Date.parse('2026-01-01T00:00:00Z');

export interface Step {
  /** What became of the bodies: accepted by default. */
  readonly export?: 'accepted' | 'refused';
  /** Seconds after the tick at which the page was made (its `Date`). */
  readonly lateS?: number;
  readonly shape?: number;
  readonly facts?: Partial<ScrapeFacts>;
}

export interface Story {
  /** One run at `tickS` seconds: the points that left, or would have. `undefined`: a failed scrape. */
  readonly run: (tickS: number, page: string | undefined, step?: Step) => readonly string[];
  readonly baseline: () => Baseline | undefined;
  /** Series key -> what is pending, all values. */
  readonly pending: () => Readonly<Record<string, readonly number[]>>;
}

export function startStory(facts: Partial<ScrapeFacts> = {}): Story {
  let baseline: Baseline | undefined;
  const table = createSeriesTable();
  return {
    run: (tickS, text, step = {}) => {
      const tickMs = T0_MS + tickS * 1000;
      let due: readonly SeriesState[] = baseline === undefined ? [] : duePending(baseline);
      let drops: readonly (readonly [string, number])[] = [];
      if (text !== undefined) {
        const parsed = parseExposition(new TextEncoder().encode(text), table, 10_000);
        assert(parsed.code === 'page');
        const kinds = [...(baseline?.series.values() ?? [])].map(
          (state) => [state.series.name, state.kind] as const,
        );
        const families = groupFamilies(parsed.page, table, new Map(kinds));
        const seen = observe(baseline, families, {
          tickMs,
          scrapedAtMs: tickMs + (step.lateS ?? 0) * 1000,
          shape: step.shape ?? 1,
          samples: parsed.page.values.length,
          intervalMs: 60_000,
          maxStalenessMs: 25 * 3_600_000,
          initialValue: 'auto',
          maxSeries: MAX_TRACKED_SERIES,
          ...facts,
          ...step.facts,
        });
        ({ baseline, due } = seen);
        drops = [...families.drops, ...seen.drops];
      }
      const printed = [
        ...due.map((state) => print(state, tickS)),
        ...drops.map((drop) => `drop ${drop.join(' ')}`),
      ];
      if (baseline !== undefined) {
        if (step.export !== 'refused') baseline = settle(baseline, new Set(due), tickMs);
        baseline = throughBytes(baseline);
      }
      return printed;
    },
    baseline: () => baseline,
    pending: () => {
      const states = baseline === undefined ? [] : [...baseline.series.values(), ...baseline.draining];
      const pending = states.filter((state) => state.base !== undefined || state.carry !== undefined);
      const owing = pending.filter((state) => increase(state).some((value) => value > 0));
      if (baseline !== undefined) assert.equal(owed(baseline).series, owing.length);
      return Object.fromEntries(pending.map((state) => [state.series.key, increase(state)]));
    },
  };
}

/** A fresh table each time: what is read back owes nothing to the process that wrote it. */
function throughBytes(baseline: Baseline): Baseline {
  const bytes = encodeBaseline(baseline);
  const decoded = decodeBaseline(bytes, createSeriesTable());
  assert(decoded.code === 'baseline');
  assert.deepEqual(encodeBaseline(decoded.baseline), bytes);
  return decoded.baseline;
}

function print(state: SeriesState, tickS: number): string {
  const [first, ...buckets] = sendableIncrease(state);
  const startS = (state.windowStartMs - T0_MS) / 1000;
  const value =
    state.kind === 'counter'
      ? `${first}`
      : `${buckets.reduce((sum, b) => sum + b, 0)} ${first} [${buckets.join(' ')}]`;
  return `${state.series.key} ${value} (${startS},${tickS}]`;
}

/** A counter page: `{a: 1}` becomes `# TYPE a_total counter`, `a_total 1`; a start time in seconds since T0. */
export function counters(values: Readonly<Record<string, number>>, startS?: number): string {
  const lines = Object.entries(values).map(([series, value]) => {
    const name = series.split('{')[0];
    return `# TYPE ${name} counter\n${series} ${value}\n`;
  });
  return lines.join('') + started(startS);
}

/** A histogram page: cumulative buckets under the given bounds. */
export function histogram(
  name: string,
  bounds: readonly number[],
  cumulative: readonly number[],
  sum: number,
  startS?: number,
): string {
  const le = [...bounds.map(String), '+Inf'];
  const buckets = cumulative.map((count, i) => `${name}_bucket{le="${le[i]}"} ${count}\n`);
  const total = `${name}_count ${cumulative.at(-1)}\n${name}_sum ${sum}\n`;
  return `# TYPE ${name} histogram\n${buckets.join('')}${total}${started(startS)}`;
}

function started(startS: number | undefined): string {
  if (startS === undefined) return '';
  return `# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds ${T0_MS / 1000 + startS}\n`;
}
