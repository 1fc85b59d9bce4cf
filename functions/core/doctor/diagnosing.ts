/**
 * The doctor's way from a target's name to what Dynatrace will have of it, and to Dynatrace itself. The same on a
 * laptop and in the deployed function: the world is behind ports. Reads only; nothing is stored anywhere.
 */
import { groupFamilies } from '../families.ts';
import { parseExposition } from '../exposition.ts';
import type { Target } from '../model.ts';
import type { ExportOutcome } from '../outcome.ts';
import type { Clock, Scrape, ScrapeResult } from '../ports.ts';
import { createSeriesTable } from '../series.ts';
import { isSum } from '../series-state.ts';
import { hostAndPort } from '../targets.ts';
import {
  type Check,
  type Diagnosis,
  type DynatraceDiagnosis,
  type TargetDiagnosis,
  failed,
  ok,
  skipped,
  told,
  warning,
} from './checks.ts';
import { checkEndpoint, checkIngest, checkToken } from './dynatrace-checks.ts';
import type { Answers } from './generation.ts';
import { type Look, checkClock, checkProcess, diagnosePage } from './page-checks.ts';
import { type Place, wordsAt } from './place.ts';
import type { Peer, Probe } from './probe.ts';
import { reach } from './reaching.ts';

/** Of one target, all checks together: its scrape may take its own 10 s and the rest still has its turn. */
export const TARGET_BUDGET_MS = 15_000;
/** Of Dynatrace's side. */
export const DYNATRACE_BUDGET_MS = 15_000;
/** Targets diagnosed at once: each holds its page in memory. */
export const MAX_CONCURRENT_TARGETS = 8;

/** Of each request beside the page. A NIM answers them at once; one that is loading need not be waited for. */
const SIDE_TIMEOUT_MS = 3_000;
/** Bytes of such an answer. The metadata of a NIM has a few KB. */
const MAX_SIDE_BYTES = 256 * 1024;

/** Further looks at the page: of two replicas behind a fair balancer the other one is met with 7 in 8. */
export const FURTHER_LOOKS = 3;
/** Between two looks, so that a busy counter moves and a balancer turns. */
const LOOK_PAUSE_MS = 200;

export interface DoctorPorts {
  readonly clock: Clock;
  /** Where these ports are. */
  readonly place: Place;
  /** Through which Dynatrace is reached: names are looked up there, and TLS is spoken through it. */
  readonly proxy?: Peer;
  readonly probe: Probe;
  /** Each on a connection of its own, as a scrape a minute later has it: a kept one would meet the same replica. */
  readonly scrape: Scrape;
  /** To the endpoint that is diagnosed, once, without retries; `dateMs`: the answer's `Date`. */
  readonly post: (
    body: Uint8Array,
    deadlineMs: number,
  ) => Promise<{ readonly outcome: ExportOutcome; readonly dateMs?: number }>;
  /** Whether a baseline can be stored. */
  readonly fits: (baseline: Uint8Array) => boolean;
  readonly sleepMs: (ms: number) => Promise<unknown>;
}

export interface Consultation {
  readonly targets: readonly Target[];
  /** Absent: Dynatrace's side is skipped. */
  readonly dynatrace?: { readonly endpoint: string; readonly token: string | undefined };
  /** Monotonic. */
  readonly deadlineMs: number;
}

/** One diagnosis for each target in their order, and one of Dynatrace at the end. */
export async function diagnose(
  { targets, dynatrace, deadlineMs }: Consultation,
  ports: DoctorPorts,
): Promise<readonly Diagnosis[]> {
  const [ofTargets, ofDynatrace] = await Promise.all([
    diagnoseTargets(targets, ports, deadlineMs),
    dynatrace === undefined ? withoutEndpoint(ports.place) : diagnoseDynatrace(dynatrace, ports, deadlineMs),
  ]);
  return [...ofTargets, ofDynatrace];
}

/** One for each in their order, some at a time. */
export async function diagnoseTargets(
  targets: readonly Target[],
  ports: DoctorPorts,
  deadlineMs: number,
): Promise<readonly TargetDiagnosis[]> {
  const diagnoses: TargetDiagnosis[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < targets.length; i = next++) {
      diagnoses[i] = await diagnoseTarget(targets[i] as Target, ports, deadlineMs);
    }
  };
  await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT_TARGETS, targets.length) }, worker));
  return diagnoses;
}

/** What stands in the place of Dynatrace's diagnosis where there is nothing to diagnose. */
export function withoutEndpoint(place: Place): DynatraceDiagnosis {
  return { kind: 'dynatrace', checks: [skipped('endpoint', wordsAt(place).noEndpoint)] };
}

export async function diagnoseTarget(
  target: Target,
  ports: DoctorPorts,
  deadlineMs: number,
): Promise<TargetDiagnosis> {
  const { clock, scrape } = ports;
  const url = `${target.scheme}://${target.address}`;
  const of = (checks: readonly Check[]): TargetDiagnosis => ({
    kind: 'target',
    job: target.job,
    url: url + target.path,
    checks,
  });
  const startMs = clock.monotonicMs();
  if (startMs >= deadlineMs) {
    return of([failed('dns', 'there was no time left for this target', 'name fewer targets at once')]);
  }
  const endMs = Math.min(deadlineMs, startMs + TARGET_BUDGET_MS);
  const { host, port } = hostAndPort(target);
  const tls = target.tlsConfig === undefined ? {} : { config: target.tlsConfig };
  const peer = { host, port: Number(port), ...(target.scheme === 'https' ? { tls } : {}) };
  const way = await reach(peer, ports, endMs, 'target');
  if (!way.reached)
    return of([...way.checks, skipped('http', 'nothing was asked: the server is not reached')]);

  const [{ page, tookMs }, side] = await Promise.all([
    timedScrape(target, ports, endMs),
    askBeside(target, scrape, endMs),
  ]);
  if (page.code !== 'page') {
    const http = told('http', 'failed', page.message);
    // A model that is still loading is the likeliest cause, and the only one that goes by itself.
    return of([...way.checks, http, ...(side.ready?.status === 'warning' ? [side.ready] : [])]);
  }
  const http = httpCheck(target, page, tookMs);
  const nowMs = clock.wallMs();
  const clocks = page.dateMs === undefined ? [] : [checkClock(page.dateMs, nowMs, 'target')];
  const read = diagnosePage(page.body, target, nowMs, {
    complete: page.complete,
    fits: ports.fits,
    answers: side.answers,
  });
  const [format, ...rest] = read.checks;
  const looks = read.forecast === undefined ? [] : await lookAgain(target, page, ports, endMs);
  const process = checkProcess(looks);
  return {
    ...read,
    ...of([
      ...way.checks,
      http,
      ...clocks,
      ...(format === undefined ? [] : [format]),
      ...(side.ready === undefined ? [] : [side.ready]),
      ...rest,
      ...(process === undefined ? [] : [process]),
    ]),
    url: url + page.path,
  };
}

async function timedScrape(target: Target, { scrape, clock }: DoctorPorts, endMs: number) {
  const startMs = clock.monotonicMs();
  const page = await scrape(target, endMs);
  return { page, tookMs: clock.monotonicMs() - startMs };
}

/** Part of the scrape's own timeout beyond which a busy day may take it over. */
const SLOW = 0.5;

type Page = Extract<ScrapeResult, { readonly code: 'page' }>;

function httpCheck(target: Target, page: Page, latencyMs: number): Check {
  const message = `${page.path} answered 200, ${page.body.length} bytes`;
  return latencyMs <= target.timeoutMs * SLOW
    ? ok('http', message, latencyMs)
    : warning('http', message, `raise scrape_timeout above ${target.timeoutMs} ms`, latencyMs);
}

interface Beside {
  readonly answers: Answers;
  /** Absent where the server has no such endpoint, as any that is no NIM. */
  readonly ready?: Check;
}

/**
 * What a NIM tells beside its page. Asked of the target's own host, with its own credentials, and no redirect is
 * followed. No answer is no failure: most servers have none of these.
 */
async function askBeside(target: Target, scrape: Scrape, endMs: number): Promise<Beside> {
  const ask = (path: string) =>
    scrape(
      {
        ...target,
        path,
        params: [],
        followRedirects: false,
        timeoutMs: Math.min(target.timeoutMs, SIDE_TIMEOUT_MS),
        bodySizeLimitBytes: MAX_SIDE_BYTES,
      },
      endMs,
    );
  const [ready, metadata, models, version] = await Promise.all(
    ['/v1/health/ready', '/v1/metadata', '/v1/models', '/v1/version'].map(ask),
  );
  const answers: Record<string, string> = {};
  for (const [name, result] of Object.entries({ metadata, models, version })) {
    if (result?.code === 'page') answers[name] = new TextDecoder().decode(result.body);
  }
  const check = ready === undefined ? undefined : readyCheck(ready);
  return { answers, ...(check === undefined ? {} : { ready: check }) };
}

function readyCheck(result: ScrapeResult): Check | undefined {
  if (result.code === 'page') {
    // A web application has a page in HTML for any path.
    const isHtml = new TextDecoder().decode(result.body).trimStart().startsWith('<');
    return isHtml ? undefined : ok('ready', '/v1/health/ready answered 200');
  }
  if (result.code !== 'status' || result.status !== 503) return undefined;
  const remedy = 'wait until the model is loaded, which takes minutes, and look again';
  return warning('ready', '/v1/health/ready answered 503: the model is not loaded yet', remedy);
}

/** The first look and the further ones; ends early where a look fails or the time is over. */
async function lookAgain(
  target: Target,
  first: Page,
  { scrape, sleepMs, clock }: DoctorPorts,
  endMs: number,
): Promise<readonly Look[]> {
  const looks = [lookOf(first.body)];
  for (let i = 0; i < FURTHER_LOOKS && clock.monotonicMs() + LOOK_PAUSE_MS < endMs; i++) {
    await sleepMs(LOOK_PAUSE_MS);
    const page = await scrape({ ...target, path: first.path }, endMs);
    if (page.code !== 'page') break;
    looks.push(lookOf(page.body));
  }
  return looks;
}

function lookOf(body: Uint8Array): Look {
  const table = createSeriesTable();
  const parsed = parseExposition(body, table);
  if (parsed.code !== 'page') return { processStartMs: undefined, totals: new Map() };
  const { cumulative, startMs } = groupFamilies(parsed.page, table, new Map());
  const totals = cumulative.map((reading) => {
    const counts = reading.values.filter((_, i) => !isSum(reading, i));
    return [reading.series.key, counts.reduce((sum, count) => sum + count, 0)] as const;
  });
  return { processStartMs: startMs, totals: new Map(totals) };
}

export async function diagnoseDynatrace(
  { endpoint, token }: NonNullable<Consultation['dynatrace']>,
  ports: DoctorPorts,
  deadlineMs: number,
): Promise<DynatraceDiagnosis> {
  const { clock, place } = ports;
  const endMs = Math.min(deadlineMs, clock.monotonicMs() + DYNATRACE_BUDGET_MS);
  const form = checkEndpoint(endpoint);
  const { url } = form;
  const known = checkToken(token, url, place);
  if (url === undefined) {
    return {
      kind: 'dynatrace',
      checks: [form.check, known.check, skipped('ingest', 'nothing was posted: no usable endpoint')],
    };
  }
  const way =
    ports.proxy === undefined
      ? await reach(peerOf(url), ports, endMs, 'dynatrace')
      : await reach(ports.proxy, ports, endMs, 'proxy');
  const posted = await postNothing();
  return { kind: 'dynatrace', url, checks: [form.check, known.check, ...way.checks, ...posted] };

  async function postNothing(): Promise<readonly Check[]> {
    if (!known.usable) return [skipped('ingest', 'nothing was posted: no usable token')];
    if (!way.reached) return [skipped('ingest', 'nothing was posted: the server is not reached')];
    const startMs = clock.monotonicMs();
    // An ExportMetricsServiceRequest without a metric has no bytes.
    const { outcome, dateMs } = await ports.post(new Uint8Array(), endMs);
    const ingest = checkIngest(outcome, known.kind, clock.monotonicMs() - startMs, place);
    return dateMs === undefined ? [ingest] : [ingest, checkClock(dateMs, clock.wallMs(), 'dynatrace')];
  }
}

function peerOf(url: string): Peer {
  const { protocol, host: address } = new URL(url);
  const scheme = protocol === 'https:' ? 'https' : 'http';
  const { host, port } = hostAndPort({ address, scheme });
  return { host, port: Number(port), ...(scheme === 'https' ? { tls: {} } : {}) };
}
