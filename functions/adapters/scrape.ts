/**
 * GETs one target's page. Follows what Prometheus does where its manual speaks: only 200 counts, limits fail.
 */
import type { Target } from '../core/model.ts';
import type { ScrapeFailureCode } from '../core/outcome.ts';
import type { Clock, Scrape, ScrapeResult } from '../core/ports.ts';
import { DEFAULT_PATHS } from '../core/targets.ts';
import type { BodyFlaw, Http, HttpAnswer, HttpFailure } from './http.ts';

const [DEFAULT_PATH, FALLBACK_PATH] = DEFAULT_PATHS;

/** Old vLLM needs one (`/metrics` to `/metrics/`); a second covers a proxy before it. */
const MAX_REDIRECTS = 2;

/** Targets whose fallback is remembered: far beyond one shard. Forgetting one costs it one more request. */
export const MAX_REMEMBERED = 10_000;

/**
 * The Python client walks the list in order and ignores q; asked for anything newer it may answer OpenMetrics
 * with colons replaced. Plain text keeps the names.
 */
const ACCEPT = 'text/plain;version=0.0.4,*/*;q=0.1';

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

type Failure = Extract<ScrapeResult, { readonly message: string }>;

/** A scrape under way: all its requests share one deadline and one byte limit. */
interface Visit {
  readonly target: Target;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
}

export function createScrape({ http, clock }: { readonly http: Http; readonly clock: Clock }): Scrape {
  const onFallback = new Set<string>();
  return async (target, deadlineMs) => {
    const startMs = clock.monotonicMs();
    const timeoutMs = Math.max(0, Math.min(target.timeoutMs, deadlineMs - startMs));
    const visit: Visit = { target, timeoutMs, deadlineMs: startMs + timeoutMs };
    if (target.path !== '') return fetchPage(http, visit, target.path);

    const remembered = onFallback.has(target.key);
    const paths = remembered ? [FALLBACK_PATH, DEFAULT_PATH] : [DEFAULT_PATH, FALLBACK_PATH];
    let result: ScrapeResult | NotFound = { code: 'not_found' };
    for (const path of paths) {
      result = await visitPath(http, visit, path);
      if (result.code !== 'not_found') break;
    }
    if (result.code === 'not_found') {
      const cause = `${DEFAULT_PATH} and ${FALLBACK_PATH} both answered status 404`;
      return failure('status', pageUrl(target, ''), cause, 'check the port, or set metrics_path');
    }
    if (result.code === 'page') remember(onFallback, target.key, result.path === FALLBACK_PATH);
    return result;
  };
}

function remember(onFallback: Set<string>, key: string, isFallback: boolean): void {
  onFallback.delete(key);
  if (!isFallback) return;
  const oldest = onFallback.values().next();
  if (onFallback.size >= MAX_REMEMBERED && oldest.done !== true) onFallback.delete(oldest.value);
  onFallback.add(key);
}

async function fetchPage(http: Http, visit: Visit, path: string): Promise<ScrapeResult> {
  const result = await visitPath(http, visit, path);
  if (result.code !== 'not_found') return result;
  return failure('status', pageUrl(visit.target, path), 'it answered status 404', 'check metrics_path');
}

/** 404 is no failure yet: there may be another path. */
interface NotFound {
  readonly code: 'not_found';
}

/**
 * GETs one path and follows redirects as long as they stay on the same scheme, host and port: a target can
 * neither send the scrape elsewhere nor see what was meant for another host.
 */
async function visitPath(http: Http, visit: Visit, path: string): Promise<ScrapeResult | NotFound> {
  let url = pageUrl(visit.target, path);
  if (url === null) {
    return failure(
      'connect',
      url,
      'its address is not host:port',
      `check the target ${visit.target.instance}`,
    );
  }
  for (let redirects = 0; ; redirects++) {
    const result = await get(http, visit, url);
    if (result.code !== 'answer') return connectionFailure(visit, url, result);
    const location = REDIRECTS.includes(result.status) ? result.headers['location'] : undefined;
    if (location === undefined) return readPage(visit, url, path, result);
    const next = URL.parse(location, url.href);
    if (next?.origin !== url.origin) {
      const where = next === null ? 'an address that cannot be read' : next.origin;
      return failure(
        'redirect',
        url,
        `it redirects to ${where}`,
        'name that address as the target if it is meant',
      );
    }
    if (redirects === MAX_REDIRECTS) {
      return failure(
        'redirect',
        url,
        `more than ${MAX_REDIRECTS} redirects`,
        'set metrics_path to the final path',
      );
    }
    url = next;
  }
}

function get(http: Http, visit: Visit, url: URL): Promise<HttpAnswer | HttpFailure> {
  return http.request({
    method: 'GET',
    url,
    headers: {
      accept: ACCEPT,
      'accept-encoding': 'gzip',
      'x-prometheus-scrape-timeout-seconds': String(visit.timeoutMs / 1_000),
    },
    deadlineMs: visit.deadlineMs,
    maxBytes: visit.target.bodySizeLimitBytes,
  });
}

function readPage(visit: Visit, url: URL, path: string, answer: HttpAnswer): ScrapeResult | NotFound {
  const { status, flaw, body, headers } = answer;
  if (status === 404) return { code: 'not_found' };
  if (status !== 200) return failure('status', url, `it answered status ${status}`, statusRemedy(status));
  if (flaw !== undefined) return bodyFailure(visit, url, flaw);
  const dateMs = Date.parse(headers['date'] ?? '');
  const page = { code: 'page', body, path, complete: isFramed(headers) } as const;
  return Number.isNaN(dateMs) ? page : { ...page, dateMs };
}

/** Else the body ends with its connection, and so does half of it (RFC 9112, section 6.3). */
function isFramed(headers: HttpAnswer['headers']): boolean {
  return headers['content-length'] !== undefined || /\bchunked\b/i.test(headers['transfer-encoding'] ?? '');
}

function statusRemedy(status: number): string {
  if (status === 401 || status === 403)
    return 'something before it asks for credentials; check authorization';
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

/** Without the query: a parameter may be a secret. */
function failure(code: ScrapeFailureCode, url: URL | null, cause: string, remedy: string): Failure {
  const where = url === null ? 'the target' : url.origin + (url.pathname === '/' ? '' : url.pathname);
  return { code, message: `cannot scrape ${where}: ${cause}; ${remedy}` };
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
