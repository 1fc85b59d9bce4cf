import { createRegistry, labelText } from './nim-page.ts';
import type { Registry } from './nim-page.ts';
import type { Random } from './random.ts';

/** One life of a NIM process: requests arrive, wait, get their tokens and end, and are counted on the way. */
export interface NimProcess {
  /** Lets that much time pass; whole milliseconds. */
  readonly advance: (elapsedMs: number) => void;
  readonly page: Registry['page'];
  readonly totals: Registry['totals'];
}

interface Request {
  readonly arrivedMs: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  readonly finishedReason: 'stop' | 'length' | 'cancelled';
  generatedTokens: number;
  /** When the next token is due. */
  nextTokenMs: number;
}

/** Resolution of arrivals and admissions; tokens fall anywhere between. */
const STEP_MS = 100;
/** Requests that run at the same time. */
const MAX_RUNNING = 16;
/** Requests that wait; what comes beyond fails at once, and bounds the memory. */
const MAX_WAITING = 200;
/** Context length: prompt and output together. */
const MAX_TOKENS = 4_096;
const KV_CACHE_TOKENS = 32_768;

/** Starts a process that has counted nothing yet; labelled series appear with the first request. */
export function createNimProcess(model: string, startMs: number, random: Random): NimProcess {
  const registry = createRegistry();
  const modelLabel = labelText('model_name', model);
  const waiting: Request[] = [];
  let running: Request[] = [];
  let nowMs = 0;
  let untilMs = 0;
  let served = false;

  function arrive(): void {
    // A slow wave of load, and now and then a burst.
    const perSecond = 0.8 + 0.6 * Math.sin(nowMs / 180_000);
    const burst = random.uniform() < 0.001 ? 25 : 0;
    const arrivals = random.poisson((perSecond * STEP_MS) / 1000 + burst);
    for (let i = 0; i < arrivals; i++) {
      served = true;
      if (waiting.length < MAX_WAITING) waiting.push(createRequest(nowMs, random));
      else end('cancelled');
    }
  }

  function admit(): void {
    while (running.length < MAX_RUNNING) {
      const request = waiting.shift();
      if (request === undefined) return;
      request.nextTokenMs = nowMs + random.lognormal(12 + request.promptTokens * 0.06, 0.3);
      running.push(request);
    }
  }

  function generate(request: Request): boolean {
    while (request.nextTokenMs <= nowMs) {
      if (request.generatedTokens === 0) {
        registry.add('prompt_tokens_total', modelLabel, request.promptTokens);
        const waitedMs = request.nextTokenMs - request.arrivedMs;
        registry.observe('time_to_first_token_seconds', modelLabel, waitedMs / 1000);
      }
      registry.add('generation_tokens_total', modelLabel, 1);
      request.generatedTokens++;
      if (request.generatedTokens >= request.outputTokens) return false;
      const gapMs = random.lognormal(10 + running.length, 0.25);
      registry.observe('time_per_output_token_seconds', modelLabel, gapMs / 1000);
      request.nextTokenMs += gapMs;
    }
    return true;
  }

  function finish(request: Request): void {
    const tookMs = request.nextTokenMs - request.arrivedMs;
    registry.observe('e2e_request_latency_seconds', modelLabel, tookMs / 1000);
    registry.observe('request_prompt_tokens', modelLabel, request.promptTokens);
    registry.observe('request_generation_tokens', modelLabel, request.generatedTokens);
    end(request.finishedReason);
  }

  function end(finishedReason: Request['finishedReason']): void {
    const failures = finishedReason === 'cancelled' ? 1 : 0;
    const reasonLabel = labelText('finished_reason', finishedReason);
    registry.add('request_finish_total', `${reasonLabel},${modelLabel}`, 1);
    registry.add('request_success_total', modelLabel, 1 - failures);
    registry.add('request_failure_total', modelLabel, failures);
  }

  function step(): void {
    nowMs += STEP_MS;
    arrive();
    admit();
    running = running.filter((request) => {
      const goesOn = generate(request);
      if (!goesOn) finish(request);
      return goesOn;
    });
    countProcess(registry, running.length, random);
    if (!served) return;
    const cached = running.reduce((sum, it) => sum + it.promptTokens + it.generatedTokens, 0);
    registry.set('num_requests_running', modelLabel, running.length);
    registry.set('num_requests_waiting', modelLabel, waiting.length);
    registry.set('num_request_max', modelLabel, MAX_RUNNING);
    registry.set('gpu_cache_usage_perc', modelLabel, Math.min(1, cached / KV_CACHE_TOKENS));
  }

  beginProcess(registry, startMs);
  return {
    advance: (elapsedMs) => {
      untilMs += elapsedMs;
      while (nowMs + STEP_MS <= untilMs) step();
    },
    page: registry.page,
    totals: registry.totals,
  };
}

function createRequest(arrivedMs: number, random: Random): Request {
  const promptTokens = Math.min(MAX_TOKENS / 2, Math.ceil(random.lognormal(180, 1)));
  const wanted = Math.ceil(random.lognormal(60, 0.8));
  const maxTokens = random.uniform() < 0.5 ? 64 : 512;
  const cancelled = random.uniform() < 0.02;
  const outputTokens = Math.min(wanted, maxTokens);
  const ended = wanted > maxTokens ? 'length' : 'stop';
  return {
    arrivedMs,
    promptTokens,
    outputTokens: cancelled ? Math.ceil(outputTokens * random.uniform()) || 1 : outputTokens,
    finishedReason: cancelled ? 'cancelled' : ended,
    generatedTokens: 0,
    nextTokenMs: Infinity,
  };
}

const GENERATIONS = ['0', '1', '2'].map((generation) => labelText('generation', generation));

function beginProcess(registry: Registry, startMs: number): void {
  for (const generation of GENERATIONS) {
    registry.set('python_gc_objects_collected_total', generation, 0);
    registry.set('python_gc_objects_uncollectable_total', generation, 0);
    registry.set('python_gc_collections_total', generation, 0);
  }
  const version = 'implementation="CPython",major="3",minor="10",patchlevel="12",version="3.10.12"';
  registry.set('python_info', version, 1);
  registry.set('process_virtual_memory_bytes', '', 115_891_634_176);
  registry.set('process_resident_memory_bytes', '', 10_463_768_576);
  // The kernel counts a start in ticks of 10 ms.
  registry.set('process_start_time_seconds', '', Math.floor(startMs / 10) / 100);
  registry.set('process_cpu_seconds_total', '', 0);
  registry.set('process_open_fds', '', 150);
  registry.set('process_max_fds', '', 1_048_576);
}

function countProcess(registry: Registry, running: number, random: Random): void {
  registry.add('process_cpu_seconds_total', '', 0.01 * random.poisson(0.3 + running / 4));
  registry.set('process_open_fds', '', 150 + running);
  registry.set('process_resident_memory_bytes', '', 10_463_768_576 + running * 1_048_576);
  GENERATIONS.forEach((generation, i) => {
    const collections = random.poisson(0.5 / 10 ** i);
    registry.add('python_gc_collections_total', generation, collections);
    registry.add('python_gc_objects_collected_total', generation, random.poisson(collections * 4));
  });
}
