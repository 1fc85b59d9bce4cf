/** What each run did, and the rules of D2 between runs: what may leave when, and what may leave twice. */
import type { DecodedPoint } from '../../functions/cli/world/otlp-decoder.ts';
import type { TargetItem } from '../../functions/core/ports.ts';
import { instanceOf, printPoint } from '../fakes/ports.ts';
import type { ShardItem } from '../fakes/store.ts';
import { type Account, NOTHING_SHOWN, add, newAccount } from './account.ts';
import {
  type Evaluate,
  checkSums,
  checkPoint,
  forgetFalls,
  giveUp,
  secondsOf,
  settle,
  takeIn,
} from './ledger.ts';
import { UID_LABEL, ownerOf, ownerOfKey } from './names.ts';
import type { ShownPage } from './nim.ts';
import type { Facts, Promised } from './promise.ts';

/** One body, and what became of it. */
export interface Posted {
  readonly points: readonly DecodedPoint[];
  readonly stored: readonly DecodedPoint[];
  readonly rejected: readonly DecodedPoint[];
  /** What was wrong with it. */
  readonly fault: string | undefined;
  /** What the product was told; undefined while it waits, or when it died waiting. */
  outcome: string | undefined;
  /** Targets whose state knows of it. */
  readonly settled: Set<string>;
}

export interface Run {
  readonly id: string;
  readonly tickMs: number;
  readonly endsByMs: number;
  /** Owners that its message names. */
  readonly targets: readonly string[];
  readonly previews: Map<
    string,
    { readonly page: ShownPage; readonly account: Account; readonly promised: Promised }
  >;
  readonly bodies: Posted[];
  /** Lost answers in a row when it began, and runs with an end that waited since. */
  lostBefore: number;
  waited: number;
  claimed: boolean;
  hasEnded: boolean;
  /** Owners whose write was made to fail; `*`: the worker died. */
  readonly excuses: Set<string>;
  /** Once it is over: whether it said that it gave up increments, or died with the word on its lips (D4). */
  gaveUp: boolean;
  /** Whether it had anything but deltas to send: the gauges of a scrape, failed ones included. */
  hasGauges: boolean;
}

export interface Book {
  readonly accounts: Map<string, Account>;
  /** Committed pages by owner. */
  readonly pages: ReadonlyMap<string, number>;
  readonly begin: (id: string, tickMs: number, endsByMs: number, targets: readonly string[]) => Run;
  readonly claimed: (id: string, before: ShardItem | undefined) => void;
  readonly ended: (id: string) => void;
  readonly scraped: (run: Run, owner: string, page: ShownPage) => void;
  readonly posted: (run: Run, body: Posted, nowMs: number) => void;
  readonly written: (item: TargetItem, applied: boolean) => void;
  /** Once nothing of the run can happen any more. */
  readonly close: (run: Run) => void;
  /** An item is gone from the store. */
  readonly forgotten: (owner: string) => void;
}

/** D2: ticks for which deltas wait at most. */
const MAX_WAIT = 64;

export function createBook(facts: (run: Run) => Facts, evaluate: Evaluate): Book {
  const accounts = new Map<string, Account>();
  const runs = new Map<string, Run>();
  /** The page that a target's state has taken in last. */
  const taken = new Map<string, string>();
  /** The run that sent deltas of a target since its item was last written. */
  const unsure = new Map<string, string>();
  /** Stored points by tick, target and series. */
  const points = new Set<string>();
  const selfEnds = new Map<string, bigint>();
  let legacy = { lost: 0, waited: 0 };

  const pages = new Map<string, number>();
  return {
    accounts,
    pages,
    begin: (id, tickMs, endsByMs, targets) => {
      for (const owner of targets) if (!accounts.has(owner)) accounts.set(owner, newAccount(owner));
      const run: Run = {
        id,
        tickMs,
        endsByMs,
        targets,
        previews: new Map(),
        bodies: [],
        lostBefore: 0,
        waited: 0,
        claimed: false,
        hasEnded: false,
        excuses: new Set(),
        gaveUp: false,
        hasGauges: false,
      };
      runs.set(id, run);
      return run;
    },
    claimed: (id, before) => {
      const run = runs.get(id) as Run;
      run.claimed = true;
      const unended = before?.unended ?? 0;
      run.lostBefore = legacy.lost + unended;
      run.waited = unended > 0 ? 0 : legacy.waited;
    },
    ended: (id) => {
      const run = runs.get(id) as Run;
      const deltas = run.bodies.filter(hasDeltas);
      const lost = run.bodies.some(({ outcome }) => outcome === 'unknown');
      const answered = deltas.some(({ outcome }) => outcome === 'accepted' || outcome === 'partial');
      if (lost) legacy = { lost: run.lostBefore + 1, waited: 0 };
      else if (answered) legacy = { lost: 0, waited: 0 };
      else legacy = { lost: run.lostBefore, waited: run.waited + 1 };
      // Which targets a dead run had is known as long as they are in its successor's message.
      for (const [owner, other] of unsure)
        if (runs.get(other)?.hasEnded === false && other !== id && !run.targets.includes(owner))
          unsure.delete(owner);
      run.hasEnded = true;
    },
    scraped: (run, owner, page) => {
      const account = accounts.get(owner) as Account;
      run.previews.set(owner, { page, ...takeIn(account, page, facts(run), () => undefined) });
    },
    posted: (run, body, nowMs) => {
      const at = (): string => `at ${secondsOf(run.tickMs)}`;
      const before = [...run.bodies];
      run.bodies.push(body);
      evaluate('nothing is sent too late', nowMs <= run.endsByMs, at);
      evaluate('D2 claimed before it is sent', run.claimed, at);
      evaluate(
        'D2 nothing after a lost answer',
        before.every(({ outcome }) => outcome !== 'unknown'),
        at,
      );
      if (run.lostBefore > 0 && hasDeltas(body)) {
        const canary = !run.hasGauges || before.some((one) => !hasDeltas(one) && one.outcome !== undefined);
        evaluate(
          'D2 a canary goes first',
          canary && (before[0] === undefined || !hasDeltas(before[0]) || !run.hasGauges),
          at,
        );
        const wait = Math.min(2 ** (run.lostBefore - 1) - 1, MAX_WAIT);
        evaluate('D2 deltas wait after lost answers', run.waited >= wait, at);
      }
      for (const point of body.points) {
        if (isSelf(point)) continue;
        const owner = ownerOf(point);
        const account = run.previews.get(owner)?.account ?? withoutPage(accounts.get(owner));
        evaluate('D11 identity', account !== undefined, at);
        if (account === undefined) continue;
        checkPoint(account, point, run.tickMs, evaluate);
        if (point.name === 'up') {
          const shown = run.previews.get(owner)?.page.series.length ?? 0;
          // Of a page cut short before its first sample nobody can say whether it is one.
          const isPage = shown > 0 ? 1 : run.previews.has(owner) ? point.value : 0;
          evaluate('D10 up tells the truth', point.value === isPage, () => `${owner} ${at()}`);
        }
        if (point.type === 'gauge') continue;
        const other = unsure.get(owner);
        evaluate(
          'D2 written first after a failed commit',
          other === undefined || other === run.id,
          () => `${owner} ${at()}`,
        );
      }
      for (const point of body.stored) {
        const owner = ownerOf(point);
        if (isSelf(point)) checkSelf(selfEnds, point, evaluate, at);
        else if (point.type !== 'gauge') unsure.set(owner, run.id);
        const labels = point.attributes
          .filter(([key]) => key !== UID_LABEL)
          .map(([key, text]) => `${key}=${typeof text === 'string' ? text : ''}`);
        const series = `${run.tickMs} ${instanceOf(point)} ${point.name} ${labels.join(' ')}`;
        // Without its TYPE line a counter that nobody knows yet is a gauge: no rival to what another pod owes of it.
        for (const id of [
          `${series} of ${owner}`,
          `${series} ${point.type === 'gauge' ? 'gauge' : 'delta'}`,
        ]) {
          evaluate('one point per series and tick', !points.has(id), () => id);
          points.add(id);
        }
      }
    },
    written: (item, applied) => {
      if (!applied) return;
      const owner = ownerOfKey(item.key);
      // The run that writes, whether first or last.
      const run = runs.get(item.writer.replace(/-first$/, ''));
      if (run === undefined) return;
      unsure.delete(owner);
      let account = accounts.get(owner) as Account;
      const page = run.previews.get(owner)?.page;
      // Of a page that is another pod's nothing may be taken in, or it is counted twice.
      evaluate(
        "D11 a page is its own target's",
        item.lastTickMs !== run.tickMs || page !== undefined,
        () => `${owner} at ${secondsOf(run.tickMs)}`,
      );
      if (item.lastTickMs === run.tickMs && page !== undefined && taken.get(owner) !== run.id) {
        ({ account } = takeIn(account, page, facts(run), evaluate));
        taken.set(owner, run.id);
        add(pages, owner, 1);
      }
      // A page that was cut before its first sample is none.
      if (item.lastTickMs !== run.tickMs) account = { ...account, shown: NOTHING_SHOWN };
      for (const { outcome, stored, rejected, settled } of run.bodies) {
        if (outcome !== 'accepted' && outcome !== 'partial') continue;
        if (settled.has(owner)) continue;
        settled.add(owner);
        const deltas = [...stored, ...rejected].filter(
          (point) => point.type !== 'gauge' && ownerOf(point) === owner,
        );
        checkSums(account, deltas, evaluate);
        for (const [kept, refused] of [
          [stored, false],
          [rejected, true],
        ] as const) {
          for (const point of kept)
            if (point.type !== 'gauge' && ownerOf(point) === owner)
              settle(account, point, refused, run.tickMs);
        }
      }
      const unseenMs = run.tickMs - (account.known?.tickMs ?? run.tickMs);
      if (run.gaveUp && unseenMs > facts(run).maxStalenessMs) giveUp(account, item);
      accounts.set(owner, account);
    },
    close: (run) => {
      for (const { stored, outcome, settled } of run.bodies) {
        for (const point of stored) {
          const owner = ownerOf(point);
          if (point.type === 'gauge' || settled.has(owner) || isSelf(point)) continue;
          const cause = outcome === 'unknown' || run.excuses.has('*') || run.excuses.has(owner);
          evaluate('D2 twice only for a cause', cause, () => `${owner} at ${secondsOf(run.tickMs)}`);
        }
      }
    },
    forgotten: (owner) => {
      const account = accounts.get(owner) as Account;
      forgetFalls(account, () => true);
      accounts.set(owner, { ...account, known: undefined, starts: new Map() });
      unsure.delete(owner);
    },
  };
}

/** A scrape that failed shows nothing. */
function withoutPage(account: Account | undefined): Account | undefined {
  return account === undefined ? undefined : { ...account, shown: NOTHING_SHOWN };
}

/** What the product says of itself, and not of a target. */
function isSelf({ name }: DecodedPoint): boolean {
  return name.startsWith('nim_to_dynatrace.');
}

/** The windows of a count of its own, once stored, begin where another ended or later: `ends`, by series. */
function checkSelf(
  ends: Map<string, bigint>,
  point: DecodedPoint,
  evaluate: Evaluate,
  at: () => string,
): void {
  if (point.type === 'gauge') return;
  const key = printPoint(point).replace(/ .*$/, '');
  evaluate('self-metrics never count twice', point.startNs >= (ends.get(key) ?? 0n), () => `${key} ${at()}`);
  ends.set(key, point.timeNs);
}

export function hasDeltas({ points }: Posted): boolean {
  return points.some(({ type }) => type !== 'gauge');
}
