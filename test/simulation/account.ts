/** The columns of D1, kept for one target. */
import type { Known } from './promise.ts';

/** Of one target, by part: a form of a series and the number of its value. */
export interface Account {
  /** The target's address, or the uid of a pod. */
  readonly owner: string;
  readonly known: Known | undefined;
  /** Forms that the page just taken in shows as ours; none without a page. */
  readonly shown: ReadonlySet<string>;
  readonly due: Map<string, number>;
  readonly delivered: Map<string, number>;
  readonly refused: Map<string, number>;
  readonly dropped: Map<string, number>;
  /** Where the next window of a form begins; and of a form that cannot go on. */
  readonly starts: Map<string, number>;
  readonly drains: Map<string, number>;
  /** By part: what such a form owed when it ended; it goes out by itself, whatever the same form counts since. */
  readonly draining: Map<string, number>;
  /** Forms that drained: what their sum fell by ends with them. */
  readonly drained: Set<string>;
  /** By life and part: what of it is due, to be held against what the life counted. */
  readonly lives: Map<string, number>;
}

export const NOTHING_SHOWN: ReadonlySet<string> = new Set();

export function newAccount(owner: string): Account {
  const empty = (): Map<string, number> => new Map();
  return {
    owner,
    known: undefined,
    shown: NOTHING_SHOWN,
    due: empty(),
    delivered: empty(),
    refused: empty(),
    dropped: empty(),
    starts: empty(),
    drains: empty(),
    draining: empty(),
    drained: new Set(),
    lives: empty(),
  };
}

export function add(to: Map<string, number>, part: string, amount: number): void {
  to.set(part, (to.get(part) ?? 0) + amount);
}

/** What the state should hold as pending. */
export function pendingOf(account: Account, part: string): number {
  const { due, delivered, refused, dropped } = account;
  const of = (column: ReadonlyMap<string, number>): number => column.get(part) ?? 0;
  return of(due) - of(delivered) - of(refused) - of(dropped);
}

/** What of a part the next point carries. */
export function owedNow(account: Account, part: string): number {
  return account.drains.has(formIn(part)) ? (account.draining.get(part) ?? 0) : pendingOf(account, part);
}

export function isPending(account: Account, form: string): boolean {
  return [...account.due.keys()].some((part) => formIn(part) === form && pendingOf(account, part) !== 0);
}

/** Whether there is anything to send. */
export function owes(account: Account, form: string): boolean {
  return [...account.due.keys()].some((part) => formIn(part) === form && pendingOf(account, part) > 0);
}

export function formIn(part: string): string {
  return part.slice(0, part.lastIndexOf('/'));
}
