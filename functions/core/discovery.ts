/**
 * The frame of service discovery: every kind answers a configuration with what it knows now, a file each in adapters.
 * Nothing is thrown; what could not be asked is told beside what is still known.
 */
import type { Clock } from './ports.ts';
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

/** Sources whose last list is remembered: several for each job that a deployment may well have. */
export const MAX_REMEMBERED_LISTS = 200;

interface Remembered extends Pick<Discovered, 'groups' | 'problems'> {
  readonly readAtMs: number;
}

/**
 * A discovery that asks for whole lists: a source that fails keeps its last one, for as long as the process lives.
 * `refreshMs` says how long a list is used without asking. The same source is asked once at a time.
 */
export function rememberLists<Config>(
  ask: (config: Config, deadlineMs: number) => Promise<ListAnswer>,
  refreshMs: (config: Config) => number,
  { wallMs }: Pick<Clock, 'wallMs'>,
): Discovery<Config> {
  const remembered = new Map<string, Remembered>();
  const underWay = new Map<string, Promise<ListAnswer>>();
  const askOnce = (key: string, config: Config, deadlineMs: number): Promise<ListAnswer> => {
    const asking = underWay.get(key) ?? ask(config, deadlineMs).finally(() => underWay.delete(key));
    underWay.set(key, asking);
    return asking;
  };
  return async (config, deadlineMs) => {
    const key = JSON.stringify(config);
    const known = remembered.get(key);
    // Wall time, since a frozen sandbox may stop the other clock; a step backwards counts as old.
    const ageMs = known === undefined ? Infinity : wallMs() - known.readAtMs;
    if (known !== undefined && ageMs >= 0 && ageMs < refreshMs(config)) return { ...known, complete: true };
    const answer = await askOnce(key, config, deadlineMs);
    if (answer.code === 'failed') {
      const remedy =
        known === undefined ? 'its targets are not scraped until it answers' : 'its last list stays in force';
      const problems = [`${answer.message}; ${remedy}`];
      return { groups: known?.groups ?? [], complete: known !== undefined, problems };
    }
    remembered.delete(key);
    const [oldest] = remembered.keys();
    if (remembered.size >= MAX_REMEMBERED_LISTS && oldest !== undefined) remembered.delete(oldest);
    const { groups, problems } = answer;
    remembered.set(key, { groups, problems, readAtMs: wallMs() });
    return { groups, problems, complete: true };
  };
}
