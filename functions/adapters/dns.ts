/**
 * `dns_sd_configs`: what DNS says now, asked as Prometheus asks it (discovery/dns). That a name does not exist or has
 * no such records is an answer, and its targets have vanished; that no server gave an answer is none, and the last one
 * stays in force. TTLs are the resolver's affair: `refresh_interval` alone says when to ask again.
 */
import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import type { Discovered, Discovery } from '../core/discovery.ts';
import type { Clock } from '../core/ports.ts';
import type { DnsSdConfig, TargetGroup } from '../core/scrape-config.ts';
import { signalAt } from './clock.ts';

/** Names of one `dns_sd_config` that are asked for; the others are told. */
export const MAX_DNS_NAMES = 100;

/** Records of one answer: far more targets than one deployment scrapes. A longer one counts as none. */
export const MAX_DNS_ANSWERS = 1_000;

/** Names whose last answer is remembered: those of ten full configurations. */
export const MAX_REMEMBERED_NAMES = 1_000;

/** Names of one configuration asked for at once. */
const MAX_CONCURRENT = 10;

/** Of one server, as in Prometheus' DNS client; each server is asked twice. */
const TRY_TIMEOUT_MS = 2_000;

/** Kubernetes' own bound of a pod's search list. */
const MAX_SEARCH_DOMAINS = 32;

interface DnsDeps {
  readonly clock: Clock;
  /** `address:port`; default: the system's. */
  readonly servers?: readonly string[];
  /** Where the search list is. */
  readonly resolvConf?: string;
}

/** One record, as far as a target needs it. */
interface Answer {
  readonly host: string;
  /** Of an SRV record; else the configuration says. */
  readonly port?: number;
  readonly labels: Readonly<Record<string, string>>;
}

interface Remembered {
  readonly answers: readonly Answer[];
  readonly readAtMs: number;
}

export function createDnsDiscovery(deps: DnsDeps): Discovery<DnsSdConfig> {
  const { clock, resolvConf = '/etc/resolv.conf' } = deps;
  const remembered = new Map<string, Remembered>();
  const remember = (key: string, answers: readonly Answer[]) => {
    remembered.delete(key);
    const [oldest] = remembered.keys();
    if (remembered.size >= MAX_REMEMBERED_NAMES && oldest !== undefined) remembered.delete(oldest);
    remembered.set(key, { answers, readAtMs: clock.wallMs() });
  };

  return async (config, deadlineMs) => {
    const names = [...new Set(config.names)];
    const asked = names.slice(0, MAX_DNS_NAMES);
    const stale = asked.filter(
      (name) => !isFresh(remembered.get(keyOf(config, name)), config, clock.wallMs()),
    );
    const search = stale.length === 0 ? NO_SEARCH : await readSearch(resolvConf);
    const failures = new Map<string, string>();
    const resolver = new Resolver({ timeout: TRY_TIMEOUT_MS, tries: 2 });
    if (deps.servers !== undefined) resolver.setServers(deps.servers);
    const signal = signalAt(clock, deadlineMs);
    signal.addEventListener('abort', () => resolver.cancel());
    const waiting = [...stale];
    const worker = async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        const answer = await lookUp(resolver, config.type, candidates(name, search), signal);
        if (typeof answer === 'string') failures.set(name, answer);
        else remember(keyOf(config, name), answer);
      }
    };
    await Promise.all(Array.from({ length: MAX_CONCURRENT }, worker));
    return discovered(
      config,
      asked,
      names.length,
      failures,
      (name) => remembered.get(keyOf(config, name))?.answers,
    );
  };
}

function keyOf({ type }: DnsSdConfig, name: string): string {
  return `${type} ${name}`;
}

/** Wall time, since a frozen sandbox may stop the other clock; a step backwards counts as old. */
function isFresh(known: Remembered | undefined, { refreshIntervalMs }: DnsSdConfig, nowMs: number): boolean {
  const ageMs = known === undefined ? Infinity : nowMs - known.readAtMs;
  return ageMs >= 0 && ageMs < refreshIntervalMs;
}

/** The records of the first candidate that exists, or why that is not known. */
async function lookUp(
  resolver: Resolver,
  type: DnsSdConfig['type'],
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly Answer[] | string> {
  let failure: string | undefined;
  for (const name of names) {
    if (signal.aborted) return LATE;
    try {
      const answers = (await RECORDS[type](resolver, name)).filter(({ host }) => host !== '');
      if (answers.length <= MAX_DNS_ANSWERS) return answers;
      failure = `it has more than ${MAX_DNS_ANSWERS} records`;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code';
      if (code === 'ENODATA') return [];
      // Another candidate may still exist; if none does, nobody can say that the name does not.
      if (code !== 'ENOTFOUND') failure ??= FAILURES[code] ?? `the look-up failed (${code})`;
    }
  }
  return failure ?? [];
}

const LATE = 'no answer before the deadline';

const FAILURES: Readonly<Record<string, string>> = {
  ECANCELLED: LATE,
  ECONNREFUSED: 'no DNS server could be reached',
  EREFUSED: 'the DNS server refused the query',
  ESERVFAIL: 'the DNS server failed',
  ETIMEOUT: 'the DNS server did not answer',
};

/** Host names without the final dot, to look more usual; in labels with it, as Prometheus shows them. */
const RECORDS = {
  A: async (resolver, name) => (await resolver.resolve4(name)).map(plain),
  AAAA: async (resolver, name) => (await resolver.resolve6(name)).map(plain),
  SRV: async (resolver, name) =>
    (await resolver.resolveSrv(name)).map(({ name: host, port }) => ({
      host,
      port,
      labels: { __meta_dns_srv_record_target: `${host}.`, __meta_dns_srv_record_port: String(port) },
    })),
  MX: async (resolver, name) =>
    (await resolver.resolveMx(name)).map(({ exchange }) => ({
      host: exchange,
      labels: { __meta_dns_mx_record_target: `${exchange}.` },
    })),
  NS: async (resolver, name) =>
    (await resolver.resolveNs(name)).map((host) => ({
      host,
      labels: { __meta_dns_ns_record_target: `${host}.` },
    })),
} satisfies Record<DnsSdConfig['type'], (resolver: Resolver, name: string) => Promise<readonly Answer[]>>;

function plain(host: string): Answer {
  return { host, labels: {} };
}

function discovered(
  config: DnsSdConfig,
  asked: readonly string[],
  names: number,
  failures: ReadonlyMap<string, string>,
  known: (name: string) => readonly Answer[] | undefined,
): Discovered {
  const problems: string[] = [];
  if (names > asked.length) {
    const cause = `a dns_sd_config of ${names} names asks for the first ${asked.length} only`;
    problems.push(`cannot discover all targets: ${cause}; write several`);
  }
  for (const [name, cause] of failures) {
    const remedy =
      known(name) === undefined
        ? 'its targets are not scraped until it answers'
        : 'its last answer stays in force';
    problems.push(`cannot look up ${config.type} records of ${name}: ${cause}; ${remedy}`);
  }
  return {
    groups: asked.flatMap((name) => groupsOf(config, name, known(name) ?? [])),
    complete: asked.every((name) => known(name) !== undefined),
    problems,
  };
}

/** One group for each record: SRV, MX and NS records have labels of their own. */
function groupsOf({ port }: DnsSdConfig, name: string, answers: readonly Answer[]): readonly TargetGroup[] {
  return answers.map((answer) => {
    const host = answer.host.includes(':') ? `[${answer.host}]` : answer.host;
    return {
      targets: [`${host}:${answer.port ?? port}`],
      labels: { __meta_dns_name: name, ...answer.labels },
    };
  });
}

interface Search {
  readonly domains: readonly string[];
  readonly ndots: number;
}

const NO_SEARCH: Search = { domains: [], ndots: 1 };

/** resolv.conf(5); without the file, as on Windows, there is no list. The last `domain` or `search` line counts. */
async function readSearch(file: string): Promise<Search> {
  const text = await readFile(file, 'utf8').catch(() => '');
  let { domains, ndots } = NO_SEARCH;
  for (const line of text.split('\n')) {
    const [key, ...words] = line.trim().split(/\s+/);
    if (key === 'domain') domains = words.slice(0, 1);
    if (key === 'search') domains = words.slice(0, MAX_SEARCH_DOMAINS);
    const dots =
      key === 'options'
        ? /^ndots:(\d+)$/.exec(words.findLast((word) => word.startsWith('ndots:')) ?? '')
        : null;
    if (dots !== null) ndots = Math.min(Number(dots[1]), 15);
  }
  return { domains, ndots };
}

/** A name that ends in a dot stands for itself; one with enough dots is tried before the search list, else after. */
function candidates(name: string, { domains, ndots }: Search): readonly string[] {
  if (name.endsWith('.')) return [name];
  const dots = name.split('.').length - 1;
  const listed = domains.map((domain) => `${name}.${domain}`);
  return dots >= ndots ? [name, ...listed] : [...listed, name];
}
