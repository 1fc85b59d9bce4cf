/**
 * GETs one target's page. Follows what Prometheus does where its manual speaks: only 200 counts, limits fail.
 */
import type { Target } from '../core/model.ts';
import type { ScrapeFailureCode } from '../core/outcome.ts';
import type { Clock, Scrape, ScrapeResult } from '../core/ports.ts';
import { DEFAULT_PATHS } from '../core/targets.ts';
import type { SecretReference } from '../core/scrape-config.ts';
import type { Secrets } from '../core/secrets.ts';
import type { BodyFlaw, Http, HttpAnswer, HttpFailure } from './http.ts';
import { type ClientRequest, clientRequest, secretsOf } from './client-request.ts';
import { getFollowing, nameOf } from './redirects.ts';

const [DEFAULT_PATH, FALLBACK_PATH] = DEFAULT_PATHS;

/** Targets whose fallback is remembered: far beyond one shard. Forgetting one costs it one more request. */
export const MAX_REMEMBERED = 10_000;

/** Secrets read anew for the next scrape because a target refused them: those of a full shard. */
const MAX_DOUBTED = 1_000;

/**
 * The Python client walks the list in order and ignores q; asked for anything newer it may answer OpenMetrics
 * with colons replaced. Plain text keeps the names.
 */
const ACCEPT = 'text/plain;version=0.0.4,*/*;q=0.1';

type Page = Extract<ScrapeResult, { readonly code: 'page' }>;

interface Failure {
  readonly code: ScrapeFailureCode;
  readonly message: string;
  readonly status?: number;
  /** 401 or 403: perhaps a secret was changed. */
  readonly isUnauthorized?: boolean;
}

/** A scrape under way: all its requests share one deadline, one byte limit and the same credentials. */
interface Visit {
  readonly target: Target;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly request: ClientRequest;
  readonly inVpc: boolean | undefined;
}

interface ScrapeDeps {
  readonly http: Http;
  readonly clock: Clock;
  readonly secrets: Secrets;
  /** False: private addresses cannot be reached from here. Undefined where that says nothing, as on a laptop. */
  readonly inVpc?: boolean | undefined;
}

export function createScrape({ http, clock, secrets, inVpc }: ScrapeDeps): Scrape {
  const onFallback = new Set<string>();
  const doubted = new Set<SecretReference>();
  return async (target, deadlineMs) => {
    const startMs = clock.monotonicMs();
    const timeoutMs = Math.max(0, Math.min(target.timeoutMs, deadlineMs - startMs));
    const endMs = startMs + timeoutMs;
    const request = await clientRequest(target, plainHeaders(target, timeoutMs), (reference) =>
      secrets(reference, endMs, doubted.delete(reference)),
    );
    if (request.code !== 'request') {
      return {
        code: request.code,
        message: `cannot scrape ${shown(pageUrl(target, target.path))}: ${request.message}`,
      };
    }
    const visit: Visit = { target, timeoutMs, deadlineMs: endMs, request, inVpc };
    const result = await visitPaths(http, visit, onFallback);
    if (result.code === 'tls' || (result.code === 'status' && result.isUnauthorized === true)) {
      for (const reference of secretsOf(target)) if (doubted.size < MAX_DOUBTED) doubted.add(reference);
    }
    if (result.code === 'page') return result;
    const { code, message, status } = result;
    return status === undefined ? { code, message } : { code, message, status };
  };
}

/** `timeoutMs` is told to the target, as Prometheus does. */
function plainHeaders({ enableCompression }: Target, timeoutMs: number): Readonly<Record<string, string>> {
  return {
    accept: ACCEPT,
    'accept-encoding': enableCompression ? 'gzip' : 'identity',
    'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1_000),
  };
}

/** The configured path, or NIM's own and the fallback. */
async function visitPaths(http: Http, visit: Visit, onFallback: Set<string>): Promise<Page | Failure> {
  const { target } = visit;
  if (target.path !== '') {
    const result = await visitPath(http, visit, target.path);
    return result.code === 'elsewhere' ? result.alone : result;
  }
  const remembered = onFallback.has(target.key);
  const paths = remembered ? [FALLBACK_PATH, DEFAULT_PATH] : [DEFAULT_PATH, FALLBACK_PATH];
  const answers: Elsewhere[] = [];
  for (const path of paths) {
    const result = await visitPath(http, visit, path);
    if (result.code === 'page') remember(onFallback, target.key, result.path === FALLBACK_PATH);
    if (result.code !== 'elsewhere') return result;
    answers.push(result);
  }
  return neitherPath(target, answers);
}

/** Neither path has the page; the message names both answers. */
function neitherPath(target: Target, answers: readonly Elsewhere[]): Failure {
  const [one, other] = answers.toSorted(
    (a, b) => Number(b.path === DEFAULT_PATH) - Number(a.path === DEFAULT_PATH),
  );
  const cause =
    one?.answer === other?.answer
      ? `${DEFAULT_PATH} and ${FALLBACK_PATH} both answered ${one?.answer}`
      : `${DEFAULT_PATH} answered ${one?.answer}, and ${FALLBACK_PATH} ${other?.answer}`;
  const refusal = answers.map(({ alone }) => alone).find((alone) => 'isUnauthorized' in alone);
  const otherwise = 'check the port, or write metrics_path: with the path of its page';
  const failed = failure(
    'status',
    pageUrl(target, ''),
    cause,
    refusal === undefined ? otherwise : `${AUTHORIZATION}${otherwise}`,
  );
  return { ...failed, isUnauthorized: refusal !== undefined };
}

const AUTHORIZATION =
  'check authorization, for something there asks for credentials; if it is none of yours, ';

function remember(onFallback: Set<string>, key: string, isFallback: boolean): void {
  onFallback.delete(key);
  if (!isFallback) return;
  const oldest = onFallback.values().next();
  if (onFallback.size >= MAX_REMEMBERED && oldest.done !== true) onFallback.delete(oldest.value);
  onFallback.add(key);
}

/**
 * Not the page, but no failure yet: it may be under the other path. A proxy or an API key may guard one of them alone
 * (vLLM's all that begins with /v1), and a web application has a page in HTML for any path.
 */
interface Elsewhere {
  readonly code: 'elsewhere';
  readonly path: string;
  /** In the words of a message. */
  readonly answer: string;
  /** What it is where there is no other path. */
  readonly alone: Page | Failure;
}

const ELSEWHERE: readonly number[] = [401, 403, 404, 405];

async function visitPath(http: Http, visit: Visit, path: string): Promise<Page | Failure | Elsewhere> {
  const { target, deadlineMs, request } = visit;
  const url = pageUrl(target, path);
  if (url === null) {
    const remedy = `check the target ${target.instance}`;
    return failure('connect', url, 'its address is not host:port', remedy);
  }
  const { followRedirects, bodySizeLimitBytes: maxBytes } = target;
  const got = await getFollowing(http, { url, ...request, followRedirects, deadlineMs, maxBytes });
  switch (got.code) {
    case 'answer':
      return readPage(visit, got.url, path, got.answer);
    case 'failed':
      return connectionFailure(visit, got.url, got.failure);
    case 'stopped':
      return failure(followRedirects ? 'redirect' : 'status', got.url, got.cause, got.remedy);
  }
}

function readPage(visit: Visit, url: URL, path: string, answer: HttpAnswer): Page | Failure | Elsewhere {
  const { status, headers } = answer;
  const alone = pageOf(visit, url, path, answer);
  if (ELSEWHERE.includes(status)) return { code: 'elsewhere', path, answer: `status ${status}`, alone };
  const isHtml = status === 200 && /^\s*text\/html\b/i.test(headers['content-type'] ?? '');
  return isHtml ? { code: 'elsewhere', path, answer: 'a page in HTML', alone } : alone;
}

function pageOf(visit: Visit, url: URL, path: string, answer: HttpAnswer): Page | Failure {
  const { status, flaw, body, headers } = answer;
  if (status !== 200) {
    const cause = `it answered status ${status}`;
    const failed = { ...failure('status', url, cause, statusRemedy(visit, url, status)), status };
    return status === 401 || status === 403 ? { ...failed, isUnauthorized: true } : failed;
  }
  if (flaw !== undefined) return bodyFailure(visit, url, flaw);
  const dateMs = Date.parse(headers['date'] ?? '');
  const page = { code: 'page', body, path, complete: isFramed(headers) } as const;
  return Number.isNaN(dateMs) ? page : { ...page, dateMs };
}

/** Else the body ends with its connection, and so does half of it (RFC 9112, section 6.3). */
function isFramed(headers: HttpAnswer['headers']): boolean {
  return headers['content-length'] !== undefined || /\bchunked\b/i.test(headers['transfer-encoding'] ?? '');
}

function statusRemedy({ target }: Visit, url: URL, status: number): string {
  if (status === 401 || status === 403) {
    return url.origin !== pageUrl(target, '')?.origin && secretsOf(target).length > 0
      ? 'credentials are not sent to where a redirect leads; name that address as the target, with its authorization'
      : 'something before it asks for credentials; check authorization';
  }
  if (status === 404) return 'check metrics_path';
  if (status === 503) return 'the model may still be loading; see /v1/health/ready';
  if (status >= 500) return "see the server's own log";
  if (status >= 300 && status < 400)
    return 'the redirect names no address; set metrics_path to the final path';
  return 'only 200 is a page; check scheme, port and metrics_path';
}

function bodyFailure(visit: Visit, url: URL, flaw: BodyFlaw): Failure {
  switch (flaw.code) {
    case 'limit':
      return failure(
        'body_size_limit',
        url,
        flaw.cause,
        'raise body_size_limit if the page is meant to be so large',
      );
    case 'timeout':
      return failure('timeout', url, `${flaw.cause} (${visit.timeoutMs} ms)`, 'raise scrape_timeout');
    case 'broken':
      return failure('body', url, flaw.cause, 'check the server and any proxy before it');
  }
}

function connectionFailure(visit: Visit, url: URL, result: HttpFailure): Failure {
  if (visit.inVpc === false && result.isUnreachedPrivate === true) {
    const cause = `its address is private and the function is in no VPC (${result.cause})`;
    return failure('private_target_without_vpc', url, cause, IN_VPC);
  }
  switch (result.code) {
    case 'connect':
      return failure('connect', url, result.cause, 'check address, port, routes and security groups');
    case 'reset':
      return failure('connect', url, result.cause, "see the server's own log");
    case 'protocol':
      return failure('connect', url, result.cause, 'check port and scheme');
    case 'tls':
      return failure('tls', url, result.cause, 'check scheme, certificate and its authority');
    case 'timeout':
      return failure(
        'timeout',
        url,
        `${result.cause} (${visit.timeoutMs} ms)`,
        result.sent ? 'raise scrape_timeout' : 'check address, port, routes and security groups',
      );
  }
}

const IN_VPC =
  'deploy into its VPC: cdk deploy -c vpcId=vpc-... -c subnetIds=subnet-...,subnet-... -c securityGroupIds=sg-...';

function failure(code: ScrapeFailureCode, url: URL | null, cause: string, remedy: string): Failure {
  return { code, message: `cannot scrape ${shown(url)}: ${cause}; ${remedy}` };
}

function shown(url: URL | null): string {
  return url === null ? 'the target' : nameOf(url);
}

function pageUrl(target: Target, path: string): URL | null {
  const url = URL.parse(`${target.scheme}://${target.address}`);
  if (
    url === null ||
    url.pathname !== '/' ||
    url.search !== '' ||
    url.username !== '' ||
    url.password !== ''
  ) {
    return null;
  }
  url.pathname = path;
  for (const [name, value] of target.params) url.searchParams.append(name, value);
  return url;
}
