/** Histories of broken documents: each is asked for once, and kept for as long as the document stays as it is. */
import type { History, StoredDocument } from './documents-in-force.ts';

export type ReadHistory = (name: string, deadlineMs: number) => Promise<History>;

/** Those of `documents`, by name. One that could not be read is asked for again the next time. */
export type Histories = (
  documents: readonly StoredDocument[],
  deadlineMs: number,
) => Promise<ReadonlyMap<string, History>>;

/** Histories asked for at once: SSM's 40 reads a second are shared with everyone in the account. */
export const MAX_CONCURRENT_HISTORIES = 4;

export function createHistories(read: ReadHistory): Histories {
  let known = new Map<string, { readonly version: number; readonly history: History }>();
  return async (documents, deadlineMs) => {
    const kept: typeof known = new Map();
    const histories = new Map<string, History>();
    const queue = [...documents];
    const lane = async (): Promise<void> => {
      for (let document = queue.shift(); document !== undefined; document = queue.shift()) {
        const { name, version } = document;
        const before = known.get(name);
        const history = before?.version === version ? before.history : await read(name, deadlineMs);
        histories.set(name, history);
        if (history.code === 'read') kept.set(name, { version, history });
      }
    };
    await Promise.all(Array.from({ length: MAX_CONCURRENT_HISTORIES }, lane));
    known = kept;
    return histories;
  };
}
