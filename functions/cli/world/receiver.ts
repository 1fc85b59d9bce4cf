/**
 * A server that behaves as Dynatrace's OTLP metrics ingest: the same path, limits, statuses and messages. It
 * keeps what it accepted, notes what Dynatrace would store wrongly without a word, and fails on request.
 */
import { gunzipSync } from 'node:zlib';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { judge, MESSAGE_HEAD } from './ingest-rules.ts';
import type { Judgement, ReceivedPoint } from './ingest-rules.ts';
import { respond, startLoopback } from './loopback.ts';
import type { CannedResponse } from './loopback.ts';
import { decodeMetricsRequest, encodePartialSuccess } from './otlp-decoder.ts';
import { createSeriesWindows } from './series-windows.ts';

export interface ReceiverOptions {
  /** Default 0: a free one. */
  readonly port?: number;
  /** The only API token let in; without it every request is. */
  readonly token?: string;
  /** What that token may do; default: send metrics. */
  readonly scopes?: readonly string[];
  /** Requests let in per minute; more are answered 429 with the headers of Dynatrace's access limit. */
  readonly requestsPerMinute?: number;
  /** Wall clock against which the times of points are held; default: the system's. */
  readonly nowMs?: () => number;
  /** How many accepted points are kept, or up to a tenth more; default MAX_KEPT_POINTS. */
  readonly maxPoints?: number;
  /** Asked for each request once its body was read, before any check; undefined: an ordinary answer. */
  readonly answer?: (
    request: ReceivedRequest,
  ) => ScriptedAnswer | undefined | Promise<ScriptedAnswer | undefined>;
}

/** A request as a script sees it. */
export interface ReceivedRequest {
  /** Counts from 0, every path included. */
  readonly index: number;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** After gunzip. */
  readonly bytes: number;
  /** Those that the rules accept; empty where the request itself is refused. */
  readonly points: readonly ReceivedPoint[];
}

/** A fault, or an answer out of the ordinary. Without `accept` in its name it accepts nothing. */
export type ScriptedAnswer =
  | CannedResponse
  /** Reads the body and never answers. */
  | { readonly hang: true }
  /** Reads the body and resets the connection. */
  | { readonly reset: true }
  | { readonly acceptAndHang: true }
  | { readonly acceptAndReset: true }
  /** Accepts the points, then answers that. */
  | { readonly acceptAnd: CannedResponse }
  /** Accepts all but the first n points; a partial success with this message says so. */
  | { readonly rejectPoints: number; readonly message: string };

/** What became of a request. */
export interface AnsweredRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Absent when nothing was answered. */
  readonly status?: number;
  /** Points in the body. */
  readonly points: number;
  readonly accepted: number;
  /** After gunzip. */
  readonly bytes: number;
}

export interface Receiver {
  /** Base URL, as an OTLP exporter takes it: `/v1/metrics` follows. */
  readonly endpoint: string;
  /** Accepted points in their order; beyond `maxPoints` the oldest are dropped. */
  readonly points: readonly ReceivedPoint[];
  readonly requests: readonly AnsweredRequest[];
  /** What no answer says: double counting, negative deltas, silent changes. */
  readonly violations: readonly string[];
  /** Points that were the second or a later one of their series within a minute: right, but perhaps billed each. */
  readonly pointsTooMany: () => number;
  /** Calls the listener with the points of each request that had any accepted; returns how to stop that. */
  readonly onPoints: (listener: (points: readonly ReceivedPoint[]) => void) => () => void;
  /** Forgets everything received so far, and with it the windows of all series. */
  readonly clear: () => void;
  readonly close: () => Promise<void>;
}

/** "4 MB" of the documentation in its smaller reading; counted after gunzip. */
export const MAX_BODY_BYTES = 4_000_000;
/** Documented limit of data points in one request. */
export const MAX_REQUEST_POINTS = 15_000;
/** So that a demo may run for weeks; more than any one test looks at. */
export const MAX_KEPT_POINTS = 200_000;
const MAX_KEPT_REQUESTS = 20_000;
const MAX_KEPT_VIOLATIONS = 10_000;

const ACCESS_WINDOW_MS = 60_000;

const BASE_PATH = '/api/v2/otlp';
const METRICS_PATH = `${BASE_PATH}/v1/metrics`;

/** Starts the receiver on 127.0.0.1. Rejects when the port cannot be bound. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const log = createLog(options.maxPoints ?? MAX_KEPT_POINTS);
  const nowMs = options.nowMs ?? Date.now;
  const limit = createAccessLimit(options.requestsPerMinute ?? Infinity);
  let received = 0;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const index = received++;
    const body = await readBody(request);
    const verdict = limit(nowMs(), body.bytes.length) ?? examine(request, body, options, nowMs());
    const { pathname: path } = new URL(request.url ?? '/', 'http://receiver');
    const about = { path, headers: request.headers, bytes: verdict.bytes };
    const points = acceptedOf(verdict.judgements).map(({ point }) => point);
    const script = await options.answer?.({ index, ...about, points });
    const play = script === undefined ? ordinary(verdict) : scripted(script, verdict);
    const status = typeof play.answer === 'object' ? { status: play.answer.status } : {};
    const { accepted } = play;
    // Before the answer: who has read it finds the points here.
    log.add({ ...about, ...status, points: verdict.judgements.length, accepted: accepted.length }, accepted);
    if (typeof play.answer === 'object') respond(response, play.answer);
    else if (play.answer === 'reset') request.socket.resetAndDestroy();
  }

  const server = await startLoopback(handle, options.port ?? 0);
  return {
    endpoint: `http://127.0.0.1:${server.port}${BASE_PATH}`,
    points: log.points,
    requests: log.requests,
    violations: log.violations,
    pointsTooMany: log.pointsTooMany,
    onPoints: log.onPoints,
    clear: log.clear,
    close: server.close,
  };
}

type Accepted = Extract<Judgement, { code: 'accepted' }>;

interface Verdict {
  readonly bytes: number;
  /** Why the request as a whole is refused; then there are no judgements. */
  readonly refusal?: CannedResponse;
  /** One per point, in their order. */
  readonly judgements: readonly Judgement[];
}

interface Play {
  readonly accepted: readonly Accepted[];
  readonly answer: CannedResponse | 'hang' | 'reset';
}

/**
 * Dynatrace's access limit ("Dynatrace API - Access limit"): 429, with the limit, what is left of it, and in
 * microseconds since the epoch when it is whole again. Undefined: the request is let in.
 */
function createAccessLimit(requestsPerMinute: number): (nowMs: number, bytes: number) => Verdict | undefined {
  let resetMs = 0;
  let remaining = 0;
  return (nowMs, bytes) => {
    if (nowMs >= resetMs) {
      resetMs = nowMs + ACCESS_WINDOW_MS;
      remaining = requestsPerMinute;
    }
    if (remaining-- > 0) return undefined;
    const headers = {
      'x-ratelimit-limit': String(requestsPerMinute),
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(resetMs * 1_000),
    };
    return { bytes, refusal: { ...errorEnvelope(429, 'Too many requests'), headers }, judgements: [] };
  };
}

function examine(
  request: IncomingMessage,
  body: Body,
  { token, scopes = [SCOPE] }: ReceiverOptions,
  nowMs: number,
): Verdict {
  const bytes = body.bytes.length;
  const refuse = (status: number, message: string): Verdict => ({
    bytes,
    refusal: errorEnvelope(status, message),
    judgements: [],
  });
  const { pathname } = new URL(request.url ?? '/', 'http://receiver');
  const { authorization, 'content-type': contentType } = request.headers;
  if (pathname !== METRICS_PATH) return refuse(404, 'Not found');
  if (request.method !== 'POST') return refuse(405, 'Method not allowed');
  if (token !== undefined && authorization !== `${schemeOf(token)} ${token}`)
    return refuse(401, 'Token Authentication failed');
  if (token !== undefined && !scopes.includes(SCOPE))
    return refuse(403, `Token is missing required scope. Use one of: ${SCOPE} (Ingest metrics)`);
  if (contentType !== 'application/x-protobuf') return refuse(415, 'Unsupported Media Type');
  if (body.code === 'encoded') return refuse(415, 'Unsupported Content-Encoding');
  if (body.code === 'too_large') return refuse(413, 'OTLP_MESSAGE_MAX_SIZE_EXCEEDED');
  if (body.code === 'damaged') return refuse(400, 'The body could not be unpacked');
  try {
    const points = decodeMetricsRequest(body.bytes);
    if (points.length > MAX_REQUEST_POINTS) return refuse(413, 'Too many data points in one request');
    return { bytes, judgements: points.map((point) => judge(point, nowMs)) };
  } catch {
    return refuse(400, 'The body is no ExportMetricsServiceRequest');
  }
}

/** Dynatrace, "OTLP API", authentication. */
const SCOPE = 'metrics.ingest';

/** Platform tokens are presented as Bearer, classic ones as Api-Token (Dynatrace, "OTLP API", authentication). */
function schemeOf(token: string): string {
  return token.startsWith('dt0s') ? 'Bearer' : 'Api-Token';
}

function ordinary({ refusal, judgements }: Verdict): Play {
  const accepted = acceptedOf(judgements);
  if (refusal !== undefined) return { accepted, answer: refusal };
  const lines = judgements.flatMap((judgement) => (judgement.code === 'rejected' ? [judgement.line] : []));
  const message = MESSAGE_HEAD + lines.join('\n');
  if (lines.length === 0) return { accepted, answer: { status: 200 } };
  if (accepted.length === 0) return { accepted, answer: errorEnvelope(400, message) };
  return { accepted, answer: partialSuccess(lines.length, message) };
}

function scripted(script: ScriptedAnswer, { judgements }: Verdict): Play {
  const accepted = acceptedOf(judgements);
  if ('status' in script) return { accepted: [], answer: script };
  if ('hang' in script) return { accepted: [], answer: 'hang' };
  if ('reset' in script) return { accepted: [], answer: 'reset' };
  if ('acceptAndHang' in script) return { accepted, answer: 'hang' };
  if ('acceptAndReset' in script) return { accepted, answer: 'reset' };
  if ('acceptAnd' in script) return { accepted, answer: script.acceptAnd };
  const kept = acceptedOf(judgements.slice(script.rejectPoints));
  return { accepted: kept, answer: partialSuccess(judgements.length - kept.length, script.message) };
}

function acceptedOf(judgements: readonly Judgement[]): Accepted[] {
  return judgements.filter((judgement) => judgement.code === 'accepted');
}

function partialSuccess(rejectedPoints: number, message: string): CannedResponse {
  const body = encodePartialSuccess(rejectedPoints, message);
  return { status: 200, contentType: 'application/x-protobuf', body };
}

function errorEnvelope(status: number, message: string): CannedResponse {
  const body = JSON.stringify({ error: { code: status, message } });
  return { status, contentType: 'application/json', body };
}

interface Body {
  readonly code: 'whole' | 'too_large' | 'damaged' | 'encoded';
  readonly bytes: Uint8Array;
}

/** Reads to the end, whatever the size, as an answer before the end would reach the client as a reset. */
async function readBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let wireBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    wireBytes += chunk.length;
    if (wireBytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  const wire = Buffer.concat(chunks);
  if (wireBytes > MAX_BODY_BYTES) return { code: 'too_large', bytes: wire };
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return { code: 'whole', bytes: wire };
  if (encoding !== 'gzip') return { code: 'encoded', bytes: wire };
  try {
    return { code: 'whole', bytes: gunzipSync(wire, { maxOutputLength: MAX_BODY_BYTES }) };
  } catch (cause) {
    const tooLarge = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    return { code: tooLarge ? 'too_large' : 'damaged', bytes: wire };
  }
}

function createLog(maxPoints: number) {
  const points: ReceivedPoint[] = [];
  const requests: AnsweredRequest[] = [];
  const violations: string[] = [];
  const windows = createSeriesWindows();
  let pointsTooMany = 0;
  const listeners = new Set<(points: readonly ReceivedPoint[]) => void>();
  return {
    points,
    requests,
    violations,
    pointsTooMany: () => pointsTooMany,
    add: (request: AnsweredRequest, accepted: readonly Accepted[]) => {
      keep(requests, [request], MAX_KEPT_REQUESTS);
      if (accepted.length === 0) return;
      for (const { violations: own, seriesKey, point } of accepted) {
        const found = windows.add(seriesKey, point);
        keep(violations, [...own, ...found.violations], MAX_KEPT_VIOLATIONS);
        if (found.secondInMinute) pointsTooMany++;
      }
      const added = accepted.map(({ point }) => point);
      keep(points, added, maxPoints);
      for (const listener of listeners) listener(added);
    },
    onPoints: (listener: (points: readonly ReceivedPoint[]) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    clear: () => {
      for (const list of [points, requests, violations]) list.length = 0;
      windows.clear();
      pointsTooMany = 0;
    },
  };
}

function keep<T>(list: T[], added: readonly T[], max: number): void {
  list.push(...added);
  // A tenth at a time, so that a full list does not move with each request.
  if (list.length > max * 1.1) list.splice(0, list.length - max);
}
