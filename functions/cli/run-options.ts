/** The options of `run`. */
import type { Target } from '../core/model.ts';
import { parseDuration } from '../core/duration.ts';
import { metricsUrl } from '../core/endpoint.ts';
import { MAX_SHARD_TARGETS } from '../core/work.ts';
import { readAddress } from '../core/config/address.ts';
import { type CliOption, optionLines, parseOptions, readOutput } from './options.ts';

export const MIN_INTERVAL_MS = 100;
export const MAX_INTERVAL_MS = 3_600_000;
export const MAX_COUNT = 1_000_000;

export const RUN_OPTIONS: readonly CliOption[] = [
  {
    name: 'target',
    value: 'URL',
    multiple: true,
    default: 'two simulated NIMs',
    about: 'a NIM to scrape, host:port or http(s)://host:port/path; may be given several times',
  },
  {
    name: 'config',
    value: 'FILE|DIR',
    default: 'none',
    about:
      'target documents as in SSM, a file each, or a Prometheus configuration; edits are picked up at the next tick; not with --target',
  },
  {
    name: 'endpoint',
    value: 'URL',
    default: 'a receiver that behaves as Dynatrace',
    about:
      'where to send: https://<environment>.live.dynatrace.com/api/v2/otlp or any OTLP/HTTP receiver; the token is read from DT_API_TOKEN',
  },
  {
    name: 'interval',
    value: 'DURATION',
    default: '5s; with --config the shortest scrape_interval, 1s to 1m',
    about: 'time between two ticks, 100ms to 1h',
  },
  { name: 'count', value: 'N', default: 'until Ctrl-C', about: 'end after N ticks' },
  { name: 'once', default: 'off', about: 'end after one tick' },
  {
    name: 'state',
    value: 'DIR',
    default: 'in memory',
    about: 'keep the DynamoDB in this directory, so that the next call goes on from here',
  },
  { name: 'dry-run', default: 'off', about: 'show what would be sent; post nothing and commit nothing' },
  {
    name: 'output',
    short: 'o',
    value: 'table|json',
    default: 'table',
    about: 'a table per tick, or one line of JSON per delivered data point',
  },
  { name: 'help', short: 'h', default: 'off', about: 'this text' },
];

export interface RunSettings {
  readonly targets: readonly Target[];
  /** Where the documents are. */
  readonly config: string | undefined;
  readonly endpoint: string | undefined;
  /** Undefined: as the documents say. */
  readonly intervalMs: number | undefined;
  /** Ticks; Infinity: until interrupted. */
  readonly count: number;
  readonly once: boolean;
  readonly stateDirectory: string | undefined;
  readonly dryRun: boolean;
  readonly output: 'table' | 'json';
}

export type ReadOptions =
  | { readonly code: 'settings'; readonly settings: RunSettings }
  | { readonly code: 'help' }
  | { readonly code: 'wrong'; readonly problems: readonly string[] };

const DEFAULT_INTERVAL = '5s';
/** Job name of targets given on the command line. */
const JOB = 'nim';

export function readRunOptions(args: readonly string[]): ReadOptions {
  const given = parseOptions(args, RUN_OPTIONS, false);
  if (typeof given === 'string') return { code: 'wrong', problems: [given] };
  if (given.isOn('help')) return { code: 'help' };
  const problems: string[] = [];
  const { text, texts, isOn } = given;
  const config = text('config');
  const interval = text('interval') ?? (config === undefined ? DEFAULT_INTERVAL : undefined);
  const settings: RunSettings = {
    targets: readTargets(texts('target'), problems),
    config,
    endpoint: readEndpoint(text('endpoint'), problems),
    intervalMs: interval === undefined ? undefined : readInterval(interval, problems),
    count: isOn('once') ? 1 : readCount(text('count'), problems),
    once: isOn('once'),
    stateDirectory: text('state'),
    dryRun: isOn('dry-run'),
    output: readOutput(text('output') ?? 'table', problems),
  };
  if (config === '') problems.push('cannot use --config: its path is empty text; write --config ./targets');
  if (config !== undefined && texts('target').length > 0) {
    problems.push('cannot use --config and --target together: both say what to scrape; give one of them');
  }
  if (settings.stateDirectory === '') {
    problems.push('cannot use --state: its directory is empty text; write --state ./state');
  }
  if (settings.once && text('count') !== undefined) {
    problems.push('cannot use --once and --count together: both say when to end; give one of them');
  }
  return problems.length > 0 ? { code: 'wrong', problems } : { code: 'settings', settings };
}

function readTargets(addresses: readonly string[], problems: string[]): readonly Target[] {
  const targets = new Map<string, Target>();
  for (const address of addresses) {
    const target = readAddress(address, JOB);
    if (typeof target === 'string') problems.push(target);
    else targets.set(target.key, target);
  }
  if (targets.size > MAX_SHARD_TARGETS) {
    problems.push(
      `cannot scrape ${targets.size} targets: one run scrapes up to ${MAX_SHARD_TARGETS}; give fewer`,
    );
  }
  return [...targets.values()];
}

function readEndpoint(endpoint: string | undefined, problems: string[]): string | undefined {
  if (endpoint === undefined) return undefined;
  const read = metricsUrl(endpoint);
  if ('problem' in read) problems.push(read.problem);
  return endpoint;
}

function readInterval(text: string, problems: string[]): number {
  const intervalMs = parseDuration(text) ?? NaN;
  if (!(intervalMs >= MIN_INTERVAL_MS && intervalMs <= MAX_INTERVAL_MS)) {
    problems.push(`cannot use --interval ${text}: it is no duration from 100ms to 1h; write 5s, 1m or 1m30s`);
  }
  return intervalMs;
}

function readCount(text: string | undefined, problems: string[]): number {
  if (text === undefined) return Infinity;
  const count = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(count >= 1 && count <= MAX_COUNT)) {
    problems.push(
      `cannot use --count ${text}: it is no whole number from 1 to ${MAX_COUNT}; write --count 3`,
    );
  }
  return count;
}

export function runHelp(): string {
  return [
    'nim-to-dynatrace run [options]',
    '',
    'Scrapes NIM servers, turns their counters and histograms into deltas kept in a DynamoDB, and sends them as OTLP.',
    '',
    ...optionLines(RUN_OPTIONS),
    '',
    'Exit code: 0 when the last run was delivered, 1 when it was not or a document is wrong, 2 for wrong usage.',
  ].join('\n');
}
