/**
 * An exposition page -> samples and metadata, in one pass: text format 0.0.4, text format 1.0.0 (quoted UTF-8 names)
 * and OpenMetrics 1.0, told apart by content, since servers mislabel them. A malformed line costs that line only: it
 * is counted, and its family is no longer whole (D5), so that nothing is guessed about series that it may have hidden.
 *
 * The loop makes no object and runs no regular expression per line: pages keep their order, so a line usually begins
 * with the very series text that followed the previous one on the last page, and one comparison recognises it.
 */
import type { FamilyType, Series } from './model.ts';
import { readNumber } from './number-text.ts';
import { internSeries, type SeriesTable } from './series.ts';
import {
  MAX_SERIES_TEXT_LENGTH,
  readQuoted,
  readSeriesText,
  seriesTextEnd,
  skipBlanks,
} from './series-text.ts';

/** What the comment lines say of a metric family. */
export interface Metadata {
  type: FamilyType | undefined;
  help: string;
  unit: string;
}

export interface RefusedLine {
  readonly line: number;
  readonly cause: string;
}

/** Lines that were not understood. */
export interface Refused {
  count: number;
  /** The first few, for messages. */
  readonly examples: RefusedLine[];
  /** Metric names whose lines they were. */
  readonly names: Set<string>;
  /** A line whose family cannot be told, or a page that may be cut: no family of it is whole. */
  anywhere: boolean;
}

export interface Page {
  readonly format: 'text' | 'openmetrics';
  /** In page order; `values[i]` belongs to `series[i]`. */
  readonly series: readonly Series[];
  readonly values: readonly number[];
  /** Position -> the sample's own timestamp, where it has one. */
  readonly timesMs: ReadonlyMap<number, number>;
  readonly metadata: ReadonlyMap<string, Metadata>;
  readonly refused: Refused;
}

export type Exposition =
  | { readonly code: 'page'; readonly page: Page }
  | { readonly code: 'not_exposition'; readonly message: string }
  | { readonly code: 'sample_limit'; readonly message: string };

const NEWLINE = 10;
const RETURN = 13;
const HASH = 35;
const SPACE = 32;
const TAB = 9;
const QUOTE = 34;
const BRACE_OPEN = 123;
const BRACE_CLOSE = 125;
const MAX_REFUSED_EXAMPLES = 5;
/** Beyond this many names the page as a whole is not trusted. */
const MAX_REFUSED_NAMES = 100;

/** Samples of one page before relabelling: twice what a page may keep, so that rules can bring it below its limit. */
export const MAX_PAGE_SAMPLES = 100_000;

/**
 * Reads a page. More than `maxSamples` samples fail it. Where HTTP did not tell the page's end
 * (`complete` false) it may have been cut: then a last line without a line end is refused, for of a number that was cut
 * what is left is another number, and no family is whole.
 */
export function parseExposition(
  body: Uint8Array,
  table: SeriesTable,
  maxSamples: number = MAX_PAGE_SAMPLES,
  complete = true,
): Exposition {
  const mistake = binaryMistake(body);
  if (mistake !== undefined) return { code: 'not_exposition', message: mistake };
  const text = decoder.decode(body);
  if (/^\s*</.test(text)) return htmlPage();
  const page = {
    format: endsWithEof(text) ? ('openmetrics' as const) : ('text' as const),
    series: [] as Series[],
    values: [] as number[],
    timesMs: new Map<number, number>(),
    metadata: new Map<string, Metadata>(),
    refused: { count: 0, examples: [], names: new Set<string>(), anywhere: false } as Refused,
  };
  let family = '';
  let previous = -1;
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === NEWLINE || isBlank(code)) {
      at++;
      continue;
    }
    if (code === HASH) {
      const end = lineEnd(text, at);
      family = readComment(text, at, end, page.metadata, page.refused) ?? family;
      at = end;
      continue;
    }
    const id = seriesAt(text, at, table, previous);
    if (typeof id !== 'number') {
      refuse(page.refused, text, at, [id.name, family], id.cause);
      at = lineEnd(text, at);
      continue;
    }
    previous = id;
    const from = skipBlanks(text, at + (table.texts[id] as string).length);
    const to = tokenEnd(text, from);
    const value = readNumber(text, from, to);
    const end = lineEnd(text, to);
    const isCut = !complete && end === text.length;
    const timestamp = value === undefined || isCut ? undefined : timestampAfter(text, to);
    let fault: string | undefined;
    if (value === undefined) fault = 'no number';
    else if (isCut) fault = 'no line end: it may be cut';
    else if (timestamp === MALFORMED) fault = 'text after the value';
    if (value === undefined || fault !== undefined) {
      refuse(page.refused, text, at, [(table.series[id] as Series).name, family], fault ?? 'no number');
    } else {
      if (typeof timestamp === 'number')
        page.timesMs.set(page.values.length, page.format === 'text' ? timestamp : timestamp * 1000);
      page.series.push(table.series[id] as Series);
      page.values.push(value);
      if (page.values.length > maxSamples) return tooManySamples(maxSamples);
    }
    at = end;
  }
  if (page.values.length === 0 && page.refused.count > 0) return notExposition(text, page.refused);
  if (!complete && page.format === 'text') page.refused.anywhere = true;
  return { code: 'page', page };
}

/** The position in the table of the series whose text begins at `at`; a malformed text is described instead. */
function seriesAt(
  text: string,
  at: number,
  table: SeriesTable,
  previous: number,
): number | { readonly name: string; readonly cause: string } {
  const expected = previous < 0 ? undefined : table.next[previous];
  if (expected !== undefined && expected >= 0) {
    const known = table.texts[expected] as string;
    const knownEnd = at + known.length;
    if (text.slice(at, knownEnd) === known && endsHere(text, knownEnd)) return expected;
  }
  const end = seriesTextEnd(text, at);
  if (end < 0) return { name: readSeriesText(text.slice(at, lineEnd(text, at))).name, cause: 'no closing }' };
  const raw = text.slice(at, end);
  if (raw.length > MAX_SERIES_TEXT_LENGTH) {
    return { name: readSeriesText(raw.slice(0, 256)).name, cause: `a series of ${raw.length} characters` };
  }
  if (!endsHere(text, end)) {
    const cause = isLineEnd(text, end) ? 'no number' : 'a blank was expected after the name';
    return { name: readSeriesText(raw).name, cause };
  }
  let id = table.idByText.get(raw);
  if (id === undefined) {
    const own = ownText(raw);
    const read = readSeriesText(own);
    if (read.code === 'malformed') return read;
    id = table.texts.length;
    table.idByText.set(own, id);
    table.texts.push(own);
    table.series.push(internSeries(table, read.name, read.labels, read.emptied));
    table.next.push(-1);
  }
  if (previous >= 0) table.next[previous] = id;
  return id;
}

const decoder = new TextDecoder('utf-8');

/** A copy by way of a new string: a slice of a page would keep the whole page in memory for as long as it is kept. */
function ownText(slice: string): string {
  return ` ${slice}`.slice(1);
}

/** Whether a series text that was recognised ends at `end`: a bare name may be longer, or have labels, on this page. */
function endsHere(text: string, end: number): boolean {
  if (text.charCodeAt(end - 1) === BRACE_CLOSE) return true;
  const following = text.charCodeAt(end);
  if (following !== SPACE && following !== TAB) return false;
  return text.charCodeAt(skipBlanks(text, end)) !== BRACE_OPEN;
}

const MALFORMED = 'malformed';

/** Behind the value: nothing, a timestamp (milliseconds, in OpenMetrics seconds), an OpenMetrics exemplar. */
function timestampAfter(text: string, end: number): number | typeof MALFORMED | undefined {
  let at = skipBlanks(text, end);
  if (isLineEnd(text, at)) return undefined;
  let timestamp: number | undefined;
  if (text.charCodeAt(at) !== HASH) {
    const to = tokenEnd(text, at);
    timestamp = readNumber(text, at, to);
    if (timestamp === undefined) return MALFORMED;
    at = skipBlanks(text, to);
  }
  return isLineEnd(text, at) || text.charCodeAt(at) === HASH ? timestamp : MALFORMED;
}

function isLineEnd(text: string, at: number): boolean {
  const end = text.charCodeAt(at) === RETURN ? at + 1 : at;
  return end >= text.length || text.charCodeAt(end) === NEWLINE;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB || code === RETURN;
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

function tokenEnd(text: string, start: number): number {
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === NEWLINE || isBlank(code)) break;
  }
  return at;
}

const FAMILY_TYPES: ReadonlyMap<string, FamilyType> = new Map([
  ['counter', 'counter'],
  ['gauge', 'gauge'],
  ['histogram', 'histogram'],
  ['summary', 'summary'],
  ['info', 'info'],
  ['stateset', 'stateset'],
  ['gaugehistogram', 'gaugehistogram'],
  ['untyped', 'unknown'],
  ['unknown', 'unknown'],
]);

/**
 * `# TYPE`, `# HELP`, `# UNIT`: the family they speak of; undefined for any other comment. A TYPE that cannot be read
 * is a refused line: its family is read as gauges on this page, and must not seem new on the next.
 */
function readComment(
  text: string,
  at: number,
  lineTo: number,
  metadata: Map<string, Metadata>,
  refused: Refused,
): string | undefined {
  const keywordAt = skipBlanks(text, at + 1);
  const isType = text.startsWith('TYPE', keywordAt);
  const isHelp = !isType && text.startsWith('HELP', keywordAt);
  if (!isType && !isHelp && !text.startsWith('UNIT', keywordAt)) return undefined;
  let end = lineTo;
  while (isBlank(text.charCodeAt(end - 1))) end--;
  const nameAt = skipBlanks(text, keywordAt + 4);
  if (nameAt === keywordAt + 4 || nameAt >= end) return undefined;
  const quoted = text.charCodeAt(nameAt) === QUOTE ? readQuoted(text.slice(nameAt, end), 0) : undefined;
  const nameTo = quoted === undefined ? tokenEnd(text, nameAt) : nameAt + quoted.end;
  const name = quoted?.text ?? text.slice(nameAt, nameTo);
  let family = metadata.get(name);
  if (family === undefined) {
    family = { type: undefined, help: '', unit: '' };
    metadata.set(name, family);
  }
  const rest = text.slice(skipBlanks(text, nameTo), end);
  if (isType) {
    const type = FAMILY_TYPES.get(rest) ?? FAMILY_TYPES.get(rest.toLowerCase());
    if (type === undefined) refuse(refused, text, at, [name], 'no metric type');
    // A gauge `x` and a counter `x_total` share their family's name in OpenMetrics (Go's `go_memstats_alloc_bytes`).
    const isSecond = type === 'counter' && (family.type ?? type) !== type;
    if (isSecond) metadata.set(`${name}_total`, { ...family, type });
    family.type ??= type;
  } else if (isHelp) family.help = rest.includes('\\') ? unescapeHelp(rest) : rest;
  else family.unit = rest;
  return name;
}

/** `\\` and `\n`, and the `\"` of OpenMetrics; any other escape stands for itself. */
function unescapeHelp(help: string): string {
  return help.replace(/\\[\\n"]/g, (escape) => (escape === '\\n' ? '\n' : escape.charAt(1)));
}

/** The name may have been cut short, so the family that the last comment spoke of is not whole either. */
function refuse(refused: Refused, text: string, at: number, names: readonly string[], cause: string): void {
  refused.count++;
  const readable = names.filter((name) => name !== '');
  if (readable.length === 0) refused.anywhere = true;
  if (refused.names.size >= MAX_REFUSED_NAMES) refused.anywhere = true;
  else for (const name of readable) refused.names.add(name);
  if (refused.examples.length < MAX_REFUSED_EXAMPLES)
    refused.examples.push({ line: lineNumber(text, at), cause });
}

function lineNumber(text: string, at: number): number {
  let line = 1;
  for (let end = text.indexOf('\n'); end >= 0 && end < at; end = text.indexOf('\n', end + 1)) line++;
  return line;
}

/** OpenMetrics 1.0 ends with `# EOF` (section "Overall Structure"); no other format has to. */
function endsWithEof(text: string): boolean {
  const tail = text.slice(-16).trimEnd();
  return tail.endsWith('# EOF') && (tail.length === 5 || tail.charCodeAt(tail.length - 6) === NEWLINE);
}

function binaryMistake(body: Uint8Array): string | undefined {
  if (body[0] === 0x1f && body[1] === 0x8b) {
    return 'cannot read the page: it is gzip without a Content-Encoding header; let the server name its encoding';
  }
  if (!body.subarray(0, 512).includes(0)) return undefined;
  return 'cannot read the page: the body is binary; ask this address for text/plain, or name the metrics path';
}

function htmlPage(): Exposition {
  const remedy =
    'a proxy, a login or a web interface answers here: check port and metrics path (NIM: 8000, /v1/metrics)';
  return { code: 'not_exposition', message: `cannot read the page: it is an HTML page; ${remedy}` };
}

/** Called where no line could be read: the first one tells what the body is. */
function notExposition(text: string, { examples }: Refused): Exposition {
  const { line = 1, cause = 'malformed' } = examples[0] ?? {};
  const first = text.split('\n')[line - 1]?.trim() ?? '';
  if (first.startsWith('<')) return htmlPage();
  let mistake = `line ${line}: ${cause}`;
  let remedy = 'is this the address and path of a metrics page?';
  if (first.startsWith('{') || first.startsWith('[')) {
    mistake = 'it is a JSON document';
    remedy = 'another API answers here: check port and metrics path (NIM: 8000, /v1/metrics)';
  }
  return { code: 'not_exposition', message: `cannot read the page: ${mistake}; ${remedy}` };
}

function tooManySamples(limit: number): Exposition {
  const message = `cannot read the page: more than ${limit} samples; let the server show fewer`;
  return { code: 'sample_limit', message };
}
