/** A NIM for LLMs 1.x without its GPU: it serves the real page, and knows what it truly counted. */
import { gzipSync } from 'node:zlib';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { respond, startLoopback } from './loopback.ts';
import { createNimProcess } from './nim-process.ts';
import { createRandom } from './random.ts';

export interface SimulatedNimOptions {
  /** Default 0: a free one. */
  readonly port?: number;
  /** Value of the label `model_name`. */
  readonly model: string;
  /** Equal seeds and equal calls give equal pages. */
  readonly seed: number;
  /** Wall time in milliseconds, for start times and the `Date` header; default: the machine's. */
  readonly clock?: () => number;
  /** How long ago it began, and had traffic since; default 0, bounds as for `advance`. */
  readonly ageMs?: number;
  /** Lets time pass by itself: with each page as much as the clock says since the last. */
  readonly live?: boolean;
  /** A fault in place of the ordinary answer to this path; undefined: no fault. */
  readonly answer?: (path: string) => NimFault | undefined;
}

export type NimFault =
  | { readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly hang: true };

export interface SimulatedNim {
  /** `http://127.0.0.1:port`; the page is at `/v1/metrics`. */
  readonly url: string;
  /** Lets time pass: requests come and are served. Whole milliseconds, at most MAX_ADVANCE_MS. */
  readonly advance: (elapsedMs: number) => void;
  /** A new process life: everything at zero or absent, another start time. */
  readonly restart: () => void;
  readonly restarts: () => number;
  /**
   * What was truly counted over all process lives: counters and each histogram's `_count`, `_sum` and
   * `_bucket` (not cumulative), by exposition text `name{labels}`; a series without labels is its bare name.
   */
  readonly truth: () => ReadonlyMap<string, number>;
  /**
   * The same as far as a page showed it: of each life its last served page. What a life counted after that
   * page is in truth() only, and nobody outside can know it.
   */
  readonly served: () => ReadonlyMap<string, number>;
  readonly close: () => Promise<void>;
}

/** A day: some seconds of work. */
export const MAX_ADVANCE_MS = 86_400_000;
/** So that a laptop's sleep is not made up for in one request. */
const MAX_LIVE_ADVANCE_MS = 600_000;

/** Starts one NIM on 127.0.0.1. Rejects when the port cannot be bound. */
export async function startSimulatedNim(options: SimulatedNimOptions): Promise<SimulatedNim> {
  const { clock = Date.now, model, ageMs = 0 } = options;
  const random = createRandom(options.seed);
  let life = createNimProcess(model, clock() - ageMs, random);
  let lifeServed: ReadonlyMap<string, number> = new Map();
  let endedTruth: ReadonlyMap<string, number> = new Map();
  let endedServed: ReadonlyMap<string, number> = new Map();
  let restarts = 0;
  let liveAtMs = clock();

  function page(): string {
    if (options.live === true) {
      const elapsedMs = Math.max(0, Math.round(clock() - liveAtMs));
      life.advance(Math.min(elapsedMs, MAX_LIVE_ADVANCE_MS));
      liveAtMs += elapsedMs;
    }
    lifeServed = life.totals();
    return life.page();
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.sendDate = false;
    response.setHeader('date', new Date(clock()).toUTCString());
    const { pathname } = new URL(request.url ?? '/', 'http://nim');
    const fault = options.answer?.(pathname);
    if (fault !== undefined) {
      if ('status' in fault) respond(response, fault);
    } else if (pathname === '/v1/metrics') {
      respondPage(request, response, page());
    } else if (pathname === '/v1/health/ready') {
      const body = '{"object":"health.response","message":"Service is ready."}';
      respond(response, { status: 200, contentType: 'application/json', body });
    } else {
      respond(response, { status: 404, contentType: 'application/json', body: '{"detail":"Not Found"}' });
    }
  }

  function advance(elapsedMs: number): void {
    if (!Number.isInteger(elapsedMs) || elapsedMs < 0 || elapsedMs > MAX_ADVANCE_MS) {
      const remedy = `pass whole milliseconds from 0 to ${MAX_ADVANCE_MS}`;
      throw new RangeError(`cannot advance the simulated NIM: bad time ${elapsedMs}; ${remedy}`);
    }
    life.advance(elapsedMs);
  }

  advance(ageMs);
  const server = await startLoopback(handle, options.port ?? 0);
  return {
    url: `http://127.0.0.1:${server.port}`,
    advance,
    restart: () => {
      endedTruth = added(endedTruth, life.totals());
      endedServed = added(endedServed, lifeServed);
      lifeServed = new Map();
      life = createNimProcess(model, clock(), random);
      restarts++;
    },
    restarts: () => restarts,
    truth: () => added(endedTruth, life.totals()),
    served: () => added(endedServed, lifeServed),
    close: server.close,
  };
}

function respondPage(request: IncomingMessage, response: ServerResponse, page: string): void {
  const gzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  respond(response, {
    status: 200,
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    body: gzip ? gzipSync(page) : page,
    ...(gzip ? { headers: { 'content-encoding': 'gzip' } } : {}),
  });
}

function added(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): Map<string, number> {
  const sums = new Map(a);
  for (const [key, value] of b) sums.set(key, (sums.get(key) ?? 0) + value);
  return sums;
}
