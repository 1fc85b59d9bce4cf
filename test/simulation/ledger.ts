/**
 * The truth ledger: for each part of each series the five columns of D1, kept from what processes counted, what
 * Dynatrace stored and what the store wrote, never from what the product says of itself but its baselines.
 */
import type { DecodedPoint } from '../../functions/cli/world/otlp-decoder.ts';
import type { Baseline } from '../../functions/core/baseline.ts';
import { decodeBaseline } from '../../functions/core/baseline-format.ts';
import type { TargetItem } from '../../functions/core/ports.ts';
import { createSeriesTable } from '../../functions/core/series.ts';
import { increase } from '../../functions/core/series-state.ts';
import { instanceOf, printPoint } from '../fakes/ports.ts';
import { T0_MS } from '../fakes/virtual-time.ts';
import { type Account, add, formIn, isPending, owedNow, owes, pendingOf } from './account.ts';
import { keyIn, partsOf, pendingIn, shownKey, sourcesOf, startOf } from './names.ts';
import { type ShownPage, isFiltered } from './nim.ts';
import { type Facts, type Promised, formOf, promise } from './promise.ts';

/** What the campaign counts: an invariant that was never evaluated proves nothing. */
export const INVARIANTS = [
  'D1 conservation',
  'D1 counted in the report',
  'D1 no more than was counted',
  'D1 engines are summed',
  'D2 never negative',
  'D2 claimed before it is sent',
  'D2 nothing after a lost answer',
  'D2 a canary goes first',
  'D2 deltas wait after lost answers',
  'D2 written first after a failed commit',
  'D2 twice only for a cause',
  'D3 windows touch',
  'D3 ends at the tick',
  'one point per series and tick',
  'D4 all leaves once faults stop',
  'D4 only what vanished is drained',
  'D6 filtered series never leave',
  'D10 up tells the truth',
  'D11 identity',
  "D11 a page is its own target's",
  'D12 no poison',
  'self-metrics never count twice',
  'nothing is sent too late',
  'nothing is thrown',
] as const;
export type Invariant = (typeof INVARIANTS)[number];

/** Says whether an invariant holds; the first one that does not ends the world. */
export type Evaluate = (invariant: Invariant, holds: boolean, what: () => string) => void;

/** A sum that fell, and nothing else of its form is owed: what it owes us ends with what is known of the target. */
export function forgetFalls(account: Account, isOver: (form: string) => boolean): void {
  const owing = new Set([...account.due.keys()].filter((part) => pendingOf(account, part) > 0).map(formIn));
  for (const part of account.due.keys())
    if (isOver(formIn(part)) && !owing.has(formIn(part)))
      add(account.dropped, part, pendingOf(account, part));
}

/** The account once a page is committed. The given one is left as it is. */
export function takeIn(
  account: Account,
  page: ShownPage,
  facts: Facts,
  evaluate: Evaluate,
): { readonly account: Account; readonly promised: Promised } {
  const promised = promise(account.known, page, facts);
  const next: Account = {
    ...account,
    known: promised.next,
    shown: new Set(promised.meanings.filter(({ drop }) => drop === undefined).map(({ form }) => form)),
    due: new Map(account.due),
    starts: new Map(account.starts),
    drains: new Map(account.drains),
    draining: new Map(account.draining),
    dropped: new Map(account.dropped),
    lives: new Map(account.lives),
  };
  const over = new Set(promised.ended.map(({ form }) => form));
  forgetFalls(next, (form) => promised.isNew || over.has(form));
  for (const { form } of promised.ended) {
    const startMs = account.starts.get(form);
    if (startMs !== undefined && owes(next, form)) {
      if (!next.drains.has(form)) next.drains.set(form, startMs);
      for (const part of next.due.keys())
        if (formIn(part) === form) next.draining.set(part, pendingOf(next, part));
    }
    next.starts.delete(form);
  }
  for (const { form, life, increase: amounts, window } of promised.meanings) {
    const { fromMs, unlessPendingMs } = window;
    if (fromMs !== undefined) next.starts.set(form, fromMs);
    if (unlessPendingMs !== undefined && !isPending(next, form)) next.starts.set(form, unlessPendingMs);
    for (const [i, amount] of amounts.entries()) {
      add(next.due, `${form}/${i}`, amount);
      add(next.lives, `${life} ${form}/${i}`, amount);
    }
  }
  for (const { key, values, life, bounds, kind } of page.series) {
    for (const [i, value] of values.entries()) {
      // A sum may have fallen before it was first seen.
      if (i === 0 && kind !== 'counter') continue;
      const part = `${life} ${formOf(kind, key, bounds)}/${i}`;
      const claimed = next.lives.get(part) ?? 0;
      evaluate('D1 no more than was counted', claimed <= value, () => `${part}: ${claimed} of ${value}`);
    }
  }
  return { account: next, promised };
}

/** What of it Dynatrace has, as far as the state will know once it is written. */
export function settle(account: Account, point: DecodedPoint, refused: boolean, tickMs: number): void {
  const { forms, isRepeated } = sourcesOf(account, point);
  if (isRepeated) return;
  const column = refused ? account.refused : account.delivered;
  for (const [i, amount] of partsOf(point).parts) {
    let rest = amount;
    for (const form of forms) {
      // To the last one what is left, whatever it owes: what does not fit is seen there.
      const share = form === forms.at(-1) ? rest : owedNow(account, `${form}/${i}`);
      add(column, `${form}/${i}`, share);
      rest -= share;
    }
  }
  for (const form of forms) {
    const current = account.known?.series.get(keyIn(form))?.form;
    const drained = account.drains.delete(form);
    account.starts.set(drained ? (current ?? form) : form, tickMs);
    if (drained) account.drained.add(form);
  }
}

/** Before any of the body's points is settled: a sum is exactly what its engines owe. */
export function checkSums(account: Account, points: readonly DecodedPoint[], evaluate: Evaluate): void {
  for (const point of points) {
    const sources = sourcesOf(account, point);
    if (sources.forms[0] === partsOf(point).form) continue;
    for (const [i, amount] of partsOf(point).parts) {
      const should = pendingIn(account, sources, i);
      evaluate(
        'D1 engines are summed',
        amount === should,
        () => `${account.owner} ${printPoint(point)}: part ${i} is ${amount}, ${should} in truth`,
      );
    }
  }
}

/** What is left of a part that was given up: nothing, or what its sum fell by, which is owed to us. */
function isLeft(is: number, part: string): boolean {
  return is === 0 || (is < 0 && /^[hs].*\/0$/.test(part));
}

/** A write that came late, of a run that gave up what the target owed, and said so: what is not held is dropped. */
export function giveUp(account: Account, item: TargetItem): void {
  const held = heldBy(item);
  for (const part of account.due.keys()) {
    const is = held.get(part) ?? 0;
    const pending = pendingOf(account, part);
    if (pending === is || !isLeft(is, part)) continue;
    add(account.dropped, part, pending - is);
    account.drains.delete(formIn(part));
  }
}

/** D1 for one target: every part, nothing beside them. `givenUp`: it vanished too long ago, and that was said (D4). */
export function checkConservation(
  account: Account,
  item: TargetItem | undefined,
  givenUp: boolean,
  evaluate: Evaluate,
): void {
  const held = heldBy(item);
  for (const part of new Set([...account.due.keys(), ...held.keys()])) {
    const is = held.get(part) ?? 0;
    let should = pendingOf(account, part);
    const [, key = ''] = part.split(' ');
    const endedFall = is > should && /^[hs].*\/0$/.test(part) && account.drained.has(formIn(part));
    const isGivenUp = givenUp && is !== should && isLeft(is, part);
    // What old bounds owed is given up with its window: should they come back, they begin anew.
    if (isGivenUp) account.drains.delete(formIn(part));
    if (endedFall || isGivenUp || (isFiltered(key) && is < should)) {
      add(account.dropped, part, should - is);
      should = is;
    }
    evaluate(
      'D1 conservation',
      is === should,
      () => `${account.owner} ${part}: ${is} pending in the state, ${should} in truth`,
    );
  }
  account.drained.clear();
}

/** Keys are few: read once. */
const table = createSeriesTable();

export function baselineOf({ baseline }: TargetItem): Baseline | undefined {
  if (baseline === undefined) return undefined;
  const decoded = decodeBaseline(baseline, table);
  if (decoded.code !== 'baseline') throw new Error(decoded.message);
  return decoded.baseline;
}

/** Part -> what the stored baseline holds as pending. */
export function heldBy(item: TargetItem | undefined): Map<string, number> {
  const held = new Map<string, number>();
  const baseline = item && baselineOf(item);
  for (const state of [...(baseline?.series.values() ?? []), ...(baseline?.draining ?? [])]) {
    if (state.base === undefined && state.carry === undefined) continue;
    const form = formOf(state.kind, shownKey(state.series.key), state.bounds);
    for (const [i, amount] of increase(state).entries()) add(held, `${form}/${i}`, amount);
  }
  return held;
}

/** D2, D3, D11 of one point, as it is posted; `account` has taken in this run's page. */
export function checkPoint(account: Account, point: DecodedPoint, tickMs: number, evaluate: Evaluate): void {
  const about = (): string => `${instanceOf(point)} ${printPoint(point)} at ${secondsOf(tickMs)}`;
  const [startMs, endMs] = [Number(point.startNs / 1_000_000n), Number(point.timeNs / 1_000_000n)];
  evaluate('D3 ends at the tick', endMs === tickMs, about);
  if (point.type === 'gauge') return;
  const { parts } = partsOf(point);
  evaluate('D6 filtered series never leave', !isFiltered(point.name), about);
  const isDelta = point.temporality === 'delta' && (point.type === 'histogram' || point.monotonic);
  const starts = sourcesOf(account, point).forms.map((form) => startOf(account, form) ?? NaN);
  // Of several windows the earliest (D3).
  const expectedMs = starts.length === 0 || starts.some(Number.isNaN) ? undefined : Math.min(...starts);
  evaluate('D11 identity', isDelta && expectedMs !== undefined, about);
  evaluate(
    'D2 never negative',
    parts.every(([, amount]) => amount >= 0),
    about,
  );
  const { histogram } = point;
  const count = histogram?.buckets.reduce((sum, one) => sum + one, 0);
  evaluate('D11 identity', histogram === undefined || histogram.count === count, about);
  evaluate(
    'D3 windows touch',
    startMs === expectedMs && startMs < endMs,
    () => `${about()}: it should begin at ${secondsOf(expectedMs ?? NaN)}`,
  );
}

export function secondsOf(momentMs: number): number {
  return (momentMs - T0_MS) / 1000;
}
