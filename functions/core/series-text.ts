/**
 * Reads the series part of one sample line: `name`, `name{a="x"}`, or `{"quoted name","quoted label"="x"}`
 * (text formats 0.0.4 and 1.0.0 and OpenMetrics 1.0 share this grammar). Runs once per distinct text.
 */
import type { Labels } from './model.ts';
import { isNameCode } from './series.ts';

/** Labels of one series: twice what Dynatrace takes on a point, so that what is too much is still named by it. */
export const MAX_LABELS = 100;
/** Characters of a series' text: 100 labels of the longest name and value that Dynatrace keeps. */
export const MAX_SERIES_TEXT_LENGTH = 36_000;

export type SeriesText =
  | {
      readonly code: 'series';
      readonly name: string;
      readonly labels: Labels;
      /** Names of labels with an empty value, which are none. */
      readonly emptied: readonly string[];
      readonly end: number;
    }
  /** `name` as far as it could be read: whose family the line belongs to. */
  | { readonly code: 'malformed'; readonly name: string; readonly cause: string };

const QUOTE = 34;
const BACKSLASH = 92;
const BRACE_OPEN = 123;
const BRACE_CLOSE = 125;
const COMMA = 44;
const EQUALS = 61;
const NEWLINE = 10;

/**
 * Where the series text that begins at `start` ends: behind the closing brace, or at the first blank of a bare name.
 * -1 where a brace is never closed on the line. No allocation: this runs for lines that stand out of order.
 */
export function seriesTextEnd(text: string, start: number): number {
  let at = start;
  while (isNameCode(text.charCodeAt(at), false)) at++;
  const nameEnd = at;
  at = skipBlanks(text, at);
  if (text.charCodeAt(at) !== BRACE_OPEN) return nameEnd;
  let quoted = false;
  for (at++; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === NEWLINE) return -1;
    if (code === BACKSLASH && text.charCodeAt(at + 1) !== NEWLINE) at++;
    else if (code === QUOTE) quoted = !quoted;
    else if (code === BRACE_CLOSE && !quoted) return at + 1;
  }
  return -1;
}

export function skipBlanks(text: string, start: number): number {
  let at = start;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 32 && code !== 9) return at;
    at++;
  }
}

/** Reads one series text from its first character. */
export function readSeriesText(text: string): SeriesText {
  let at = 0;
  while (isNameCode(text.charCodeAt(at), at === 0)) at++;
  let name = text.slice(0, at);
  const malformed = (cause: string): SeriesText => ({ code: 'malformed', name, cause });
  at = skipBlanks(text, at);
  const labels: string[] = [];
  if (text.charCodeAt(at) === BRACE_OPEN) {
    at = skipBlanks(text, at + 1);
    while (text.charCodeAt(at) !== BRACE_CLOSE) {
      const label = readToken(text, at);
      if (label === undefined) return malformed('a label name was expected');
      at = skipBlanks(text, label.end);
      if (text.charCodeAt(at) === EQUALS) {
        at = skipBlanks(text, at + 1);
        const value = text.charCodeAt(at) === QUOTE ? readQuoted(text, at) : undefined;
        if (value === undefined) return malformed(`the value of label ${label.text} is not a quoted string`);
        labels.push(label.text, value.text);
        at = skipBlanks(text, value.end);
      } else if (label.quoted && name === '' && labels.length === 0) {
        name = label.text;
      } else {
        return malformed(`label ${label.text} has no value`);
      }
      if (text.charCodeAt(at) === COMMA) at = skipBlanks(text, at + 1);
      else if (text.charCodeAt(at) !== BRACE_CLOSE) return malformed('a comma or } was expected');
    }
    at++;
  }
  if (name === '') return malformed('no metric name');
  if (labels.length > 2 * MAX_LABELS) return malformed(`more than ${MAX_LABELS} labels`);
  const sorted = sortLabels(labels);
  if (sorted === undefined) return malformed('a label name stands twice');
  return { code: 'series', name, ...sorted, end: at };
}

interface Token {
  readonly text: string;
  readonly end: number;
  readonly quoted: boolean;
}

function readToken(text: string, start: number): Token | undefined {
  if (text.charCodeAt(start) === QUOTE) return readQuoted(text, start);
  let end = start;
  while (isNameCode(text.charCodeAt(end), end === start) && text.charCodeAt(end) !== 58) end++;
  return end === start ? undefined : { text: text.slice(start, end), end, quoted: false };
}

/** A quoted string with the escapes `\\`, `\"` and `\n`; any other escape stands for itself, as in Prometheus. */
export function readQuoted(text: string, start: number): Token | undefined {
  let plain = start + 1;
  let value = '';
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return { text: value + text.slice(plain, at), end: at + 1, quoted: true };
    if (code !== BACKSLASH) continue;
    value += text.slice(plain, at) + unescaped(text.charAt(at + 1));
    at++;
    plain = at + 1;
  }
  return undefined;
}

function unescaped(character: string): string {
  if (character === 'n') return '\n';
  return character === '\\' || character === '"' ? character : `\\${character}`;
}

const NONE: readonly string[] = [];

/** Sorted by name, those with empty values apart; undefined if a name stands twice. */
function sortLabels(
  labels: readonly string[],
): { readonly labels: Labels; readonly emptied: readonly string[] } | undefined {
  if (labels.every((text, i) => (i % 2 === 1 ? text !== '' : i === 0 || (labels[i - 2] as string) < text)))
    return { labels, emptied: NONE };
  const pairs: [string, string][] = [];
  const emptied: string[] = [];
  const names = new Set<string>();
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i] as string;
    if (names.has(name)) return undefined;
    names.add(name);
    const value = labels[i + 1] as string;
    if (value === '') emptied.push(name);
    else pairs.push([name, value]);
  }
  pairs.sort((a, b) => (a[0] < b[0] ? -1 : 1));
  return { labels: pairs.flat(), emptied: emptied.sort() };
}
