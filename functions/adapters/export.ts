/** POSTs one OTLP body to Dynatrace and says what became of it, in the classes of `ExportOutcome`. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { authorization, metricsUrl, tokenProblem } from '../core/endpoint.ts';
import type { ExportOutcome } from '../core/outcome.ts';
import type { Clock, Export } from '../core/ports.ts';
import { sleepMs as sleep } from './clock.ts';
import { MAX_EXCERPT, excerpt, isHtml, redact } from './error-envelope.ts';
import type { Http, HttpAnswer, HttpResult } from './http.ts';

/** Enough to outlast a short throttling; the deadline ends most retries sooner. */
export const MAX_ATTEMPTS = 10;

/** The Collector's timeout for one exchange. */
export const ATTEMPT_TIMEOUT_MS = 30_000;

/**
 * A partial success may explain each of a body's points in a line of its own, and its count is lost with a
 * body that is cut. A megabyte holds a line of 300 characters for each point of the largest body.
 */
export const MAX_ANSWER_BYTES = 1_048_576;

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;

/** The level at which a body is a third of level 1's size for twice its few milliseconds. */
const GZIP_LEVEL = 6;

/** What the self-metrics need of one attempt; no `status` when none came. */
export interface ExportAttempt {
  readonly status?: number;
  /** The answer's `Date`. */
  readonly dateMs?: number;
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly durationMs: number;
}

export interface ExportDeps {
  readonly http: Http;
  readonly clock: Clock;
  /** The stored text, base or full URL; undefined: none yet. Answers before `deadlineMs`. */
  readonly endpoint: (deadlineMs: number) => Promise<string | undefined>;
  /** The API token, undefined: none yet. `fresh` asks the store itself, past any cache. Answers before `deadlineMs`. */
  readonly token: (fresh: boolean, deadlineMs: number) => Promise<string | undefined>;
  /** Whether to wait for a token; a local receiver needs none. */
  readonly tokenRequired: boolean;
  /** Of one body; default MAX_ATTEMPTS. */
  readonly maxAttempts?: number;
  readonly sleepMs?: (ms: number) => Promise<unknown>;
  /** In [0, 1). */
  readonly random?: () => number;
  readonly observe?: (attempt: ExportAttempt) => void;
}

/**
 * What an attempt means: an outcome, `again` when nothing was accepted for sure, `denied` for 401 and 403.
 */
type Verdict =
  | ExportOutcome
  | { readonly code: 'again'; readonly message: string; readonly waitMs?: number }
  | { readonly code: 'denied'; readonly status: number; readonly message: string };

type Credential =
  | { readonly code: 'token'; readonly token: string }
  | { readonly code: 'none' }
  | { readonly code: 'waiting' }
  | { readonly code: 'unusable' };

export function createExport(deps: ExportDeps): Export {
  const sleepMs = deps.sleepMs ?? sleep;
  const random = deps.random ?? Math.random;
  const maxAttempts = deps.maxAttempts ?? MAX_ATTEMPTS;
  return async (body, deadlineMs) => {
    const endpoint = (await deps.endpoint(deadlineMs))?.trim() ?? '';
    if (endpoint === '') {
      return {
        code: 'waiting_for_endpoint',
        message: 'cannot export metrics: no endpoint is stored yet; store the OTLP URL of the environment',
      };
    }
    const where = metricsUrl(endpoint);
    if ('problem' in where) return { code: 'refused', status: 0, message: where.problem };
    const url = new URL(where.url);

    let credential = await readCredential(deps, false, deadlineMs);
    let mayReread = true;
    if (credential.code === 'unusable') {
      credential = await readCredential(deps, true, deadlineMs);
      mayReread = false;
    }
    const gzipBody = await gzipped(body, { level: GZIP_LEVEL });

    for (let attempt = 1; ; attempt++) {
      if (credential.code === 'waiting') return WAITING_FOR_TOKEN;
      if (credential.code === 'unusable') return UNUSABLE_TOKEN;
      const token = credential.code === 'token' ? credential.token : undefined;
      const problem = token === undefined ? undefined : tokenProblem(where.url);
      if (problem !== undefined) return { code: 'refused', status: 0, message: problem };
      const result = await post(deps, { url, token, bytes: body.length, gzipBody, deadlineMs });
      const verdict = judge(result, url, token, deps.clock.wallMs());
      if (verdict.code === 'denied') {
        const refused = { ...verdict, code: 'refused' } as const;
        if (!mayReread || token === undefined || attempt === maxAttempts) return refused;
        mayReread = false;
        const reread = await readCredential(deps, true, deadlineMs);
        if (reread.code === 'token' && reread.token === token) return refused;
        credential = reread;
        continue;
      }
      if (verdict.code !== 'again') return verdict;
      const waitMs = verdict.waitMs ?? backoffMs(attempt, random());
      if (attempt === maxAttempts || deps.clock.monotonicMs() + waitMs >= deadlineMs) {
        return { code: 'retry', message: verdict.message };
      }
      await sleepMs(waitMs);
    }
  };
}

const gzipped = promisify(gzip);

interface Post {
  readonly url: URL;
  readonly token: string | undefined;
  /** Before gzip. */
  readonly bytes: number;
  readonly gzipBody: Uint8Array;
  readonly deadlineMs: number;
}

async function post(
  deps: ExportDeps,
  { url, token, bytes, gzipBody, deadlineMs }: Post,
): Promise<HttpResult> {
  const startMs = deps.clock.monotonicMs();
  const result = await deps.http.request({
    method: 'POST',
    url,
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'gzip',
      ...(token === undefined ? {} : { authorization: authorization(token) }),
    },
    body: gzipBody,
    deadlineMs: Math.min(deadlineMs, startMs + ATTEMPT_TIMEOUT_MS),
    maxBytes: MAX_ANSWER_BYTES,
  });
  deps.observe?.({
    ...(result.code === 'answer' ? { status: result.status, ...dateOf(result) } : {}),
    bytes,
    gzipBytes: gzipBody.length,
    durationMs: deps.clock.monotonicMs() - startMs,
  });
  return result;
}

function dateOf({ headers }: HttpAnswer): { readonly dateMs?: number } {
  const dateMs = Date.parse(headers['date'] ?? '');
  return Number.isNaN(dateMs) ? {} : { dateMs };
}

const WAITING_FOR_TOKEN: ExportOutcome = {
  code: 'waiting_for_token',
  message: 'cannot export metrics: no API token is stored yet; store one with the scope metrics.ingest',
};

const UNUSABLE_TOKEN: ExportOutcome = {
  code: 'refused',
  status: 0,
  message:
    'cannot export metrics: the stored API token holds a space or another character that no token has; ' +
    'store the token alone, without a scheme or quotes',
};

/** A parameter written with `echo` ends in a newline, so space around a token is no part of it. */
async function readCredential(deps: ExportDeps, fresh: boolean, deadlineMs: number): Promise<Credential> {
  const token = (await deps.token(fresh, deadlineMs))?.trim() ?? '';
  if (token === '') return { code: deps.tokenRequired ? 'waiting' : 'none' };
  return /^[\x21-\x7e]+$/.test(token) ? { code: 'token', token } : { code: 'unusable' };
}

/** Doubling from half a second to half a minute, each +-50 %: shards that failed together come back apart. */
function backoffMs(attempt: number, random: number): number {
  return Math.round(Math.min(BACKOFF_FIRST_MS * 2 ** (attempt - 1), BACKOFF_MAX_MS) * (0.5 + random));
}

/**
 * Only what surely was not accepted may be sent again within a run: an error before the first byte, 429 and
 * 503. Everything else that is no clear answer may have been accepted (OTLP has no idempotency key) and is
 * `unknown`.
 */
function judge(result: HttpResult, url: URL, token: string | undefined, wallMs: number): Verdict {
  const say = (cause: string, remedy: string) =>
    `cannot export to ${url.origin}${url.pathname}: ${cause}; ${remedy}`;
  if (result.code !== 'answer') {
    if (result.sent) {
      return { code: 'unknown', message: say(result.cause, 'whether the body was accepted is not known') };
    }
    const remedy =
      result.code === 'tls' ? 'check the certificate and its authority' : 'check host, routes and egress';
    return { code: 'again', message: say(result.cause, remedy) };
  }
  const { status } = result;
  const cause = `it answered status ${status}${excerpt(result, token)}`;
  if (status >= 200 && status < 300) return acceptance(result, token, cause);
  if (status === 429 || status === 503) {
    const waitMs = serverWaitMs(result, wallMs);
    const message = say(cause, 'nothing was accepted and the next run sends it again');
    return waitMs === undefined ? { code: 'again', message } : { code: 'again', message, waitMs };
  }
  if (status === 408 || status >= 500) {
    return { code: 'unknown', message: say(cause, 'whether the body was accepted is not known') };
  }
  if (status === 400)
    return { code: 'malformed', message: say(cause, 'the body is split to find the cause') };
  if (status === 413) return { code: 'too_large', message: say(cause, 'the body is halved') };
  const code = status === 401 || status === 403 ? 'denied' : 'refused';
  return { code, status, message: say(cause, refusalRemedy(status)) };
}

function refusalRemedy(status: number): string {
  if (status === 401) return 'check that the API token is valid and belongs to this environment';
  if (status === 403) return 'give the API token the scope metrics.ingest';
  if (status === 402) return 'check that the environment is licensed for metrics';
  if (status === 404) return 'check host, environment id and path of the endpoint';
  if (status === 415) return 'check that the endpoint takes OTLP over HTTP as binary protobuf';
  if (status < 400) return 'store the final URL: a redirect is never followed with a token';
  return 'check the endpoint';
}

/**
 * Accepted whatever the body says; a partial success is read where it can be, and only says what was lost.
 */
function acceptance(answer: HttpAnswer, token: string | undefined, cause: string): ExportOutcome {
  const contentType = answer.headers['content-type'] ?? '';
  if (isHtml(answer)) {
    const remedy = 'if nothing arrives there, store the address of Dynatrace itself as the endpoint';
    return { code: 'accepted', warning: `cannot tell whether Dynatrace has the points: ${cause}; ${remedy}` };
  }
  if (answer.flaw !== undefined || !/^application\/x-protobuf\b/i.test(contentType))
    return { code: 'accepted' };
  try {
    const { partialSuccess } = ProtobufMetricsSerializer.deserializeResponse(answer.body);
    const rejectedPoints = Number(partialSuccess?.rejectedDataPoints ?? 0);
    const message = redact(partialSuccess?.errorMessage ?? '', token);
    if (rejectedPoints > 0) return { code: 'partial', rejectedPoints, message };
    // OTLP: all was accepted, and the message is a warning or a suggestion.
    return message === ''
      ? { code: 'accepted' }
      : { code: 'accepted', warning: message.slice(0, MAX_EXCERPT) };
  } catch {
    return { code: 'accepted' };
  }
}

/**
 * How long to wait, as the server says: `Retry-After` (RFC 9110 10.2.3, seconds or a date), else Dynatrace's
 * `X-RateLimit-Reset` (microseconds since the epoch). Dates are read against the server's own `Date` where
 * there is one. Undefined: nothing said, or a moment already past.
 */
function serverWaitMs(answer: HttpAnswer, wallMs: number): number | undefined {
  const date = Date.parse(answer.headers['date'] ?? '');
  const nowMs = Number.isNaN(date) ? wallMs : date;
  const after = answer.headers['retry-after']?.trim() ?? '';
  const afterMs = /^\d+$/.test(after) ? Number(after) * 1_000 : Date.parse(after) - nowMs;
  if (afterMs > 0) return afterMs;
  const reset = answer.headers['x-ratelimit-reset']?.trim() ?? '';
  const resetMs = /^\d+$/.test(reset) ? Math.ceil(Number(reset) / 1_000) - nowMs : 0;
  return resetMs > 0 ? resetMs : undefined;
}
