/**
 * What Dynatrace takes, applied by us first, so that what is stored is what our logs, filters and dashboards say
 * (docs.dynatrace.com, "About OTLP metrics ingest", limits and naming).
 */
import { hashText } from './hash.ts';
import type { Attributes, Labels } from './model.ts';

/** Characters of a metric key. */
export const MAX_METRIC_KEY_LENGTH = 255;
export const MIN_METRIC_KEY_LENGTH = 2;
/** Characters of a dimension's key and value; Dynatrace cuts what is longer, and two may become one. */
export const MAX_DIMENSION_KEY_LENGTH = 100;
export const MAX_DIMENSION_VALUE_LENGTH = 255;
/** Dimensions of one point after resource, scope and point are merged; a point with more is refused. */
export const MAX_DIMENSIONS = 50;
/** Of which ours: five of the resource, and name and version of the scope. */
export const OWN_DIMENSIONS = 7;
/** Characters of a description, and of a unit. */
export const MAX_DESCRIPTION_LENGTH = 1023;
export const MAX_UNIT_LENGTH = 63;
/** Data points and bytes of one body: what Dynatrace advises, well below the limits of 15,000 and 4 MB. */
export const MAX_BODY_POINTS = 3_000;
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** A point's time may lie an hour back and ten minutes ahead; the minute between tick and arrival is left as room. */
export const MAX_POINT_AGE_MS = 59 * 60_000;
export const MAX_POINT_LEAD_MS = 9 * 60_000;

export function isTimeTaken(timeMs: number, tickMs: number): boolean {
  return timeMs >= tickMs - MAX_POINT_AGE_MS && timeMs <= tickMs + MAX_POINT_LEAD_MS;
}

/**
 * Letters, digits, `-`, `_` and `.`, beginning with a letter; every other character becomes `_`, as Dynatrace does it.
 * `dt.` is Dynatrace's own. A longer key is shortened. Undefined where nothing valid is left.
 */
export function metricKey(name: string): string | undefined {
  const key = wellFormed(name.replace(/[^A-Za-z0-9_.-]/g, '_')).replace(/^dt\./, 'dt_');
  return key.length < MIN_METRIC_KEY_LENGTH ? undefined : shorten(key, name, MAX_METRIC_KEY_LENGTH);
}

/** Lower case letters, digits, `-`, `.`, `_`, beginning with a letter; empty where nothing valid is left. */
export function dimensionKey(name: string): string {
  const key = wellFormed(name.toLowerCase().replace(/[^a-z0-9_.-]/g, '_'));
  return shorten(key, name, MAX_DIMENSION_KEY_LENGTH);
}

/** A letter comes first, no section is empty or begins with `-` (docs.dynatrace.com, "Metric ingestion protocol"). */
function wellFormed(key: string): string {
  return key
    .replace(/^[^A-Za-z]+/, '')
    .replace(/\.[.-]+/g, '.')
    .replace(/\.$/, '');
}

/** What is too long ends in a hash of the whole, so that two long texts stay two, today and in the next release. */
function shorten(text: string, whole: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const hash = hashText(whole).toString(36).padStart(HASH_LENGTH, '0');
  return `${cut(text, maxLength - HASH_LENGTH - 1)}_${hash}`;
}

/** Of 53 bits in base 36. */
const HASH_LENGTH = 11;

/** Two labels that become one dimension, of which the first counts; undefined where there are none. */
export function clashingLabels(labels: Labels): readonly [kept: string, lost: string] | undefined {
  const seen = new Map<string, string>();
  for (let i = 0; i < labels.length; i += 2) {
    const label = labels[i] as string;
    const key = dimensionKey(label);
    const kept = seen.get(key);
    if (kept !== undefined && key !== '') return [kept, label];
    seen.set(key, label);
  }
  return undefined;
}

/**
 * Point attributes of a series: its labels, what the job adds where no label says otherwise, and the target's identity,
 * which wins. Who may read a point (`dt.security_context`) and who pays (`dt.cost.*`) is not for a page to say.
 * Undefined if they are too many.
 */
export function pointAttributes(
  labels: Labels,
  identity: Attributes,
  added: Attributes = {},
): Attributes | undefined {
  const attributes: Record<string, string> = Object.create(null) as Record<string, string>;
  for (let i = 0; i < labels.length; i += 2) {
    const key = dimensionKey(labels[i] as string);
    if (key !== '' && attributes[key] === undefined)
      attributes[key] = dimensionValue(labels[i + 1] as string);
  }
  for (const [key, value] of Object.entries(added))
    if (attributes[key] === undefined || key.startsWith('dt.')) attributes[key] = dimensionValue(value);
  for (const [key, value] of Object.entries(identity)) attributes[key] = dimensionValue(value);
  const own = OWN_DIMENSIONS - Object.keys(identity).length;
  return Object.keys(attributes).length + own > MAX_DIMENSIONS ? undefined : attributes;
}

/** Of a label, or of a resource: a longer value is shortened. */
export function dimensionValue(value: string): string {
  return shorten(value, value, MAX_DIMENSION_VALUE_LENGTH);
}

export function description(help: string): string {
  return cut(help, MAX_DESCRIPTION_LENGTH);
}

/** Never inside a surrogate pair: half a character would arrive as U+FFFD. */
function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const last = text.charCodeAt(maxLength - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, splitsPair ? maxLength - 1 : maxLength);
}

/**
 * Dynatrace takes no bound below zero: those buckets are added to the one that ends at the first bound that is not. The
 * counts at the bounds that stay are exact.
 */
export function withoutNegativeBounds(
  bounds: readonly number[],
  buckets: readonly number[],
): { readonly bounds: readonly number[]; readonly buckets: readonly number[] } {
  const negative = bounds.findIndex((bound) => bound >= 0);
  const count = negative < 0 ? bounds.length : negative;
  if (count === 0) return { bounds, buckets };
  const first = buckets.slice(0, count + 1).reduce((sum, bucket) => sum + bucket, 0);
  return { bounds: bounds.slice(count), buckets: [first, ...buckets.slice(count + 1)] };
}

const UCUM: ReadonlyMap<string, string> = new Map([
  ['seconds', 's'],
  ['milliseconds', 'ms'],
  ['microseconds', 'us'],
  ['nanoseconds', 'ns'],
  ['minutes', 'min'],
  ['hours', 'h'],
  ['days', 'd'],
  ['bytes', 'By'],
  ['kibibytes', 'KiBy'],
  ['mebibytes', 'MiBy'],
  ['gibibytes', 'GiBy'],
  ['meters', 'm'],
  ['volts', 'V'],
  ['amperes', 'A'],
  ['joules', 'J'],
  ['watts', 'W'],
  ['grams', 'g'],
  ['celsius', 'Cel'],
  ['hertz', 'Hz'],
  ['ratio', '1'],
  ['percent', '%'],
]);

/** A `# UNIT` word as UCUM, as the Collector writes it; a word that it does not know stays. Not ASCII: no unit. */
export function unit(word: string): string {
  const [amount = '', per] = word.split('_per_', 2);
  const ucum = `${UCUM.get(amount) ?? amount}${per === undefined ? '' : `/${UCUM.get(`${per}s`) ?? per}`}`;
  return /^[\x21-\x7e]*$/.test(ucum) && ucum.length <= MAX_UNIT_LENGTH ? ucum : '';
}
