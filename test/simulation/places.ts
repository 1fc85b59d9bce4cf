/** The targets of the world: which NIM stands at which address, and the page that it shows now. */
import { T0_MS } from '../fakes/virtual-time.ts';
import { MAX_RECENT } from './commands.ts';
import type { Mischief } from './mischief.ts';
import { ownerOfKey } from './names.ts';
import { type Nim, type NimKind, type PageFault, type ShownPage, createNim, newest, show } from './nim.ts';
import type { Known } from './promise.ts';

export const TICK_MS = 60_000;
export const MAX_STALENESS_MS = 25 * 3_600_000;
/** Pods are listed within this before they are scraped, if nothing is wrong. */
const FRESH_LIST_MS = 30_000;
const ADDRESSES = ['10.0.0.1:8000', '10.0.0.2:8000', '10.0.0.3:8000'];

/** One target of the world. */
export interface Place {
  /** Its address, or the uid of a pod. */
  readonly id: string;
  readonly address: string;
  /** Whether its process is there; that of a pod may be gone for good. */
  isUp: boolean;
  readonly nim: Nim;
  jitterMs: number;
  /** When a page of it was made last. */
  seenMs: number;
  /** How many of its pages were committed when its values fell last. */
  fellAt: number;
  /** No document names it until this tick. */
  vanishedUntil: number;
  poison: { readonly key: string; readonly until: number } | undefined;
  everPoison: Set<string>;
}

export function createPlaces(kinds: readonly NimKind[]): Place[] {
  return kinds.map((kind, i) => {
    const address = ADDRESSES[i] as string;
    return newPlace(address, address, createNim(kind, T0_MS), T0_MS - TICK_MS);
  });
}

export function newPlace(id: string, address: string, nim: Nim, seenMs: number): Place {
  return {
    id,
    address,
    isUp: true,
    nim,
    jitterMs: 0,
    seenMs,
    fellAt: -Infinity,
    vanishedUntil: 0,
    poison: undefined,
    everPoison: new Set(),
  };
}

export function living(places: readonly Place[]): readonly Place[] {
  return places.filter(({ isUp }) => isUp);
}

/** The page of a target, with whatever befalls it at this tick. */
export function pageOf(
  place: Place,
  places: readonly Place[],
  { take, note, happened }: Mischief,
  moment: { readonly tickMs: number; readonly nowMs: number; readonly known: Known | undefined },
): ShownPage {
  const { nim } = place;
  const { tickMs, nowMs, known } = moment;
  const isHere = isAt(living(places), place.id);
  const faults: PageFault[] = [];
  const flip = take('flip', isHere);
  const isFresh = known === undefined || tickMs - known.tickMs > MAX_STALENESS_MS || flip !== undefined;
  for (let one = take('page', isHere); one; one = take('page', isHere)) {
    // What a page never told, or another life did, it cannot hide: it is new when it is seen (D5).
    const shown = known?.series.get('tokens_total{model="a"}');
    const isTold = !isFresh && shown?.life.startsWith(`${newest(nim).id}.`) === true;
    if ((one.how === 'gauge' || one.how === 'hides') && !isTold) continue;
    note(one);
    faults.push(one);
  }
  const other = nim.processes[(flip?.at ?? 0) % nim.processes.length];
  const process = flip !== undefined && nim.kind.startTime && other !== undefined ? other : newest(nim);
  if (process !== newest(nim)) happened('flip');
  place.seenMs = nowMs;
  return show(nim, process, nowMs, place.jitterMs, faults);
}

/** D11: whether a page can be told to be its pod's, from the world's truth. */
export function isItsOwn(
  { startMs, torn, scrapedAtMs }: ShownPage,
  { listedAtMs }: { readonly listedAtMs?: number },
  nowMs: number,
): boolean {
  if (listedAtMs === undefined) return true;
  if (startMs === undefined) return torn !== 'all' || nowMs - listedAtMs <= FRESH_LIST_MS;
  return startMs - (scrapedAtMs - nowMs) <= listedAtMs;
}

/** Whether a state item's key is this target's. */
export function isOf(id: string | undefined): (key: string) => boolean {
  return (key) => ownerOfKey(key) === id;
}

/** Whether an event is about this one of `places`. */
export function isAt(places: readonly Place[], id: string): (event: { readonly of: number }) => boolean {
  return ({ of }) => places[of % places.length]?.id === id;
}

/** Those that the store may know: the newest ones, whether or not their process is still there. */
export function recent(places: readonly Place[]): readonly Place[] {
  return places.slice(-MAX_RECENT);
}
