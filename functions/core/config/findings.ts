/** What a reader finds in one document: problems, which refuse it, and notes, which explain it. */
import type { YamlPlace } from './yaml.ts';

export interface Finding {
  readonly at?: YamlPlace;
  /** `cannot <verb> <what>: <cause>; <remedy>`; never a value that may be a secret. */
  readonly message: string;
}

export interface Findings {
  readonly problems: readonly Finding[];
  /** Cheaper than `problems.length`. */
  readonly problemCount: number;
  readonly notes: readonly Finding[];
  /** Answers undefined: that is what a reader then has for a value. */
  readonly problem: (at: YamlPlace | undefined, message: string) => undefined;
  readonly note: (at: YamlPlace | undefined, message: string) => undefined;
}

/** The same at the same place counts once: an alias shows one mistake many times. */
export function createFindings(): Findings {
  const problems = new Map<string, Finding>();
  const notes = new Map<string, Finding>();
  const add =
    (found: Map<string, Finding>) =>
    (at: YamlPlace | undefined, message: string): undefined => {
      found.set(`${at?.line}:${at?.column}:${message}`, { ...(at && { at }), message });
    };
  return {
    get problems() {
      return inOrder(problems);
    },
    get problemCount() {
      return problems.size;
    },
    get notes() {
      return inOrder(notes);
    },
    problem: add(problems),
    note: add(notes),
  };
}

function inOrder(found: ReadonlyMap<string, Finding>): readonly Finding[] {
  return [...found.values()].sort(
    (a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0) || (a.at?.column ?? 0) - (b.at?.column ?? 0),
  );
}

/** Characters of a value that a message quotes. */
export const MAX_QUOTED_LENGTH = 80;

export function quote(value: string): string {
  return JSON.stringify(value.slice(0, MAX_QUOTED_LENGTH));
}
