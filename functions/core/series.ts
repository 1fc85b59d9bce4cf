/**
 * Series and their canonical text, interned. A warm function sees the same few hundred series each minute: a
 * SeriesTable reads each of them once and hands out the same object ever after. It is a memo of pure functions, owned
 * by whoever assembles the run, and may be thrown away between two runs without changing a result.
 */
import type { Labels, Series } from './model.ts';
import { readNumber } from './number-text.ts';

/**
 * Entries kept before the table is emptied: some 250 large pages of different series; about 100 MB. A run that sees
 * more than that only pays for reading its label text again.
 */
export const MAX_INTERNED_TEXTS = 200_000;

export interface SeriesTable {
  readonly byKey: Map<string, Series>;
  /** Equal names are one string object, so that comparing them is comparing pointers. */
  readonly names: Map<string, string>;
  /** Series text as it stood on a page -> position in `texts` and `series`. */
  readonly idByText: Map<string, number>;
  readonly texts: string[];
  readonly series: Series[];
  /** Which text followed this one when it was last seen: pages keep their order between two scrapes. */
  readonly next: number[];
  /** Memo of `splitLabel`. */
  readonly splits: Map<Series, LabelSplit>;
}

/** A series without one label, and that label's value as a number (NaN if it is none). */
export interface LabelSplit {
  readonly series: Series;
  readonly bound: number;
}

export function createSeriesTable(): SeriesTable {
  return {
    byKey: new Map(),
    names: new Map(),
    idByText: new Map(),
    texts: [],
    series: [],
    next: [],
    splits: new Map(),
  };
}

/** Empties a table that has grown past its bound. Only between two runs: within one, equal series are one object. */
export function trimSeriesTable(table: SeriesTable): void {
  if (table.idByText.size <= MAX_INTERNED_TEXTS && table.byKey.size <= MAX_INTERNED_TEXTS) return;
  table.byKey.clear();
  table.names.clear();
  table.idByText.clear();
  table.texts.length = 0;
  table.series.length = 0;
  table.next.length = 0;
  table.splits.clear();
}

/** The one object for this name and these labels, which must be sorted by name and free of empty values. */
export function internSeries(
  table: SeriesTable,
  name: string,
  labels: Labels,
  emptied: readonly string[] = [],
): Series {
  const key = seriesKey(name, labels);
  // No key has a line break in it.
  const exposed = emptied.length === 0 ? key : [key, ...emptied].join('\n');
  let series = table.byKey.get(exposed);
  if (series === undefined) {
    series = { name: internName(table, name), labels, key, ...(emptied.length === 0 ? {} : { emptied }) };
    table.byKey.set(exposed, series);
  }
  return series;
}

function internName(table: SeriesTable, name: string): string {
  const known = table.names.get(name);
  if (known !== undefined) return known;
  table.names.set(name, name);
  return name;
}

/** The series named `name` with the labels of `series` less the numeric `label` (`le`); undefined if it has none. */
export function splitLabel(
  table: SeriesTable,
  series: Series,
  name: string,
  label: string,
): LabelSplit | undefined {
  const known = table.splits.get(series);
  if (known !== undefined && known.series.name === name) return known;
  const at = labelIndex(series.labels, label);
  if (at < 0) return undefined;
  const rest = [...series.labels.slice(0, at), ...series.labels.slice(at + 2)];
  const value = series.labels[at + 1] as string;
  const bound = readNumber(value, 0, value.length) ?? NaN;
  const split = { series: internSeries(table, name, rest), bound };
  table.splits.set(series, split);
  return split;
}

/** The series with the same labels under another name. */
export function renameSeries(table: SeriesTable, series: Series, name: string): Series {
  return series.name === name ? series : internSeries(table, name, series.labels);
}

function labelIndex(labels: Labels, name: string): number {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return i;
  return -1;
}

/** `name{a="x",b="y"}` in the escaping of text format 1.0.0; a name outside the legacy character set is quoted. */
export function seriesKey(name: string, labels: Labels): string {
  const legacy = isLegacyName(name);
  if (labels.length === 0 && legacy) return name;
  let inner = legacy ? '' : quote(name);
  for (let i = 0; i < labels.length; i += 2) {
    const labelName = labels[i] as string;
    const bare = isLegacyName(labelName) && !labelName.includes(':');
    inner += `${inner === '' ? '' : ','}${bare ? labelName : quote(labelName)}=${quote(labels[i + 1] as string)}`;
  }
  return `${legacy ? name : ''}{${inner}}`;
}

function quote(text: string): string {
  if (!text.includes('\\') && !text.includes('"') && !text.includes('\n')) return `"${text}"`;
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

/** [a-zA-Z_:][a-zA-Z0-9_:]*, the names that need no quotes. */
function isLegacyName(name: string): boolean {
  if (name.length === 0) return false;
  for (let i = 0; i < name.length; i++) if (!isNameCode(name.charCodeAt(i), i === 0)) return false;
  return true;
}

/** Whether this character code may stand in an unquoted metric name. */
export function isNameCode(code: number, first: boolean): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    code === 95 ||
    code === 58 ||
    (!first && code >= 48 && code <= 57)
  );
}
