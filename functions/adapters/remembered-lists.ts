/** What discoveries that ask for whole lists share: how long a list is used, and that a source that fails keeps its last. */
import type { Discovered, Discovery, ListAnswer } from '../core/discovery.ts';
import type { Clock } from '../core/ports.ts';

/** Sources whose last list is remembered: several for each job that a deployment may well have. */
export const MAX_REMEMBERED_LISTS = 200;

interface Remembered {
  readonly found: Discovered;
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
    if (known !== undefined && ageMs >= 0 && ageMs < refreshMs(config)) return known.found;
    const answer = await askOnce(key, config, deadlineMs);
    if (answer.code === 'failed') {
      const remedy =
        known === undefined ? 'its targets are not scraped until it answers' : 'its last list stays in force';
      const problems = [`${answer.message}; ${remedy}`];
      return { groups: known?.found.groups ?? [], complete: known !== undefined, problems };
    }
    const { groups, problems } = answer;
    const found = { groups, problems, complete: true };
    remembered.delete(key);
    const [oldest] = remembered.keys();
    if (remembered.size >= MAX_REMEMBERED_LISTS && oldest !== undefined) remembered.delete(oldest);
    remembered.set(key, { found, readAtMs: wallMs() });
    return found;
  };
}
