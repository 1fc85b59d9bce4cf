/**
 * The frame of service discovery: every kind answers a configuration with what it knows now, a file each in adapters.
 * Nothing is thrown; what could not be asked is told beside what is still known.
 */
import type { TargetGroup } from './scrape-config.ts';

/** What is known of one source of targets, or of several together. */
export interface Discovered {
  readonly groups: readonly TargetGroup[];
  /** False: of some source no list is known yet, and nobody who is missing here may be taken for vanished. */
  readonly complete: boolean;
  /** Sentences for the log. */
  readonly problems: readonly string[];
}

/** Asks, unless what it knows is younger than the configuration's `refresh_interval`. `deadlineMs` is monotonic. */
export type Discovery<Config> = (config: Config, deadlineMs: number) => Promise<Discovered>;

export function joinDiscovered(parts: readonly Discovered[]): Discovered {
  return {
    groups: parts.flatMap((part) => part.groups),
    complete: parts.every((part) => part.complete),
    problems: parts.flatMap((part) => part.problems),
  };
}

/** The whole list of one source, or why there is none: `cannot ...: <cause>`, without a remedy. */
export type ListAnswer =
  | { readonly code: 'list'; readonly groups: readonly TargetGroup[]; readonly problems: readonly string[] }
  | { readonly code: 'failed'; readonly message: string };
