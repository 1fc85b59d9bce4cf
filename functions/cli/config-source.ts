/** Where documents come from outside of the cloud: files, or the parameters that are deployed. */
import { SSMClient } from '@aws-sdk/client-ssm';
import { systemClock } from '../adapters/clock.ts';
import { readConfigFiles } from '../adapters/config-files.ts';
import { createParameters } from '../adapters/parameters-ssm.ts';
import type { DocumentState, StoredDocument } from '../core/config/documents-in-force.ts';
import { type Histories, createHistories } from '../core/config/histories.ts';

/** As they stand now. */
export type SourceDocuments =
  | {
      readonly code: 'read';
      readonly documents: readonly StoredDocument[];
      readonly problems: readonly string[];
      readonly notes: readonly string[];
    }
  | { readonly code: 'failed'; readonly message: string };

export interface ConfigSource {
  readonly read: (deadlineMs: number) => Promise<SourceDocuments>;
  readonly histories: Histories;
  /** Which of the documents of the last `read` hold: the good versions of files are known to nobody else. */
  readonly remember: (states: readonly DocumentState[]) => void;
  /** What a person calls the document. */
  readonly titleOf: (name: string) => string;
}

/**
 * A file, or a directory of them. A content that was not there before is a new version; the last good one of each
 * document is kept for as long as the file is there.
 */
export function createFileSource(path: string): ConfigSource {
  let documents: ReadonlyMap<string, StoredDocument> = new Map();
  let files: ReadonlyMap<string, string> = new Map();
  const good = new Map<string, StoredDocument>();
  return {
    read: async () => {
      const read = await readConfigFiles(path);
      if (read.code === 'failed') return read;
      const before = documents;
      documents = new Map(
        read.documents.map((found) => [found.name, versioned(found, before.get(found.name))]),
      );
      files = new Map(read.documents.map(({ name, file }) => [name, file]));
      for (const name of good.keys()) if (!documents.has(name)) good.delete(name);
      return { ...read, documents: [...documents.values()] };
    },
    histories: createHistories((name) => {
      const known = good.get(name);
      return Promise.resolve({ code: 'read', versions: known === undefined ? [] : [known] });
    }),
    remember: (states) => {
      for (const { name, code } of states) {
        const document = documents.get(name);
        if (code === 'in_force' && document !== undefined) good.set(name, document);
      }
    },
    titleOf: (name) => files.get(name) ?? name,
  };
}

function versioned(
  { name, value, modifiedAtMs }: Omit<StoredDocument, 'version'>,
  before: StoredDocument | undefined,
): StoredDocument {
  if (before?.value === value) return before;
  const version = (before?.version ?? 0) + 1;
  return { name, value, version, ...(modifiedAtMs === undefined ? {} : { modifiedAtMs }) };
}

/** The parameters below `<prefix>/targets`, with the AWS credentials and the region of the environment. */
export function createSsmSource(prefix: string): ConfigSource {
  const parameters = createParameters({ client: new SSMClient(), prefix, clock: systemClock });
  return {
    read: async (deadlineMs) => {
      const read = await parameters.targetDocuments(deadlineMs);
      return read.code === 'failed' ? read : { ...read, problems: [], notes: [] };
    },
    histories: createHistories(parameters.earlierVersions),
    remember: () => undefined,
    titleOf: (name) => name,
  };
}
