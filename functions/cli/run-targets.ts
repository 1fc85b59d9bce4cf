/** What a local run scrapes at each tick: the targets of the command line, or those of the documents as they stand. */
import type { Discovery } from '../core/discovery.ts';
import { formatDuration } from '../core/duration.ts';
import type { StoredDocument } from '../core/config/documents-in-force.ts';
import type { Target } from '../core/model.ts';
import { planTargets } from '../core/planning.ts';
import type { ScrapeConfig } from '../core/scrape-config.ts';
import type { ConfigSource } from './config-source.ts';
import { noteLines, problemLines } from './document-lines.ts';
import { createNews } from './output.ts';

export interface TickTargets {
  readonly targets: readonly Target[];
  /** False: somebody who is missing may only not have been found, and is not drained. */
  readonly complete: boolean;
  /** Until the next tick. */
  readonly intervalMs: number;
  /** Whether nothing was wrong with a document, a discovery or a target. */
  readonly sound: boolean;
}

/** `deadlineMs` is on the monotonic clock. */
export type TargetsAt = (deadlineMs: number) => Promise<TickTargets>;

/** All of them at each tick. */
export function fixedTargets(targets: readonly Target[], intervalMs: number): TargetsAt {
  const due = targets.map((target) => ({ ...target, intervalMs }));
  return () => Promise.resolve({ targets: due, complete: true, intervalMs, sound: true });
}

/** The tick that documents may set themselves: a shorter one is for `--interval`, a longer one would miss edits. */
export const MIN_OWN_INTERVAL_MS = 1_000;
export const MAX_OWN_INTERVAL_MS = 60_000;
/** While there is nothing to scrape, an edit is what everyone waits for. */
const IDLE_INTERVAL_MS = 5_000;
/** Targets named in one line. */
const MAX_NAMED_TARGETS = 8;

/**
 * The documents are read again at each tick. `intervalMs`: between two ticks; undefined: the shortest
 * `scrape_interval`. What is wrong is said once, and again when it has changed.
 */
export function configTargets(
  source: ConfigSource,
  discover: Discovery<ScrapeConfig>,
  intervalMs: number | undefined,
  say: (line: string) => void,
): TargetsAt {
  const sayNews = createNews(say);
  let documents: readonly StoredDocument[] = [];
  return async (deadlineMs) => {
    const read = await source.read(deadlineMs);
    if (read.code === 'read') documents = read.documents;
    const tickMs = intervalMs ?? MIN_OWN_INTERVAL_MS;
    const ports = { histories: source.histories, discover };
    const planned = await planTargets(documents, ports, { tickMs }, deadlineMs);
    const { targets } = planned;
    source.remember(planned.documents.states);
    const wrong = [
      ...(read.code === 'failed' ? [`${read.message} (what was read before stays in force)`] : read.problems),
      ...problemLines(planned.documents, source.titleOf),
      ...planned.problems,
    ];
    const nextMs = intervalMs ?? ownInterval(targets);
    sayNews([
      ...wrong,
      ...(read.code === 'failed' ? [] : read.notes.map((note) => `note: ${note}`)),
      ...noteLines(planned.documents, source.titleOf),
      describeTargets(targets),
      ...(intervalMs === undefined && targets.length > 0 ? [describeInterval(nextMs)] : []),
    ]);
    return {
      targets,
      complete: read.code === 'read' && planned.complete,
      intervalMs: nextMs,
      sound: wrong.length === 0 && targets.length > 0,
    };
  };
}

function ownInterval(targets: readonly Target[]): number {
  if (targets.length === 0) return IDLE_INTERVAL_MS;
  const shortestMs = Math.min(...targets.map((target) => target.intervalMs));
  return Math.min(Math.max(shortestMs, MIN_OWN_INTERVAL_MS), MAX_OWN_INTERVAL_MS);
}

function describeTargets(targets: readonly Target[]): string {
  if (targets.length === 0) return 'there is nothing to scrape';
  const named = targets.slice(0, MAX_NAMED_TARGETS).map(nameOf);
  const rest = targets.length - named.length;
  return `scraping ${named.join(', ')}${rest === 0 ? '' : ` and ${rest} more`}`;
}

/** A pod's address says little. */
function nameOf({ instance, attributes }: Target): string {
  const { 'k8s.namespace.name': namespace, 'k8s.pod.name': pod } = attributes;
  return pod === undefined ? instance : `${instance} (${namespace}/${pod})`;
}

function describeInterval(intervalMs: number): string {
  const bounds = `${formatDuration(MIN_OWN_INTERVAL_MS)} to ${formatDuration(MAX_OWN_INTERVAL_MS)}`;
  return `a tick every ${formatDuration(intervalMs)}: the shortest scrape_interval, ${bounds}; --interval sets another`;
}
