/** What happens to the targets between two ticks: they count, restart, grow, change; they come and go. */
import type { Event, Outage } from './commands.ts';
import { MIN_LIFE_MS, MODELS, type Release, begin, changeBounds, count, countOne, newest } from './nim.ts';
import type { Mischief } from './mischief.ts';
import { type Place, living } from './places.ts';

/** A replica that has been there for a while. */
const REPLICA_AGE_MS = 300_000;
/** D8: on pages without a start time two falls within fewer committed pages would look like two processes. */
const MIN_PAGES_BETWEEN_FALLS = 9;
const POISONS = ['requests_total', 'tokens_total{model="a"}', 'latency_seconds', 'size', 'running'] as const;

export interface Moment {
  readonly ticks: number;
  /** Committed pages by owner. */
  readonly pages: ReadonlyMap<string, number>;
  /** When the next page is made at the earliest. */
  readonly nowMs: number;
  readonly outage: { until: number; how: Outage };
}

/** Whether values may fall now without looking like a flip; if so they do. */
function mayFall(place: Place, { pages }: Moment): boolean {
  if (place.nim.kind.startTime) return true;
  const now = pages.get(place.id) ?? 0;
  if (now - place.fellAt < MIN_PAGES_BETWEEN_FALLS) return false;
  place.fellAt = now;
  return true;
}

export function happen(load: number, places: readonly Place[], mischief: Mischief, moment: Moment): void {
  for (const { nim } of living(places)) count(nim, load);
  // What is not its business stays for whoever meets it at this tick.
  mischief.each((event) => happenOne(event, load, places, mischief.happened, moment));
}

/** Whether this was its business. */
function happenOne(
  event: Event,
  load: number,
  places: readonly Place[],
  happened: Mischief['happened'],
  moment: Moment,
): boolean {
  if (event.kind === 'outage') {
    moment.outage.until = moment.ticks + event.ticks;
    moment.outage.how = event.how;
    happened('outage');
    return true;
  }
  if (!('of' in event)) return false;
  const alive = living(places);
  const place = alive[event.of % alive.length];
  if (place === undefined) return false;
  const process = newest(place.nim);
  switch (event.kind) {
    case 'restart':
      restart(event, load, place, happened, moment);
      return true;
    case 'grow': {
      const model = MODELS[event.at % MODELS.length] as string;
      if (process.models.has(model)) return true;
      process.models.set(model, Math.floor((place.seenMs + moment.nowMs) / 2));
      countOne(process, event.at, 3, event.at);
      happened('grow');
      return true;
    }
    case 'upgrade':
      if (process.release === 0) return true;
      restart(
        { times: 1, surge: false, bounds: false, release: process.release === 1 ? 2 : 1 },
        load,
        place,
        (kind) => happened(kind === 'restart' ? 'upgrade' : kind),
        moment,
      );
      return true;
    case 'bounds':
      if (!mayFall(place, moment)) return true;
      changeBounds(process);
      happened('bounds');
      return true;
    case 'jitter':
      place.jitterMs = event.at * 5;
      happened('jitter');
      return true;
    case 'vanish':
      place.vanishedUntil = moment.ticks + event.ticks;
      happened('vanish');
      return true;
    case 'poison': {
      const key = POISONS[event.at % POISONS.length] as string;
      place.poison = { key, until: moment.ticks + event.ticks };
      place.everPoison.add(key);
      return true;
    }
    case 'flip': {
      // A replica that nobody has seen yet; without one, an earlier life answers.
      const startMs = moment.nowMs - REPLICA_AGE_MS;
      const isFree = place.nim.processes.every((one) => Math.abs(one.startMs - startMs) >= MIN_LIFE_MS);
      if (event.at % 2 === 1 && isFree && place.nim.kind.startTime) {
        const replica = begin(place.nim, startMs);
        place.nim.processes.pop();
        place.nim.processes.unshift(replica);
        countOne(replica, event.at, 5, event.at);
      }
      return false;
    }
    default:
      return false;
  }
}

type Restart = Omit<Extract<Event, { kind: 'restart' }>, 'kind' | 'of'> & { readonly release?: Release };

/** One or two new lives since the last page, in time for their starts to be told apart. */
function restart(
  { times, surge, bounds, release }: Restart,
  load: number,
  place: Place,
  happened: Mischief['happened'],
  moment: Moment,
): void {
  const { nim } = place;
  const { nowMs } = moment;
  for (let i = 0; i < times; i++) {
    const startMs = Math.max(
      place.seenMs + 1_000,
      newest(nim).startMs + MIN_LIFE_MS,
      nowMs - 40_000 + 20_000 * i,
    );
    if (startMs > nowMs || nim.processes.some((one) => Math.abs(one.startMs - startMs) < MIN_LIFE_MS)) return;
    if (i === 0 && !mayFall(place, moment)) return;
    const life = begin(nim, startMs, release);
    if (bounds) changeBounds(life);
    countOne(life, load + i, surge ? 1_000 : 1, load + 1);
    happened('restart');
    if (i === 1) happened('restart twice');
    if (surge) happened('restart surge');
    if (bounds) happened('restart bounds');
  }
}
