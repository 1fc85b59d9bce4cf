/** The targets of the world: which NIM stands at which address, and the page that it shows now. */
import { T0_MS } from '../fakes/virtual-time.ts';
import type { Mischief } from './mischief.ts';
import { type Nim, type NimKind, type PageFault, type ShownPage, createNim, newest, show } from './nim.ts';
import type { Known } from './promise.ts';

export const TICK_MS = 60_000;
export const MAX_STALENESS_MS = 25 * 3_600_000;
const ADDRESSES = ['10.0.0.1:8000', '10.0.0.2:8000', '10.0.0.3:8000'];

/** One target of the world. */
export interface Place {
  readonly address: string;
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

export function createPlaces(kinds: readonly NimKind[]): readonly Place[] {
  return kinds.map((kind, i) => ({
    address: ADDRESSES[i] as string,
    nim: createNim(kind, T0_MS),
    jitterMs: 0,
    seenMs: T0_MS - TICK_MS,
    fellAt: -Infinity,
    vanishedUntil: 0,
    poison: undefined,
    everPoison: new Set(),
  }));
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
  const isHere = isAt(places, place.address);
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

/** Whether a state item's key is this target's. */
export function isOf(address: string): (key: string) => boolean {
  return (key) => key.includes(encodeURIComponent(address));
}

/** Whether an event is about the target at this address. */
export function isAt(places: readonly Place[], address: string): (event: { readonly of: number }) => boolean {
  return ({ of }) => places[of % places.length]?.address === address;
}
