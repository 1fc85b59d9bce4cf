/**
 * A baseline as bytes: canonical (equal baselines, equal bytes), versioned, small. Written out in docs/state.md; a kept
 * fixture per version proves that what was ever written can be read. The store packs the bytes (deflate with
 * BASELINE_DICTIONARY), so texts stay whole here and like stands beside like.
 *
 *   version 1
 *   flags       1 startMs, 2 createdMs, 4 forgot
 *   times       tickMs; then, each as its distance from tickMs: scrapedAtMs, startMs?, createdMs?, most common
 *               windowStartMs; earlier starts: count, distances
 *   shape, gauges
 *   texts       not-whole families: count, texts; bounds: count, texts; series keys: count, texts; draining keys;
 *   flips       scrapes of distrust; falls: count, keys, then of each where it fell from, twice its age plus its rise
 *   suspects    count, keys, then tries and tick of each
 *   series      for each, sorted by key, then draining: a byte of flags (kind, base, carry, own window), the number of
 *               its bounds (histograms), its own window start, then its values last, base, carry
 *   reals       what is no whole number below 2^52, 8 bytes each, in order
 *
 * Numbers are LEB128; a distance is zigzag; a value is twice its whole number, or 1 to stand for the next real.
 */
import type { Baseline } from './baseline.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import type { CumulativeKind } from './model.ts';
import { assert } from './outcome.ts';
import { readNumber } from './number-text.ts';
import { type SeriesTable, internSeries } from './series.ts';
import { readSeriesText } from './series-text.ts';
import type { SeriesState } from './series-state.ts';

export const BASELINE_VERSION = 1;

export type DecodedBaseline =
  | { readonly code: 'baseline'; readonly baseline: Baseline }
  | { readonly code: 'unreadable'; readonly message: string };

const HAS_START = 1;
const HAS_CREATED = 2;
const FORGOT = 4;

const KINDS: readonly CumulativeKind[] = ['counter', 'histogram', 'summary'];
const KIND_MASK = 3;
const HAS_BASE = 4;
const HAS_CARRY = 8;
const OWN_WINDOW = 16;

export function encodeBaseline(baseline: Baseline): Uint8Array {
  const series = [...baseline.series.values()].sort((a, b) => (a.series.key < b.series.key ? -1 : 1));
  const states = [...series, ...baseline.draining];
  const boundsTexts = [
    ...new Set(states.filter((state) => state.kind === 'histogram').map(boundsText)),
  ].sort();
  const boundsAt = new Map(boundsTexts.map((text, i) => [text, i]));
  const windowStartMs = mostCommonWindow(states, baseline.tickMs);
  const { tickMs, startMs, createdMs } = baseline;

  const out = new ByteWriter();
  out.byte(BASELINE_VERSION);
  out.byte(
    (startMs === undefined ? 0 : HAS_START) |
      (createdMs === undefined ? 0 : HAS_CREATED) |
      (baseline.forgot ? FORGOT : 0),
  );
  out.whole(tickMs);
  for (const momentMs of [baseline.scrapedAtMs, startMs, createdMs, windowStartMs]) {
    if (momentMs !== undefined) out.distance(momentMs - tickMs);
  }
  out.whole(baseline.earlierStartsMs.length);
  for (const momentMs of baseline.earlierStartsMs) out.distance(momentMs - tickMs);
  out.whole(baseline.shape);
  out.whole(baseline.gauges);
  out.texts([...baseline.notWhole].sort());
  out.texts(boundsTexts);
  out.texts(series.map((state) => state.series.key));
  out.texts(baseline.draining.map((state) => state.series.key));
  out.whole(baseline.flips.distrust);
  out.texts(baseline.flips.falls.map((fall) => fall.key));
  for (const { from, scrapesAgo, rose } of baseline.flips.falls) {
    out.whole(from);
    out.whole(scrapesAgo * 2 + (rose ? 1 : 0));
  }
  out.texts(baseline.suspects.map((suspect) => suspect.key));
  for (const { tries, untilTickMs } of baseline.suspects) {
    out.whole(tries);
    out.distance(untilTickMs - tickMs);
  }
  for (const state of states) {
    const ownWindow = state.windowStartMs !== windowStartMs;
    out.byte(
      KINDS.indexOf(state.kind) |
        (state.base === undefined ? 0 : HAS_BASE) |
        (state.carry === undefined ? 0 : HAS_CARRY) |
        (ownWindow ? OWN_WINDOW : 0),
    );
    if (state.kind === 'histogram') out.whole(boundsAt.get(boundsText(state)) as number);
    if (ownWindow) out.distance(state.windowStartMs - tickMs);
    for (const values of [state.last, state.base, state.carry])
      for (const value of values ?? []) out.value(value);
  }
  return out.finish();
}

export function decodeBaseline(bytes: Uint8Array, table: SeriesTable): DecodedBaseline {
  const input = new ByteReader(bytes);
  const version = input.byte();
  if (version !== BASELINE_VERSION) {
    const cause =
      version > BASELINE_VERSION ? `format ${version} is newer than ${BASELINE_VERSION}` : 'no known format';
    return unreadable(`${cause}; deploy the release that wrote it, or a later one`);
  }
  const flags = input.byte();
  const tickMs = input.whole();
  const scrapedAtMs = tickMs + input.distance();
  const startMs = flags & HAS_START ? tickMs + input.distance() : undefined;
  const createdMs = flags & HAS_CREATED ? tickMs + input.distance() : undefined;
  const windowStartMs = tickMs + input.distance();
  const earlierStartsMs = input.list(() => tickMs + input.distance());
  const shape = input.whole();
  const gauges = input.whole();
  const notWhole = new Set(input.texts());
  const bounds = input.texts().map(boundsOf);
  const keys = input.texts();
  const drainingKeys = input.texts();
  const distrust = input.whole();
  const falls = input.texts().map((key) => {
    const from = input.whole();
    const since = input.whole();
    return { key, from, scrapesAgo: Math.floor(since / 2), rose: since % 2 === 1 };
  });
  const suspects = input.texts().map((key) => {
    const tries = input.whole();
    return { key, tries, untilTickMs: tickMs + input.distance() };
  });
  const series = new Map<string, SeriesState>();
  const draining: SeriesState[] = [];
  for (const [i, key] of [...keys, ...drainingKeys].entries()) {
    const state = readState(input, key, table, bounds, tickMs, windowStartMs);
    if (state === undefined)
      return unreadable('damaged bytes; delete the item: its target begins with a baseline');
    if (i < keys.length) series.set(state.series.key, state);
    else draining.push(state);
  }
  if (!input.endedWell())
    return unreadable('damaged bytes; delete the item: its target begins with a baseline');
  return {
    code: 'baseline',
    baseline: {
      tickMs,
      scrapedAtMs,
      ...(startMs === undefined ? {} : { startMs }),
      earlierStartsMs,
      ...(createdMs === undefined ? {} : { createdMs }),
      shape,
      gauges,
      notWhole,
      forgot: (flags & FORGOT) !== 0,
      series,
      draining,
      flips: { falls, distrust },
      suspects,
    },
  };
}

function readState(
  input: ByteReader,
  key: string,
  table: SeriesTable,
  boundsList: readonly (readonly number[])[],
  tickMs: number,
  commonWindowMs: number,
): SeriesState | undefined {
  const series = seriesOfKey(key, table);
  const flags = input.byte();
  const kind = KINDS[flags & KIND_MASK];
  const bounds = kind === 'histogram' ? boundsList[input.whole()] : [];
  if (series === undefined || kind === undefined || bounds === undefined || input.failed) return undefined;
  const windowStartMs = flags & OWN_WINDOW ? tickMs + input.distance() : commonWindowMs;
  const width = kind === 'counter' ? 1 : bounds.length + 2;
  const last = input.values(width);
  return {
    series,
    kind,
    bounds,
    last,
    ...(flags & HAS_BASE ? { base: input.values(width) } : {}),
    ...(flags & HAS_CARRY ? { carry: input.values(width) } : {}),
    windowStartMs,
  };
}

/** A key is canonical exposition text, so a table that has met it on a page need not read it again. */
function seriesOfKey(key: string, table: SeriesTable) {
  const known = table.byKey.get(key);
  if (known !== undefined) return known;
  const read = readSeriesText(key);
  return read.code === 'series' ? internSeries(table, read.name, read.labels) : undefined;
}

function unreadable(cause: string): DecodedBaseline {
  return { code: 'unreadable', message: `cannot read the baseline: ${cause}` };
}

/** The shortest texts that read back as the same numbers; models of one family share them. */
function boundsText(state: SeriesState): string {
  return state.bounds.join(' ');
}

function boundsOf(text: string): readonly number[] {
  return text === '' ? [] : text.split(' ').map((word) => readNumber(word, 0, word.length) ?? NaN);
}

/** Ties go to the latest, so that the bytes do not depend on the order of a Map. */
function mostCommonWindow(states: readonly SeriesState[], tickMs: number): number {
  const counts = new Map<number, number>();
  for (const { windowStartMs } of states) counts.set(windowStartMs, (counts.get(windowStartMs) ?? 0) + 1);
  let best = tickMs;
  let bestCount = counts.get(tickMs) ?? 0;
  for (const [momentMs, count] of counts) {
    if (count > bestCount || (count === bestCount && momentMs > best)) {
      best = momentMs;
      bestCount = count;
    }
  }
  assert(Number.isSafeInteger(best), 'times are whole milliseconds');
  return best;
}
