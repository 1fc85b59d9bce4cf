/**
 * The one place where a target's item becomes DynamoDB attributes and back: one table of columns, both ways.
 */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { assert } from '../core/outcome.ts';
import type { LoadedItem, TargetItem } from '../core/ports.ts';
import type { Packing } from './packing.ts';

export type Attributes = Record<string, AttributeValue>;

/** The partition key's attribute. */
export const KEY = 'pk';

/** Stands on an item only while something is pending: the partition key of the sparse index. */
export const OWING = { attribute: 'owing', value: 'target' } as const;
export const OWING_INDEX = 'owing';
/** The index's sort key: oldest first. */
export const PENDING_SINCE = 'pendingSince';

const BASELINE = 'baseline';

/** For people, and each KB of an item costs a write unit: what is beyond says nothing new. */
export const MAX_ERROR_CHARS = 256;

/** The answer's own words and the remedy behind them. */
export const MAX_OUTCOME_CHARS = 512;

interface Column<T> {
  readonly attribute: string;
  readonly write: (value: T) => AttributeValue;
  /** Undefined when the attribute is not of this kind. */
  readonly read: (value: AttributeValue) => T | undefined;
}

type Columns = {
  readonly [Field in Exclude<keyof TargetItem, 'key' | 'baseline'>]-?: Column<NonNullable<TargetItem[Field]>>;
};

const text = (attribute: string): Column<string> => ({
  attribute,
  write: (value) => ({ S: value }),
  read: (value) => value.S,
});

const count = (attribute: string): Column<number> => ({
  attribute,
  write: numberOf,
  read: (value) => integerOf(value.N),
});

const isoInstant = (attribute: string): Column<number> => ({
  attribute,
  write: instant,
  read: instantOf,
});

const COLUMNS: Columns = {
  job: text('job'),
  instance: text('instance'),
  url: text('url'),
  attributes: {
    attribute: 'attributes',
    write: (value) => ({ M: Object.fromEntries(Object.entries(value).map(([key, S]) => [key, { S }])) }),
    read: ({ M }) =>
      M &&
      Object.fromEntries(Object.entries(M).flatMap(([key, { S }]) => (S === undefined ? [] : [[key, S]]))),
  },
  up: { attribute: 'up', write: (value) => ({ BOOL: value }), read: (value) => value.BOOL },
  samples: count('samples'),
  version: count('version'),
  writer: text('writer'),
  runTickMs: isoInstant('runTick'),
  intervalMs: count('intervalMs'),
  lastTickMs: isoInstant('lastTick'),
  lastScrapeAtMs: isoInstant('lastScrapeAt'),
  scrapeDurationMs: count('scrapeDurationMs'),
  lastError: {
    attribute: 'lastError',
    write: (value) => ({ S: value.slice(0, MAX_ERROR_CHARS) }),
    read: (value) => value.S,
  },
  lastExportAtMs: isoInstant('lastExportAt'),
  lastOutcome: {
    attribute: 'lastOutcome',
    write: (value) => ({ S: value.slice(0, MAX_OUTCOME_CHARS) }),
    read: (value) => value.S,
  },
  output: text('output'),
  pendingSinceMs: isoInstant(PENDING_SINCE),
  pendingSeries: count('pendingSeries'),
  // DynamoDB's TTL counts in seconds; rounded up, so that it never clears an item too early.
  expiresAtMs: {
    attribute: 'expiresAt',
    write: (value) => numberOf(Math.ceil(value / 1000)),
    read: (value) => integerOf(Number(value.N) * 1000),
  },
};

/** All of a target's item but the baseline. */
export const PLAIN_ATTRIBUTES: readonly string[] = [
  KEY,
  ...Object.values(COLUMNS).map((column: { readonly attribute: string }) => column.attribute),
];

const FIELDS = Object.keys(COLUMNS) as readonly (keyof Columns)[];

const REQUIRED: ReadonlySet<keyof Columns> = new Set<keyof Columns>([
  'job',
  'instance',
  'url',
  'up',
  'samples',
  'version',
  'writer',
]);

/** What is absent in the item is an absent attribute. */
export function toAttributes(item: TargetItem, packing: Packing): Attributes {
  const attributes: Attributes = keyOf(item.key);
  for (const field of FIELDS) {
    const column = COLUMNS[field] as Column<unknown>;
    if (item[field] !== undefined) attributes[column.attribute] = column.write(item[field]);
  }
  if (item.pendingSinceMs !== undefined) attributes[OWING.attribute] = { S: OWING.value };
  if (item.baseline !== undefined) attributes[BASELINE] = { B: packing.pack(item.baseline) };
  return attributes;
}

/** `unreadable` when an attribute is missing or of another kind, or the baseline cannot be unpacked. */
export function fromAttributes(key: string, attributes: Attributes, packing: Packing): LoadedItem {
  const unreadable = (reason: string): LoadedItem => ({
    code: 'unreadable',
    message: `cannot read the state of ${key}: ${reason}`,
  });
  const item: Record<string, unknown> = { key };
  for (const field of FIELDS) {
    const column = COLUMNS[field] as Column<unknown>;
    const attribute = attributes[column.attribute];
    if (attribute === undefined && !REQUIRED.has(field)) continue;
    const value = attribute === undefined ? undefined : column.read(attribute);
    if (value === undefined) {
      return unreadable(`its attribute ${column.attribute} is missing or invalid; delete the item`);
    }
    item[field] = value;
  }
  if (attributes[BASELINE] !== undefined) {
    const packed = attributes[BASELINE].B;
    if (packed === undefined) return unreadable('its attribute baseline is not binary; delete the item');
    const unpacked = packing.unpack(packed);
    if (unpacked.code === 'unreadable') return unreadable(unpacked.reason);
    item[BASELINE] = unpacked.baseline;
  }
  return { code: 'found', item: item as unknown as TargetItem };
}

export function keyOf(key: string): Attributes {
  return { [KEY]: { S: key } };
}

export function numberOf(value: number): AttributeValue {
  assert(Number.isSafeInteger(value), `${value} is no integer`);
  return { N: String(value) };
}

/** ISO 8601 in UTC with milliseconds: read by people, and its text sorts by time. */
export function instant(ms: number): AttributeValue {
  assert(Number.isSafeInteger(ms), `${ms} is no time`);
  return { S: new Date(ms).toISOString() };
}

/** Undefined where the attribute is absent or no time. */
export function instantOf(value: AttributeValue | undefined): number | undefined {
  return integerOf(Date.parse(value?.S ?? ''));
}

export function integerOf(value: string | number | undefined): number | undefined {
  const number = Number(value === '' ? undefined : value);
  return Number.isSafeInteger(number) ? number : undefined;
}
