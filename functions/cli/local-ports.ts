/** The ports of the local run: real HTTP, a DynamoDB in this process, and a tap on what was delivered. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { systemClock } from '../adapters/clock.ts';
import { createExport } from '../adapters/export.ts';
import { createHttp } from '../adapters/http.ts';
import { createOwing } from '../adapters/owing-dynamodb.ts';
import { createScrape } from '../adapters/scrape.ts';
import { createEnvSecrets } from '../adapters/secrets-env.ts';
import { createState, createTableIfAbsent } from '../adapters/state-dynamodb.ts';
import { NO_CAUTION } from '../core/caution.ts';
import { BASELINE_DICTIONARY } from '../core/baseline-dictionary.ts';
import { decodeBaseline } from '../core/baseline-format.ts';
import type { Ports, State, TargetItem } from '../core/ports.ts';
import type { SelfFacts } from '../core/self-facts.ts';
import { createSeriesTable } from '../core/series.ts';
import { type SeriesState, isPending } from '../core/series-state.ts';
import type { RunSettings } from './run-options.ts';
import { startEmbeddedDynamodb } from './world/embedded-dynamodb.ts';
import { type DecodedPoint, decodeMetricsRequest } from './world/otlp-decoder.ts';

const TABLE = 'nim-to-dynatrace';
/** For what is read beside a run, from a store in this process. */
const READ_TIMEOUT_MS = 5_000;

export interface LocalPorts {
  readonly ports: Ports;
  /** Points of the bodies that were answered 2xx since the last call, decoded from the bytes that were sent. */
  readonly takeDelivered: () => readonly DecodedPoint[];
  /** Keys of targets that still owe: what those that are not scraped any more owe is sent all the same (D4). */
  readonly owing: () => Promise<readonly string[]>;
  /** What the state of these targets still owes. */
  readonly pending: (keys: readonly string[]) => Promise<ReadonlyMap<string, readonly SeriesState[]>>;
  readonly close: () => Promise<void>;
}

/** @throws Error with a message for people when the state directory cannot be used. */
export async function openLocalPorts(
  settings: RunSettings,
  receiver: string | undefined,
): Promise<LocalPorts> {
  const { stateDirectory, dryRun } = settings;
  const database = await startEmbeddedDynamodb(stateDirectory === undefined ? {} : { path: stateDirectory });
  const client = new DynamoDBClient({
    endpoint: database.endpoint,
    region: 'local',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  const table = await createTableIfAbsent(client, TABLE);
  if (table.code === 'failed') {
    client.destroy();
    await database.close();
    throw new Error(table.message);
  }
  const clock = systemClock;
  const http = createHttp({ clock });
  const stored = createState({ client, tableName: TABLE, clock, dictionary: BASELINE_DICTIONARY });
  const state = dryRun ? withoutWriting(stored) : stored;
  const owing = createOwing({ client, tableName: TABLE, clock });
  const endpoint = settings.endpoint ?? receiver;
  const post = createExport({
    http,
    clock,
    endpoint: () => Promise.resolve(endpoint),
    token: () => Promise.resolve(settings.endpoint === undefined ? undefined : process.env['DT_API_TOKEN']),
    tokenRequired: isDynatrace(settings.endpoint),
  });
  let delivered: DecodedPoint[] = [];
  return {
    ports: {
      clock,
      scrape: createScrape({ http, clock, secrets: createEnvSecrets(process.env) }),
      state,
      export: async (body, deadlineMs) => {
        const outcome = dryRun ? ({ code: 'accepted' } as const) : await post(body, deadlineMs);
        if (outcome.code === 'accepted' || outcome.code === 'partial')
          delivered.push(...decodeMetricsRequest(body));
        return outcome;
      },
    },
    takeDelivered: () => {
      const points = delivered;
      delivered = [];
      return points;
    },
    owing: async () => {
      const read = await owing.keys(clock.monotonicMs() + READ_TIMEOUT_MS);
      return read.code === 'read' ? read.keys : [];
    },
    pending: (keys) => readPending(state, keys),
    close: async () => {
      await http.close();
      client.destroy();
      await database.close();
    },
  };
}

/** A dry run reads what is known, and remembers from tick to tick what it would have written. */
function withoutWriting(state: State): State {
  const unwritten = new Map<string, TargetItem>();
  let self: SelfFacts | undefined;
  return {
    ...state,
    load: async (keys, deadlineMs) => {
      const items = new Map(await state.load(keys, deadlineMs));
      for (const key of keys) {
        const item = unwritten.get(key);
        if (item !== undefined) items.set(key, { code: 'found', item });
      }
      return items;
    },
    claim: () =>
      Promise.resolve({
        code: 'claimed',
        unended: 0,
        uncommitted: [],
        caution: NO_CAUTION,
        ...(self === undefined ? {} : { self }),
      }),
    commit: (item) => {
      unwritten.set(item.key, item);
      return Promise.resolve({ code: 'committed' });
    },
    end: (_shard, _tickMs, _writer, legacy) => {
      self = legacy.self;
      return Promise.resolve({ code: 'committed' });
    },
  };
}

async function readPending(
  state: State,
  keys: readonly string[],
): Promise<ReadonlyMap<string, readonly SeriesState[]>> {
  const items = await state.load(keys, systemClock.monotonicMs() + READ_TIMEOUT_MS);
  const pending = new Map<string, readonly SeriesState[]>();
  for (const [key, loaded] of items) {
    if (loaded.code !== 'found' || loaded.item.baseline === undefined) continue;
    const decoded = decodeBaseline(loaded.item.baseline, createSeriesTable());
    if (decoded.code !== 'baseline') continue;
    const { series, draining } = decoded.baseline;
    pending.set(key, [...series.values(), ...draining].filter(isPending));
  }
  return pending;
}

/** Dynatrace wants a token; another receiver may not. */
function isDynatrace(endpoint: string | undefined): boolean {
  return endpoint !== undefined && /\.dynatrace(labs)?\.com$/.test(new URL(endpoint).hostname);
}
