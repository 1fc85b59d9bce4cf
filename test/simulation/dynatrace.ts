/** Dynatrace as the pipeline's export port sees it: it stores, refuses, is silent, or loses its own answer. */
import { type DecodedPoint, decodeMetricsRequest } from '../../functions/cli/world/otlp-decoder.ts';
import type { ExportOutcome } from '../../functions/core/outcome.ts';
import type { Export } from '../../functions/core/ports.ts';
import type { VirtualTime } from '../fakes/virtual-time.ts';
import type { AnswerFault, Outage } from './commands.ts';
import { keyOf, ownerOf } from './names.ts';
import type { Posted } from './runs.ts';

export interface DynatraceScript {
  /** What is wrong with the nth post of this run. */
  readonly answer: (nth: number) => AnswerFault | undefined;
  readonly outage: () => Outage | undefined;
  /** Whether a series makes every body malformed that carries it. */
  readonly isPoison: (owner: string, key: string) => boolean;
  /** Larger bodies are refused with 413. */
  readonly maxPoints: () => number;
  readonly onFault: (kind: string) => void;
}

/** Slow, but within a run's time as a rule. */
const SLOW_MS = 20_000;
const message = 'as simulated';

/** One run's export port; `onPosted` sees each body before its answer is on the way. */
export function createDynatrace(
  script: DynatraceScript,
  time: VirtualTime,
  onPosted: (body: Posted) => void,
): Export {
  let posts = 0;
  return async (bytes, deadlineMs) => {
    const nowMs = time.clock.monotonicMs();
    if (nowMs >= deadlineMs) return { code: 'retry', message: 'no time is left' };
    const points = decodeMetricsRequest(bytes);
    const fault = faultOf(points, posts++, script);
    if (fault !== undefined) script.onFault(fault === 'too_large' ? 'limit' : fault);
    const isStored = fault === undefined || fault === 'lost' || fault === 'late' || fault === 'partial';
    const rejected = fault === 'partial' ? points.filter((_, i) => i % 2 === 1) : [];
    const stored = isStored ? points.filter((point) => !rejected.includes(point)) : [];
    const body: Posted = { points, stored, rejected, fault, outcome: undefined, settled: new Set() };
    onPosted(body);
    if (fault === 'hangs') await time.sleepUntil(deadlineMs);
    if (fault === 'late') await time.sleepUntil(Math.min(nowMs + SLOW_MS, deadlineMs));
    const late = fault === 'late' && nowMs + SLOW_MS > deadlineMs;
    const outcome: ExportOutcome = late ? { code: 'unknown', message } : outcomeOf(fault, rejected.length);
    body.outcome = outcome.code;
    return outcome;
  };
}

function faultOf(
  points: readonly DecodedPoint[],
  nth: number,
  script: DynatraceScript,
): AnswerFault | 'too_large' | 'poison' | undefined {
  if (points.length > script.maxPoints()) return 'too_large';
  if (points.some((point) => script.isPoison(ownerOf(point), keyOf(point)))) return 'poison';
  return script.answer(nth) ?? script.outage();
}

function outcomeOf(fault: ReturnType<typeof faultOf>, rejectedPoints: number): ExportOutcome {
  switch (fault) {
    case undefined:
    case 'late':
      return { code: 'accepted' };
    case 'partial':
      return { code: 'partial', rejectedPoints, message };
    case 'lost':
    case 'unknown':
    case 'hangs':
      return { code: 'unknown', message };
    case 'poison':
    case 'malformed':
      return { code: 'malformed', message };
    case 'refused':
      return { code: 'refused', status: 401, message };
    default:
      return { code: fault, message };
  }
}
