/**
 * HTTP/1.1 as the adapters need it: one request, one true deadline, one bound, and an answer that is a value.
 */
import type { LookupFunction } from 'node:net';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Agent, buildConnector } from 'undici';
import type { Dispatcher } from 'undici';
import type { Clock } from '../core/ports.ts';
import { type Addresses, LOOPBACK_ERROR, createAddresses } from './addresses.ts';
import { PROXY_ERROR, type Way, throughProxy } from './proxy.ts';
import { type TlsOptions, fingerprintOf, systemAuthorities, tlsConnectOptions } from './tls.ts';

/** The `User-Agent` of every request. */
export const USER_AGENT = 'nim-to-dynatrace';

/** TCP and TLS together. Half the default scrape timeout: a host that is gone leaves time to say so. */
export const CONNECT_TIMEOUT_MS = 5_000;

/** Just below the 5 s after which uvicorn, the server of vLLM and NIM, closes an idle connection. */
const KEEP_ALIVE_MS = 4_000;

/** A shard's targets, several times over: one handshake is shorter for each session that is remembered. */
const MAX_TLS_SESSIONS = 1_000;

/**
 * Agents for requests with TLS options, one for each distinct set of them: what the jobs of a deployment need, several
 * times over. One more closes the one used longest ago, once its requests have ended.
 */
export const MAX_TLS_AGENTS = 64;

/** The longest delay a Node timer takes; a longer one would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** Text of a TLS error as far as it is printed: OpenSSL may name every alternative name of a certificate. */
const MAX_TLS_TEXT = 200;

/** A request. Neither the URL's user information nor its fragment is sent. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly url: URL;
  /** Several values are several headers. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array;
  /** Of `https:`; absent: the system's authorities, and no client certificate. */
  readonly tls?: TlsOptions;
  /** Monotonic milliseconds; covers connecting, headers, body and the wait for a free connection. */
  readonly deadlineMs: number;
  /** A body of this many bytes after gunzip is cut there; at least 1. */
  readonly maxBytes: number;
}

/**
 * Why the body is not whole: the limit was reached, the time was over, or it ended early or does not unpack.
 */
export interface BodyFlaw {
  readonly code: 'limit' | 'timeout' | 'broken';
  readonly cause: string;
}

/** A status line came, whatever became of the body after it. */
export interface HttpAnswer {
  readonly code: 'answer';
  readonly status: number;
  /** Names in lower case; repeated headers joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** After gunzip; empty when it does not unpack, and never longer than `maxBytes`. */
  readonly body: Uint8Array;
  readonly flaw?: BodyFlaw;
}

/** No status line came. */
export interface HttpFailure {
  /** `reset`: closed after the request was handed to the connection; `protocol`: what came is not HTTP. */
  readonly code: 'connect' | 'tls' | 'timeout' | 'reset' | 'protocol';
  /**
   * False only when surely no byte of this request was written: it may be repeated without doubling anything.
   */
  readonly sent: boolean;
  /** A clause without secrets. */
  readonly cause: string;
  /** Nothing came back from an address that only a private network has. */
  readonly isUnreachedPrivate?: true;
}

export type HttpResult = HttpAnswer | HttpFailure;

export interface Http {
  /** Never throws for what the network did. A GET is tried again once when its connection was reset. */
  readonly request: (request: HttpRequest) => Promise<HttpResult>;
  /** Ends every connection. */
  readonly close: () => Promise<void>;
}

interface HttpDeps {
  readonly clock: Clock;
  /** PEM, trusted beside the authorities that Node trusts. */
  readonly ca?: string | undefined;
  /** `http://host:port` through which every connection is tunnelled; the names of hosts are looked up there. */
  readonly proxy?: URL | undefined;
  readonly connectTimeoutMs?: number;
  /** Default: the system's. */
  readonly lookup?: LookupFunction;
  /**
   * In Lambda, where documents name the hosts: on loopback is the runtime, which hands out events and takes answers.
   * Default: false, for servers beside a laptop's command.
   */
  readonly refuseLoopback?: boolean;
}

/**
 * Meant to live as long as the process. Certificates are verified unless a request's TLS options say otherwise, and
 * no connection leads to a link-local address.
 *
 * A sandbox that was frozen wakes with connections whose other end is long gone. A GET is harmless to repeat.
 * A POST or PATCH that is reset cannot be told from one that was accepted, so none ever meets an old connection:
 * each has a connection of its own, and what that costs is one handshake, with TLS sessions resumed.
 */
export function createHttp(deps: HttpDeps): Http {
  const addresses = createAddresses(deps);
  const agents = createAgents(deps, addresses);
  const once = async (request: HttpRequest) => {
    const agent = agents.of(request);
    if (typeof agent === 'string')
      return { code: 'tls', sent: false, cause: `TLS failed: ${agent}` } as const;
    const result = await exchange(agent, request, request.deadlineMs - deps.clock.monotonicMs());
    if (result.code === 'answer' || result.sent || !UNREACHED.has(result.cause)) return result;
    const host = request.url.hostname.replace(/^\[|\]$/g, '');
    return addresses.isPrivate(host) ? { ...result, isUnreachedPrivate: true as const } : result;
  };
  return {
    request: async (request) => {
      const first = await once(request);
      const result = request.method === 'GET' && first.code === 'reset' ? await once(request) : first;
      return result.code === 'answer' ? unpack(result, request.maxBytes) : result;
    },
    close: agents.close,
  };
}

/** One agent for all requests without TLS options of their own, and one for each set of options. */
function createAgents(deps: HttpDeps, addresses: Addresses) {
  const timeoutMs = deps.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const open = (tls: Partial<Exclude<ReturnType<typeof tlsConnectOptions>, string>> & { ca?: string[] }) =>
    new Agent({
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // The deadline rules; the package's own timeouts see idle time only, and coarsely.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: connector(
        {
          allowH2: false,
          timeout: timeoutMs,
          maxCachedSessions: MAX_TLS_SESSIONS,
          rejectUnauthorized: true,
          lookup: addresses.lookup,
          ...tls,
        },
        deps.proxy && { proxy: deps.proxy, userAgent: USER_AGENT, timeoutMs, lookup: addresses.lookup },
        addresses,
      ),
    });
  const plain = open(systemAuthorities(deps.ca));
  const byOptions = new Map<string, Agent>();
  return {
    /** Or what is wrong with the options. */
    of: ({ url, tls }: HttpRequest): Agent | string => {
      if (tls === undefined || url.protocol !== 'https:') return plain;
      const key = fingerprintOf(tls);
      let agent = byOptions.get(key);
      if (agent === undefined) {
        const options = tlsConnectOptions(tls, deps.ca);
        if (typeof options === 'string') return options;
        agent = open(options);
        const [oldest] = byOptions;
        if (byOptions.size >= MAX_TLS_AGENTS && oldest !== undefined) {
          byOptions.delete(oldest[0]);
          void oldest[1].close();
        }
      }
      byOptions.delete(key);
      byOptions.set(key, agent);
      return agent;
    },
    close: async () => {
      await Promise.all([plain, ...byOptions.values()].map((agent) => agent.destroy()));
    },
  };
}

/**
 * A body without a length ends with its connection, and the package takes ECONNRESET for such an end: half a page
 * would be a whole one. Under the name of another lost connection it is the failure that it is (RFC 9112 section 8).
 */
function connector(
  options: buildConnector.BuildOptions,
  way: Way | undefined,
  { refusalOf }: Addresses,
): buildConnector.connector {
  const direct = buildConnector(options);
  const connect = way === undefined ? direct : throughProxy(way, direct);
  return (target, callback) => {
    // An address is not looked up.
    const refusal = refusalOf(target.hostname);
    if (refusal !== undefined) return callback(refusal, null);
    connect(target, (...result) => {
      // What the look-up let pass is what was connected to; should that ever be otherwise, no request is written.
      const refused = refusalOf(result[1]?.remoteAddress ?? '');
      if (refused !== undefined) {
        result[1]?.destroy();
        return callback(refused, null);
      }
      // Before the package listens, so that it is called first.
      result[1]?.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNRESET') error.code = 'ECONNABORTED';
      });
      callback(...result);
    });
  };
}

/**
 * One request on one connection. `onRequestStart` comes on a connection that is ready, just before the first
 * byte is written, and aborting there writes nothing: what never got so far was surely not sent.
 */
function exchange(agent: Agent, request: HttpRequest, timeoutMs: number): Promise<HttpResult> {
  if (timeoutMs <= 0)
    return Promise.resolve({ code: 'timeout', sent: false, cause: 'no time left to connect' });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let controller: Dispatcher.DispatchController | undefined;
    let head: Pick<HttpAnswer, 'status' | 'headers'> | undefined;
    let room = request.maxBytes;
    let settled = false;
    const settle = (failure: () => HttpFailure, flaw?: BodyFlaw) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      if (head === undefined) return resolve(failure());
      const answer = { code: 'answer', ...head, body: Buffer.concat(chunks) } as const;
      resolve(flaw === undefined ? answer : { ...answer, flaw });
    };
    const stop = (failure: () => HttpFailure, flaw: BodyFlaw) => {
      settle(failure, flaw);
      controller?.abort(new Error(flaw.cause));
    };
    const timer = setTimeout(() => stop(late, LATE_BODY), Math.min(timeoutMs, MAX_TIMER_MS));
    const late = (): HttpFailure => ({
      code: 'timeout',
      sent: controller !== undefined,
      cause: controller === undefined ? NO_CONNECTION : 'no answer in time',
    });
    agent.dispatch(options(request), {
      onRequestStart: (started) => {
        if (settled) return started.abort(new Error('too late'));
        controller = started;
      },
      onResponseStart: (_, status, headers) => {
        if (status < 200) return;
        head = { status, headers: joined(headers) };
        room = isPacked(head.headers) ? packedLimit(request.maxBytes) : request.maxBytes;
      },
      onResponseData: (_, chunk) => {
        const part = chunk.subarray(0, room);
        chunks.push(part);
        room -= part.length;
        if (room <= 0) stop(late, limitFlaw(request.maxBytes));
      },
      onResponseEnd: () => settle(late),
      onResponseError: (_, error) =>
        settle(() => failureOf(error, controller !== undefined), {
          code: 'broken',
          cause: 'the body ended early',
        }),
    });
  });
}

const LATE_BODY: BodyFlaw = { code: 'timeout', cause: 'the body was not complete in time' };

function options(request: HttpRequest): Dispatcher.DispatchOptions {
  return {
    origin: request.url.origin,
    path: request.url.pathname + request.url.search,
    method: request.method,
    headers: { 'user-agent': USER_AGENT, ...(request.headers as Record<string, string | string[]>) },
    body: request.body ?? null,
    // `Connection: close`: see createHttp.
    reset: request.method !== 'GET',
  };
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return plain;
}

const gunzipped = promisify(gunzip);

/** Unpacking stops where the output reaches the limit, so a bomb costs no more memory than an honest page. */
async function unpack(answer: HttpAnswer, maxBytes: number): Promise<HttpAnswer> {
  const encoding = answer.headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (encoding === '' || encoding === 'identity') return answer;
  if (answer.flaw !== undefined) return unreadable(answer, answer.flaw);
  if (!isPacked(answer.headers)) {
    return unreadable(answer, {
      code: 'broken',
      cause: 'the body has a content encoding that was not asked for',
    });
  }
  try {
    const body = await gunzipped(answer.body, { maxOutputLength: maxBytes });
    return body.length < maxBytes ? { ...answer, body } : unreadable(answer, limitFlaw(maxBytes));
  } catch (error) {
    if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') return unreadable(answer, limitFlaw(maxBytes));
    const cause =
      codeOf(error) === 'Z_BUF_ERROR' ? 'the gzip body ended early' : 'the body is not valid gzip';
    return unreadable(answer, { code: 'broken', cause });
  }
}

function unreadable(answer: HttpAnswer, flaw: BodyFlaw): HttpAnswer {
  return { ...answer, body: new Uint8Array(), flaw };
}

function isPacked(headers: Readonly<Record<string, string>>): boolean {
  return /^\s*(?:x-)?gzip\s*$/i.test(headers['content-encoding'] ?? '');
}

/**
 * What does not compress grows a little: 5 bytes per stored block, and a header (RFC 1951 3.2.4, RFC 1952
 * 2.3).
 */
function packedLimit(maxBytes: number): number {
  return maxBytes + Math.ceil(maxBytes / 1_000) + 1_024;
}

function limitFlaw(maxBytes: number): BodyFlaw {
  return { code: 'limit', cause: `the body reached ${maxBytes} bytes` };
}

/** Causes by code. An error's own text is not printed: it may quote what was sent. */
const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'the host name does not resolve',
  EAI_AGAIN: 'name resolution failed',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ETIMEDOUT: 'the connection timed out',
  ECONNRESET: 'the connection was closed before an answer',
  ECONNABORTED: 'the connection was closed before an answer',
  EPIPE: 'the connection was closed before an answer',
  UND_ERR_SOCKET: 'the connection was closed before an answer',
  UND_ERR_CONNECT_TIMEOUT: 'the host did not take the connection in time',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of the answer are too long',
  ERR_IP_BLOCKED: 'the address is link-local, which is never scraped',
  [LOOPBACK_ERROR]: "the address is loopback, which in Lambda is the function's own",
  UND_ERR_INVALID_ARG: 'a header cannot be written',
};

const NO_CONNECTION = 'no connection in time';

/** What it looks like from where the address's network cannot be reached. */
const UNREACHED: ReadonlySet<string> = new Set([
  NO_CONNECTION,
  ...['EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'].map(
    (code) => CAUSES[code] ?? '',
  ),
]);

const TLS_CODE =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_|EPROTO)/;

/** What an error of the network means. `sent`: whether a byte of the request may have been written. */
export function failureOf(error: Error, sent: boolean): HttpFailure {
  const code = codeOf(error);
  if (TLS_CODE.test(code)) {
    // OpenSSL's own errors carry a reason apart from a message full of source lines.
    const reason: unknown = code.startsWith('ERR_SSL_') && 'reason' in error ? error.reason : undefined;
    // Cut first: the server chooses the names of its certificate, and the expression is quadratic.
    const text = (typeof reason === 'string' ? reason : error.message).slice(0, MAX_TLS_TEXT);
    return { code: 'tls', sent, cause: `TLS failed: ${text.replace(/[:\s]+$/, '')}` };
  }
  const garbled = error.name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW';
  if (code === PROXY_ERROR) return { code: 'connect', sent, cause: error.message };
  const cause = CAUSES[code] ?? (garbled ? 'the answer is not HTTP' : `the connection failed (${code})`);
  if (garbled) return { code: 'protocol', sent, cause };
  return { code: sent ? 'reset' : 'connect', sent, cause };
}

function codeOf(error: unknown): string {
  const code: unknown =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'no code';
}
