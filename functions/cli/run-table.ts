/** What Dynatrace received at one tick, as a table: a row per series, a column per instance; below it the books. */
import type { RunReport } from '../core/report.ts';
import type { BookRow, Books } from './demo.ts';
import { attributesOf } from './run-json.ts';
import { SELF_PREFIX } from '../core/self-metrics.ts';
import type { DecodedPoint } from './world/otlp-decoder.ts';

/** What a terminal shows without breaking lines. */
export const MAX_WIDTH = 100;
const MAX_ROWS = 60;
const MAX_COLUMNS = 4;
/** What a name is given at least: instances that leave it less are not shown. */
const MIN_NAME_WIDTH = 36;
const OWN = new Set(['service.name', 'service.instance.id', 'server.address', 'server.port', 'url.scheme']);

export function tableOf(
  report: RunReport,
  points: readonly DecodedPoint[],
  books: Books | undefined,
  dryRun: boolean,
): string {
  const time = new Date(report.tickMs).toISOString();
  const sent = dryRun
    ? `${report.pointsSent} points would be sent`
    : `${report.pointsSent} points delivered, ${report.pending} series pending`;
  const head = `tick ${time}: ${sent}, ${report.durationMs} ms`;
  return [
    head,
    ...received(points.filter(isOfTarget), dryRun ? 'to send' : 'received'),
    ...ownLines(points.filter((point) => !isOfTarget(point))),
    ...(books === undefined ? [] : bookLines(books)),
    '',
    '',
  ].join('\n');
}

/** The product's own metrics are no NIM: the head tells what they tell, and a column of their own would push one out. */
function isOfTarget({ name }: DecodedPoint): boolean {
  return !name.startsWith(SELF_PREFIX);
}

function ownLines({ length }: readonly DecodedPoint[]): readonly string[] {
  return length === 0 ? [] : [`  (${length} points of ${SELF_PREFIX}*, told by -o json)`];
}

function received(points: readonly DecodedPoint[], title: string): readonly string[] {
  const columns: string[] = [];
  const rows = new Map<string, Row>();
  for (const point of points) {
    const attributes = attributesOf(point);
    const column = attributes['service.instance.id'] ?? '';
    if (!columns.includes(column)) columns.push(column);
    const labels = labelsOf(attributes);
    const key = withLabels(point.name, labels);
    const row = rows.get(key) ?? { name: point.name, labels, cells: new Map<string, string>() };
    row.cells.set(column, cell(point));
    rows.set(key, row);
  }
  if (rows.size === 0) return [];
  const listed = [...rows.values()].slice(0, MAX_ROWS);
  const { shown, left } = fitting(columns.slice(0, MAX_COLUMNS), listed);
  const tooLong = new Set(
    listed.filter(({ name, labels }) => withLabels(name, labels).length > left).map(({ name }) => name),
  );
  const body = listed.map((row) => [
    tooLong.has(row.name) ? shortened(row, left) : withLabels(row.name, row.labels),
    ...shown.map((column) => row.cells.get(column) ?? ''),
  ]);
  const hidden = [
    ...(rows.size > MAX_ROWS ? [`${rows.size - MAX_ROWS} more rows`] : []),
    ...(columns.length > shown.length ? [`${columns.length - shown.length} more instances`] : []),
  ];
  return [
    ...aligned([[title, ...shown], ...body]),
    ...(hidden.length === 0 ? [] : [`  (${hidden.join(', ')})`]),
  ];
}

interface Row {
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly cells: Map<string, string>;
}

/** As many of the instances as leave room for names, one at least, and the width that is left to these. */
function fitting(
  columns: readonly string[],
  rows: readonly Row[],
): { readonly shown: readonly string[]; readonly left: number } {
  const shown: string[] = [];
  let left = MAX_WIDTH - 2;
  for (const column of columns) {
    const width = 2 + Math.max(column.length, ...rows.map(({ cells }) => (cells.get(column) ?? '').length));
    if (shown.length > 0 && left - width < MIN_NAME_WIDTH) break;
    shown.push(column);
    left -= width;
  }
  return { shown, left: Math.max(left, MIN_NAME_WIDTH) };
}

function labelsOf(attributes: Readonly<Record<string, string>>): Row['labels'] {
  return Object.entries(attributes).filter(([key]) => !OWN.has(key) && key !== 'model_name');
}

function withLabels(name: string, labels: Row['labels']): string {
  return labels.length === 0
    ? name
    : `${name}{${labels.map(([key, value]) => `${key}="${value}"`).join(',')}}`;
}

/** The values of its labels alone, or both ends of that: for all series of a metric alike; -o json has all. */
function shortened({ name, labels }: Row, width: number): string {
  const text = labels.length === 0 ? name : `${name}{${labels.map(([, value]) => value).join(',')}}`;
  const end = Math.floor((width - 3) / 2);
  return text.length <= width ? text : `${text.slice(0, width - 3 - end)}...${text.slice(-end)}`;
}

/** A counter as its rate, a histogram as its median and 95th percentile, a gauge as it is. */
function cell(point: DecodedPoint): string {
  if (point.type === 'gauge') return number(point.value ?? NaN);
  const seconds = Number(point.timeNs - point.startNs) / 1e9;
  if (point.histogram === undefined) return `${number((point.value ?? NaN) / seconds)}/s`;
  const { count, bounds, buckets } = point.histogram;
  if (count === 0) return 'n 0';
  const [p50, p95] = [0.5, 0.95].map((q) => rough(percentile(q, bounds, buckets)));
  return `n ${count} p50 ${p50} p95 ${p95}`;
}

/** Linear within the bucket, as PromQL's histogram_quantile; the highest finite bound above it. */
export function percentile(q: number, bounds: readonly number[], buckets: readonly number[]): number {
  const rank = q * buckets.reduce((sum, bucket) => sum + bucket, 0);
  let below = 0;
  for (const [i, bucket] of buckets.entries()) {
    const upper = bounds[i];
    if (upper === undefined) break;
    if (below + bucket >= rank) {
      const lower = bounds[i - 1] ?? Math.min(0, upper);
      return lower + (upper - lower) * (bucket === 0 ? 0 : (rank - below) / bucket);
    }
    below += bucket;
  }
  return bounds.at(-1) ?? NaN;
}

function bookLines(books: Books): readonly string[] {
  const isBucket = ({ name }: BookRow): boolean => name.includes('_bucket{');
  const buckets = books.rows.filter(isBucket);
  const rows = books.rows.filter((row) => !isBucket(row));
  const lines = aligned([
    ['books', 'true', 'seen', 'delivered', 'pending', 'unseen'],
    ...rows.map((row) => [withoutModel(row.name), ...figures(row)]),
    [`${buckets.length} histogram buckets`, ...figures(total(buckets))],
  ]);
  const verdict = books.balanced
    ? 'seen = delivered + pending in every row and bucket'
    : 'THE BOOKS DO NOT BALANCE';
  return ['', ...lines, `  ${verdict}; restarts so far: ${books.restarts}`, ...books.violations.slice(-5)];
}

/** All of the demo's series carry the same `model_name`. */
function withoutModel(name: string): string {
  return name.replace(/,?model_name="[^"]*"/, '').replace('{}', '');
}

function total(rows: readonly BookRow[]): BookRow {
  const sum = (field: 'truth' | 'seen' | 'delivered' | 'pending'): number =>
    rows.reduce((whole, row) => whole + row[field], 0);
  return {
    name: '',
    truth: sum('truth'),
    seen: sum('seen'),
    delivered: sum('delivered'),
    pending: sum('pending'),
  };
}

function figures({ truth, seen, delivered, pending }: BookRow): readonly string[] {
  return [truth, seen, delivered, pending, truth - seen].map(number);
}

/** Between two bounds nobody knows more. */
function rough(value: number): string {
  return String(Number(value.toPrecision(2)));
}

function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** The first column to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows.map((row) =>
    `  ${row.map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join('  ')}`.trimEnd(),
  );
}
