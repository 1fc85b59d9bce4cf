/**
 * Which version of each document is in force: the one that stands there, or the last good one of a document that was
 * broken by an edit. A bad edit takes nothing down.
 */
import { type DocumentOptions, type ReadDocuments, readDocuments } from './documents.ts';
import type { TargetDocument } from './documents.ts';

/** A document as the store has it. */
export interface StoredDocument extends TargetDocument {
  /** Rises by one with each edit. */
  readonly version: number;
}

/** What is known of the earlier versions of a broken document. */
export type History =
  /** Newest first. */
  | { readonly code: 'read'; readonly versions: readonly StoredDocument[] }
  | { readonly code: 'failed'; readonly message: string };

/** What became of one document; `status` shows it. */
export interface DocumentState {
  readonly name: string;
  readonly version: number;
  /** `last_good`: an earlier version is in force. `refused`: none is. `unknown`: its history was not to be had. */
  readonly code: 'in_force' | 'last_good' | 'refused' | 'unknown';
  readonly versionInForce?: number;
}

export interface DocumentsInForce extends Omit<ReadDocuments, 'refused'> {
  readonly states: readonly DocumentState[];
  /** False: what some document wants is not known, so nobody who is missing may be taken for vanished. */
  readonly complete: boolean;
}

/** `read` is what they say as they stand; `histories` has those of the refused ones, by name. */
export function documentsInForce(
  documents: readonly StoredDocument[],
  read: ReadDocuments,
  histories: ReadonlyMap<string, History>,
  options: DocumentOptions = {},
): DocumentsInForce {
  const refused = new Set(read.refused);
  const inForce = documents.flatMap((document) => {
    if (!refused.has(document.name)) return [document];
    return lastGood(document, histories.get(document.name), options) ?? [];
  });
  // What is broken speaks of its mistakes; what takes its place does not.
  const again = refused.size === 0 ? read : readDocuments(inForce, options);
  const fallen = new Set(again.refused);
  const standing = new Map(
    inForce.filter(({ name }) => !fallen.has(name)).map((document) => [document.name, document]),
  );
  const states = documents.map(({ name, version }): DocumentState => {
    const versionInForce = standing.get(name)?.version;
    if (versionInForce === undefined) {
      const isKnown = histories.get(name)?.code === 'read';
      return { name, version, code: refused.has(name) && !isKnown ? 'unknown' : 'refused' };
    }
    return { name, version, code: versionInForce === version ? 'in_force' : 'last_good', versionInForce };
  });
  return {
    configs: again.configs,
    problems: read.problems,
    notes: again.notes,
    states,
    complete: states.every(({ code }) => code !== 'unknown'),
  };
}

/** The newest earlier version that is good by itself. */
function lastGood(
  { version }: StoredDocument,
  history: History | undefined,
  options: DocumentOptions,
): StoredDocument | undefined {
  if (history?.code !== 'read') return undefined;
  return history.versions.find(
    (earlier) => earlier.version < version && readDocuments([earlier], options).refused.length === 0,
  );
}
