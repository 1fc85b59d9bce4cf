/**
 * The truth of a world in which runs are killed: what each page showed, what the receiver accepted, and what
 * the state directory says, after every run. By D1 it holds for each series: seen by the last committed
 * scrape = delivered - doubled + pending. Doubled (D2) is only what a killed run delivered and did not
 * commit. All values are whole quarters, so sums are exact and are compared exactly.
 */
import { SELF_PREFIX } from '../../functions/core/self-metrics.ts';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient, GetItemCommand, ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import { systemClock } from '../../functions/adapters/clock.ts';
import { createState } from '../../functions/adapters/state-dynamodb.ts';
import { startEmbeddedDynamodb } from '../../functions/cli/world/embedded-dynamodb.ts';
import type { ReceivedPoint } from '../../functions/cli/world/ingest-rules.ts';
import { BASELINE_DICTIONARY } from '../../functions/core/baseline-dictionary.ts';
import { decodeBaseline } from '../../functions/core/baseline-format.ts';
import { createSeriesTable } from '../../functions/core/series.ts';
import { type SeriesState, increase, isPending } from '../../functions/core/series-state.ts';
import { readAddress } from '../../functions/core/config/address.ts';
import type { JsonPoint } from '../cli/harness.ts';
import { type Totals, totalsOfLines, totalsReceived } from '../cli/scripted-process.ts';

/** What the state directory says. */
export interface StoredState {
  /** The last tick that a run began, and whether it came to its end. */
  readonly shard: { readonly tickMs: number; readonly writer: string; readonly ended: boolean } | undefined;
  /** By instance; no entry: no item. */
  readonly items: ReadonlyMap<string, StoredItem>;
  /** Items that could not be read. */
  readonly problems: readonly string[];
}

export interface StoredItem {
  readonly lastTickMs: number;
  /** When the last delivery was taken in: of a later tick it knows nothing. */
  readonly lastExportAtMs: number;
  readonly writer: string;
  readonly pending: Totals;
}

/** Counts are increments of counters and observations of histograms. */
export interface Tally {
  readonly delivered: number;
  readonly seen: number;
  readonly pending: number;
  /** Neither delivered nor pending although a committed scrape saw it. */
  readonly lost: number;
  /** Delivered beyond what was seen. */
  readonly doubled: number;
  /** The part of it that killed runs delivered and did not commit. */
  readonly explained: number;
}

export interface Ledger {
  /** A page went out. `life` rises with each restart; `shown` is all that this life counted. */
  readonly serve: (instance: string, life: number, shown: Totals) => void;
  /** The receiver accepted these points. */
  readonly accept: (points: readonly ReceivedPoint[]) => void;
  /** A run is over and this is what it left: takes it in and answers with what it breaks. */
  readonly settle: (mayDouble: boolean, state: StoredState) => readonly string[];
  readonly tally: () => Tally;
}

interface Page {
  readonly servedAtMs: number;
  readonly life: number;
  readonly shown: Totals;
}

interface Delivery {
  readonly tickMs: number;
  readonly points: readonly ReceivedPoint[];
}

/** One target's account. */
interface Account {
  /** Since the last committed one, in their order. */
  pages: Page[];
  /** Of the run under way. */
  deliveries: Delivery[];
  committed: Page | undefined;
  /** What the last committed pages of ended lives showed. */
  seenBefore: Totals;
  delivered: Totals;
  doubled: Totals;
  pending: Totals;
  /** By series: where the last window that the state knows of ended. */
  readonly ends: Map<string, number>;
  /** By series: what did not add up so far. */
  gaps: Totals;
}

/** Lines of one settlement; a broken rule breaks for hundreds of series at once. */
const MAX_PROBLEMS = 10;

export function createLedger(instances: readonly string[]): Ledger {
  const accounts = new Map(instances.map((instance) => [instance, openAccount()]));
  const accountOf = (instance: string): Account => {
    const account = accounts.get(instance);
    if (account === undefined) throw new Error(`cannot book ${instance}: it is no target of this world`);
    return account;
  };
  return {
    serve: (instance, life, shown) =>
      void accountOf(instance).pages.push({ servedAtMs: Date.now(), life, shown }),
    accept: (points) => {
      const groups = Map.groupBy(
        points.filter(({ kind, name }) => kind !== 'gauge' && !name.startsWith(SELF_PREFIX)),
        ({ attributes, timeMs }) => `${attributes['service.instance.id']} ${timeMs}`,
      );
      for (const [group, of] of groups) {
        const [instance = '', tick] = group.split(' ');
        accountOf(instance).deliveries.push({ tickMs: Number(tick), points: of });
      }
    },
    settle: (mayDouble, state) => {
      const problems = [...state.problems];
      for (const [instance, account] of accounts) {
        const found = settleAccount(account, instance, mayDouble, state.items.get(instance));
        problems.push(...found.map((problem) => `${instance}: ${problem}`));
      }
      const more = problems.length - MAX_PROBLEMS;
      return more > 0 ? [...problems.slice(0, MAX_PROBLEMS), `and ${more} more`] : problems;
    },
    tally: () => tallyOf([...accounts.values()]),
  };
}

function openAccount(): Account {
  const none: Totals = new Map();
  return {
    pages: [],
    deliveries: [],
    committed: undefined,
    seenBefore: none,
    delivered: none,
    doubled: none,
    pending: none,
    ends: new Map(),
    gaps: none,
  };
}

function settleAccount(
  account: Account,
  instance: string,
  mayDouble: boolean,
  item: StoredItem | undefined,
): readonly string[] {
  const problems: string[] = [];
  const lastTickMs = item?.lastTickMs ?? 0;
  const doubledTicks = new Set<number>();
  for (const { tickMs, points } of account.deliveries.splice(0)) {
    const isCommitted = tickMs <= (item?.lastExportAtMs ?? 0);
    const totals = totalsReceived({ points }, instance);
    account.delivered = plus(account.delivered, totals);
    if (!isCommitted) {
      account.doubled = plus(account.doubled, totals);
      doubledTicks.add(tickMs);
    }
    for (const point of points) problems.push(...windowProblems(account, point, isCommitted));
  }
  if (doubledTicks.size > (mayDouble ? 1 : 0)) {
    problems.push(`delivered without a commit at ${[...doubledTicks].join(', ')}`);
  }
  takePage(account, lastTickMs, problems);
  account.pending = item?.pending ?? new Map();
  problems.push(...takeGaps(account));
  return problems;
}

/** D2 and D3: nothing is negative, a window begins where the one before it ended that the state knows of. */
function windowProblems({ ends }: Account, point: ReceivedPoint, isCommitted: boolean): readonly string[] {
  if (point.kind === 'gauge') return [];
  const problems: string[] = [];
  const series = point.name + JSON.stringify(point.attributes);
  const values = point.kind === 'counter' ? [point.value] : [point.count, point.sum, ...point.buckets];
  if (values.some((value) => value < 0)) problems.push(`negative: ${series} at ${point.timeMs}`);
  const endMs = ends.get(series);
  if (point.startMs >= point.timeMs || (endMs !== undefined && point.startMs !== endMs)) {
    problems.push(`window (${point.startMs}, ${point.timeMs}] after ${endMs}: ${series}`);
  }
  if (isCommitted) ends.set(series, point.timeMs);
  return problems;
}

/** The page of a tick is the first that went out at or after it: one page a tick, on one machine's clock. */
function takePage(account: Account, lastTickMs: number, problems: string[]): void {
  const index = account.pages.findIndex(({ servedAtMs }) => servedAtMs >= lastTickMs);
  if (lastTickMs === 0 || (account.committed?.servedAtMs ?? 0) >= lastTickMs) return;
  const page = account.pages[index];
  if (page === undefined) {
    problems.push(`the state tells of a scrape at ${lastTickMs}, of which no page went out`);
    return;
  }
  account.pages = account.pages.slice(index + 1);
  const { committed } = account;
  if (committed !== undefined && committed.life !== page.life) {
    account.seenBefore = plus(account.seenBefore, committed.shown);
  }
  account.committed = page;
}

/** D1, for each counter, each bucket, count and sum. */
function takeGaps(account: Account): readonly string[] {
  const gaps = gapsOf(account);
  const problems: string[] = [];
  for (const [series, gap] of gaps) {
    const by = gap - (account.gaps.get(series) ?? 0);
    if (by !== 0)
      problems.push(`${by > 0 ? 'lost' : 'doubled without reason'}: ${Math.abs(by)} of ${series}`);
  }
  account.gaps = gaps;
  return problems;
}

function gapsOf({ delivered, doubled, pending, ...account }: Account): Totals {
  const seen = plus(account.seenBefore, account.committed?.shown ?? new Map());
  return plus(plus(seen, delivered, -1), plus(doubled, pending, -1));
}

function tallyOf(accounts: readonly Account[]): Tally {
  const over = (totalsOf: (account: Account) => Totals): number =>
    accounts.reduce((sum, account) => sum + counts(totalsOf(account)), 0);
  const positive = (totals: Totals, sign: 1 | -1): Totals =>
    new Map([...totals].map(([series, value]) => [series, Math.max(0, sign * value)]));
  const explained = over(({ doubled }) => doubled);
  return {
    delivered: over(({ delivered }) => delivered),
    seen: over(({ seenBefore, committed }) => plus(seenBefore, committed?.shown ?? new Map())),
    pending: over(({ pending }) => pending),
    lost: over(({ gaps }) => positive(gaps, 1)),
    doubled: explained + over(({ gaps }) => positive(gaps, -1)),
    explained,
  };
}

/** Increments and observations; buckets are observations again, sums are none. */
function counts(totals: Totals): number {
  let sum = 0;
  for (const [series, value] of totals) if (/_(total|count)(\{|$)/.test(series)) sum += value;
  return sum;
}

function plus(a: Totals, b: Totals, sign: 1 | -1 = 1): Totals {
  const sums = new Map(a);
  for (const [series, value] of b) sums.set(series, (sums.get(series) ?? 0) + sign * value);
  return sums;
}

/** Table and job of the command line. */
const TABLE = 'nim-to-dynatrace';
const JOB = 'nim';
const LOAD_DEADLINE_MS = 30_000;

/** Reads a copy of a directory that no process uses: the next run meets it as the killed one left it. */
export async function readStateDirectory(
  directory: string,
  instances: readonly string[],
): Promise<StoredState> {
  const copy = await mkdtemp(join(tmpdir(), 'nim-to-dynatrace-copy-'));
  try {
    await cp(directory, copy, { recursive: true });
    const database = await startEmbeddedDynamodb({ path: copy });
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const client = new DynamoDBClient({ endpoint: database.endpoint, region: 'local', credentials });
    try {
      return await readState(client, instances);
    } finally {
      client.destroy();
      await database.close();
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function readState(client: DynamoDBClient, instances: readonly string[]): Promise<StoredState> {
  const get = new GetItemCommand({ TableName: TABLE, Key: { pk: { S: 'shard/0' } } });
  const answer = await client.send(get).catch((error: unknown) => {
    // Killed before the table was made.
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  });
  if (answer === undefined) return { shard: undefined, items: new Map(), problems: [] };
  const { Item: shard } = answer;

  const keys = new Map(instances.map((instance) => [keyOf(instance), instance]));
  const state = createState({
    client,
    tableName: TABLE,
    clock: systemClock,
    dictionary: BASELINE_DICTIONARY,
  });
  const loaded = await state.load([...keys.keys()], systemClock.monotonicMs() + LOAD_DEADLINE_MS);
  const items = new Map<string, StoredItem>();
  const problems: string[] = [];
  for (const [key, instance] of keys) {
    const answered = loaded.get(key);
    if (answered?.code === 'unread' || answered?.code === 'unreadable') problems.push(answered.message);
    if (answered?.code !== 'found' || answered.item.baseline === undefined) continue;
    const decoded = decodeBaseline(answered.item.baseline, createSeriesTable());
    if (decoded.code !== 'baseline') {
      problems.push(decoded.message);
      continue;
    }
    const { series, draining, tickMs } = decoded.baseline;
    const lines = [...series.values(), ...draining].filter(isPending).map((owed) => lineOf(owed, instance));
    const { lastExportAtMs = 0, writer } = answered.item;
    const pending = totalsOfLines(lines, instance);
    items.set(instance, { lastTickMs: tickMs, lastExportAtMs, writer, pending });
  }
  const run = {
    tickMs: Number(shard?.['tick']?.N),
    writer: shard?.['writer']?.S ?? '',
    ended: shard?.['endedAt'] !== undefined,
  };
  return { shard: shard === undefined ? undefined : run, items, problems };
}

function keyOf(instance: string): string {
  const target = readAddress(instance, JOB);
  if (typeof target === 'string') throw new Error(target);
  return target.key;
}

/** What a series owes, in the form of a delivered line. */
function lineOf(state: SeriesState, instance: string): JsonPoint {
  const { kind, bounds, series } = state;
  const attributes: Record<string, string> = { 'service.instance.id': instance };
  for (let i = 0; i < series.labels.length; i += 2) {
    attributes[series.labels[i] as string] = series.labels[i + 1] as string;
  }
  const about = { name: series.name, tick: '', unit: '', start: null, time: '', attributes };
  const [first = 0, ...buckets] = increase(state);
  return kind === 'counter'
    ? { ...about, type: 'counter', value: first }
    : { ...about, type: 'histogram', sum: first, bounds, buckets };
}
