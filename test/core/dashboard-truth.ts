/** What pages say, counted by a reader of its own: plain lines and subtraction, nothing of the product. */
import type { Sample } from './dashboard-engines.ts';
import type { PageFixture } from './dashboard-pages.ts';

/** One tick, or all of them. */
export type Moment = number | 'whole';

/** Dimensions; null: not there. */
export type Where = Readonly<Record<string, string | null>>;

export interface Truth {
  readonly ticks: number;
  /** Metric -> the sets of dimensions under which pages show it. A histogram is one metric. */
  readonly shown: ReadonlyMap<string, readonly Where[]>;
  /** What one selection of series says at a moment. */
  readonly at: (moment: Moment, where: Where) => Selection;
}

export interface Selection {
  readonly increase: (counter: string) => number;
  readonly gauges: (gauge: string) => readonly number[];
  /** Sum divided by count of what was observed; null: nothing was. */
  readonly meanObserved: (histogram: string) => number | null;
  /** The bounds of the bucket that holds the percentile. */
  readonly percentileBetween: (histogram: string, rank: number) => readonly [number, number] | null;
}

interface TrackedSample extends Sample {
  readonly tick: number;
  /** Name, labels and instance as text: one series. */
  readonly key: string;
}

export const SERVICE = 'nim';

export function readTruth({ pages, read = (page) => page }: PageFixture): Truth {
  const samples = Object.entries(pages).flatMap(([instance, texts]) =>
    texts.flatMap((text, tick) => {
      const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      const target = { 'service.name': SERVICE, 'service.instance.id': instance };
      const ofPage = read(lines.map(readLine));
      const ofScrape = [
        { name: 'up', labels: {}, value: 1 },
        { name: 'scrape_samples_scraped', labels: {}, value: lines.length },
        { name: 'scrape_duration_seconds', labels: {}, value: 0 },
      ];
      return [...ofPage, ...ofScrape].map(({ name, labels, value }): TrackedSample => {
        const all = { ...labels, ...target };
        return {
          name,
          labels: all,
          value,
          tick,
          key: JSON.stringify([name, Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1))]),
        };
      });
    }),
  );
  const ticks = Math.max(...Object.values(pages).map((texts) => texts.length));
  return { ticks, shown: shownBy(samples), at: (moment, where) => select(samples, moment, where) };
}

function readLine(line: string): Sample {
  const [, name = '', inside = '', value = ''] = /^([\w:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  const pairs = [...inside.matchAll(/(\w+)="([^"]*)"/g)].map(
    ([, key = '', text = '']) => [key, text] as const,
  );
  return { name, labels: Object.fromEntries(pairs), value: value === '+Inf' ? Infinity : Number(value) };
}

function shownBy(samples: readonly TrackedSample[]): Truth['shown'] {
  const shown = new Map<string, Where[]>();
  for (const { name, labels } of samples) {
    const { le, ...rest } = labels;
    const metric = le === undefined ? name : name.replace(/_bucket$/, '');
    shown.set(metric, [...(shown.get(metric) ?? []), rest]);
  }
  return shown;
}

function select(samples: readonly TrackedSample[], moment: Moment, where: Where): Selection {
  const matching = samples.filter(({ labels }) =>
    Object.entries(where).every(([key, value]) => (labels[key] ?? null) === value),
  );
  const isNow = ({ tick }: TrackedSample) => moment === 'whole' || tick === moment;
  const named = (name: string) => matching.filter((sample) => sample.name === name);
  const growth = (ofName: readonly TrackedSample[]) =>
    ofName.filter(isNow).reduce((sum, one) => sum + growthOf(one, samples), 0);
  return {
    increase: (name) => growth(named(name)),
    gauges: (name) =>
      named(name)
        .filter(isNow)
        .map(({ value }) => value),
    meanObserved: (name) => {
      const count = growth(named(`${name}_count`));
      return count === 0 ? null : growth(named(`${name}_sum`)) / count;
    },
    percentileBetween: (name, rank) => {
      const cumulative = [...Map.groupBy(named(`${name}_bucket`), ({ labels }) => labels['le'] ?? '')]
        .map(([le, ofBound]) => [Number(le.replace('+Inf', 'Infinity')), growth(ofBound)] as const)
        .sort(([a], [b]) => a - b);
      const count = cumulative.at(-1)?.[1] ?? 0;
      if (count === 0) return null;
      const index = cumulative.findIndex(([, below]) => below >= (rank / 100) * count);
      return [cumulative[index - 1]?.[0] ?? 0, cumulative[index]?.[0] ?? Infinity];
    },
  };
}

/** Since the page before; a first page is a baseline, a fall is a restart, and what is new since then counts whole. */
function growthOf({ key, tick, value }: TrackedSample, samples: readonly TrackedSample[]): number {
  if (tick === 0) return 0;
  const before = samples.find((other) => other.tick === tick - 1 && other.key === key)?.value ?? 0;
  return value < before ? value : value - before;
}
