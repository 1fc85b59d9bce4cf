/**
 * What was read from a page, in one line. Samples as exposition writes them: `x{a="b"} 3; y 1; refused 1: z`.
 * Families: `counter x 3; gauge y 1; histogram z le[0.1 1] [2 1 0] sum 5; summary s count 2 sum 5; drop nan 1`.
 * `not whole: x` names the families that are not; `*` stands for all.
 */
import { strict as assert } from 'node:assert';
import { type Page, parseExposition } from '../../functions/core/exposition.ts';
import { type CumulativeReading, EVERY_FAMILY, groupFamilies } from '../../functions/core/families.ts';
import type { CumulativeKind } from '../../functions/core/model.ts';
import { type SeriesTable, createSeriesTable } from '../../functions/core/series.ts';

export const SAMPLE_LIMIT = 10_000;

/** The page in `text`; a body that is none fails the test with the parser's own message. */
export function pageOf(
  text: string | Uint8Array,
  table: SeriesTable = createSeriesTable(),
  complete = true,
): Page {
  const body = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const parsed = parseExposition(body, table, SAMPLE_LIMIT, complete);
  assert.equal(parsed.code, 'page', 'message' in parsed ? parsed.message : '');
  assert(parsed.code === 'page');
  assert.equal(parsed.page.series.length, parsed.page.values.length);
  return parsed.page;
}

export function printSamples(text: string, table?: SeriesTable, complete = true): string {
  const page = pageOf(text, table, complete);
  const samples = page.series.map(({ key }, i) => `${key} ${printNumber(page.values[i] as number)}`);
  const { count, names, anywhere } = page.refused;
  if (count > 0) samples.push(`refused ${count}: ${[...names].join()}`);
  if (anywhere) samples.push('not whole: *');
  return samples.join('; ');
}

/** `family type "help" unit`, family by family. */
export function printMetadata(text: string): string {
  const families = [...pageOf(text).metadata].map(([family, { type, help, unit }]) =>
    [family, type, help === '' ? undefined : JSON.stringify(help), unit].filter(Boolean).join(' '),
  );
  return families.join('; ');
}

/** `known`: what the baseline remembers. */
export function printFamilies(
  text: string,
  known: Readonly<Record<string, CumulativeKind>> = {},
  table: SeriesTable = createSeriesTable(),
): string {
  const families = groupFamilies(pageOf(text, table), table, new Map(Object.entries(known)));
  const { gauges, cumulative, startMs, notWhole, drops } = families;
  const whole = [...notWhole].map((family) => (family === EVERY_FAMILY ? '*' : family));
  return [
    ...gauges.map(({ series, value }) => `gauge ${series.key} ${printNumber(value)}`),
    ...cumulative.map(printCumulative),
    ...(startMs === undefined ? [] : [`start ${startMs / 1000}`]),
    ...[...drops].map(([reason, count]) => `drop ${reason} ${count}`),
    ...(whole.length === 0 ? [] : [`not whole: ${whole.sort().join()}`]),
  ].join('; ');
}

function printCumulative({ kind, series, bounds, values, createdMs }: CumulativeReading): string {
  const [first, ...rest] = values.map(printNumber);
  const created = createdMs === undefined ? '' : ` created ${createdMs / 1000}`;
  if (kind === 'counter') return `counter ${series.key} ${first}${created}`;
  if (kind === 'summary') return `summary ${series.key} count ${rest.join()} sum ${first}${created}`;
  return `histogram ${series.key} le[${bounds.join(' ')}] [${rest.join(' ')}] sum ${first}${created}`;
}

function printNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
