/**
 * A sequence of exposition pages, as one address showed them in turn: how it is served, and what truly was counted.
 * Reads pages by itself, so that the product is not held against its own reading.
 */

/** What the pages can tell: from the first page to the last, and of each later process from zero. */
export type Counts = ReadonlyMap<string, number>;

const SAMPLE = /^([a-zA-Z_:][\w:]*)(\{.*\})?\s+(\S+)/;
const START = 'process_start_time_seconds';
/** The first process is this old when it is first seen. */
const FIRST_AGE_S = 60;

/**
 * The increase of each counter, and of each histogram's count (as `<name>_count`), summed over labels. A page shows
 * another process than the one before if its start time moved or, where it tells none, if a counter fell.
 */
export function countTruth(pages: readonly string[]): Counts {
  const total = new Map<string, number>();
  let before: ReadonlyMap<string, number> | undefined;
  let startBefore: number | undefined;
  for (const page of pages) {
    const types = typesOf(page);
    const { now, start } = readCumulative(page, types);
    const fell = [...(before ?? [])].some(([series, value]) => (now.get(series) ?? Infinity) < value);
    const another = start === undefined ? fell : start !== startBefore;
    for (const [series, value] of now) {
      const name = series.split('{')[0] as string;
      // What the first page shows was counted before anyone looked.
      const from = before === undefined ? value : another ? 0 : (before.get(series) ?? 0);
      total.set(name, (total.get(name) ?? 0) + value - from);
    }
    // A series that is not on this page keeps its value for when it returns within the same life.
    before = new Map([...(before === undefined || another ? [] : before), ...now]);
    startBefore = start;
  }
  return total;
}

function typesOf(page: string): ReadonlyMap<string, string> {
  return new Map([...page.matchAll(/^# TYPE (\S+) (\w+)/gm)].map(([, name = '', type = '']) => [name, type]));
}

function readCumulative(page: string, types: ReadonlyMap<string, string>) {
  const now = new Map<string, number>();
  let start: number | undefined;
  for (const line of page.split(/\r?\n/)) {
    const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
    if (name === START) start = Number(value);
    const family = name.replace(/_(total|count)$/, '');
    const isCounter =
      types.get(name) === 'counter' || (name.endsWith('_total') && types.get(family) === 'counter');
    const isCount = name.endsWith('_count') && types.get(family) === 'histogram';
    if ((isCounter || isCount) && !/^(process_|python_)/.test(name)) now.set(name + labels, Number(value));
  }
  return { now, start };
}

/**
 * Start times recorded long ago would make each process look older than every scrape of a replay. So they move with
 * it: the first process began a minute before it is first seen, each later one half-way between two scrapes.
 */
export function createReplay(pages: readonly string[], wallMs: () => number): (index: number) => string {
  const moved = new Map<string, number>();
  let servedMs: number | undefined;
  return (index) => {
    const page = pages[Math.min(index, pages.length - 1)] as string;
    const nowMs = wallMs();
    const recorded = new RegExp(`^${START}\\s+(\\S+)`, 'm').exec(page)?.[1];
    if (recorded !== undefined && !moved.has(recorded))
      moved.set(recorded, servedMs === undefined ? nowMs / 1000 - FIRST_AGE_S : (servedMs + nowMs) / 2000);
    servedMs = nowMs;
    if (recorded === undefined) return page;
    const shift = (moved.get(recorded) as number) - Number(recorded);
    return page.replace(
      new RegExp(`^(${START}|\\w+_created(?:\\{.*\\})?)(\\s+)(\\S+)`, 'gm'),
      (_, name: string, blank: string, value: string) => `${name}${blank}${Number(value) + shift}`,
    );
  };
}
