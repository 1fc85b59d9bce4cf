/**
 * Target documents in files: what a parameter is in SSM, a file is here. Of a directory each file is one, named without
 * its extension; a single file is one document. All of them, or none: after half a list nobody may be declared gone.
 */
import { opendir, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { MAX_ALL_DOCUMENTS_BYTES, MAX_DOCUMENT_BYTES, MAX_DOCUMENTS } from '../core/config/config-bounds.ts';
import { fileFailure, readFileBytes } from './files.ts';

/** Names in a directory, documents or not: one with more was hardly meant. */
export const MAX_ENTRIES = 10_000;

export interface ConfigFile {
  /** The path without extension; its last segment is the default job name. */
  readonly name: string;
  /** The path as a person would write it. */
  readonly file: string;
  readonly value: string;
  readonly modifiedAtMs: number;
}

export type ConfigFiles =
  | {
      readonly code: 'read';
      /** Sorted by path. */
      readonly documents: readonly ConfigFile[];
      /** Files that would be documents, were there not another one of that name. */
      readonly problems: readonly string[];
      /** What was left out. */
      readonly notes: readonly string[];
    }
  | { readonly code: 'failed'; readonly message: string };

const EXTENSION = /\.(?:ya?ml|json|txt)$/i;

/** `path`: a file or a directory. Nothing is thrown for what the disk does. */
export async function readConfigFiles(path: string): Promise<ConfigFiles> {
  const trimmed = path
    .split(sep)
    .join('/')
    .replace(/(.)\/+$/, '$1');
  try {
    if (!(await stat(path)).isDirectory()) return await readAll([trimmed], []);
    const entries: string[] = [];
    for await (const { name } of await opendir(path)) {
      if (entries.length === MAX_ENTRIES) return tooMany(trimmed, MAX_ENTRIES, 'names');
      entries.push(name);
    }
    return await readDirectory(trimmed, entries.sort());
  } catch (error) {
    return { code: 'failed', message: `cannot read ${trimmed}: ${fileFailure(error)}` };
  }
}

/** @throws what the file system answers */
async function readDirectory(directory: string, entries: readonly string[]): Promise<ConfigFiles> {
  const files: string[] = [];
  const notes: string[] = [];
  for (const entry of entries) {
    const file = directory === '/' ? `/${entry}` : `${directory}/${entry}`;
    const why = whyNoDocument(entry) ?? ((await stat(file)).isFile() ? undefined : 'it is no regular file');
    if (why === undefined) files.push(file);
    else notes.push(`${file} is left out: ${why}`);
  }
  return files.length > MAX_DOCUMENTS
    ? tooMany(directory, MAX_DOCUMENTS, 'documents')
    : readAll(files, notes);
}

function whyNoDocument(entry: string): string | undefined {
  if (entry.startsWith('.')) return 'its name begins with a dot';
  const isDocument = EXTENSION.test(entry) || !entry.includes('.');
  return isDocument ? undefined : 'a document ends in .yaml, .yml, .json or .txt, or has no extension';
}

async function readAll(files: readonly string[], notes: readonly string[]): Promise<ConfigFiles> {
  const documents = new Map<string, ConfigFile>();
  const problems: string[] = [];
  let bytes = 0;
  for (const file of files) {
    const name = file.replace(EXTENSION, '');
    const other = documents.get(name);
    if (other !== undefined) {
      const cause = `${other.file} has the same name without its extension, and a parameter has none`;
      problems.push(`cannot use ${file}: ${cause}; rename one of the two`);
      continue;
    }
    const read = await readFileBytes(file, MAX_DOCUMENT_BYTES);
    if (read.code === 'failed') return read;
    bytes += read.bytes.length;
    if (bytes > MAX_ALL_DOCUMENTS_BYTES) {
      const most = `${MAX_ALL_DOCUMENTS_BYTES / 1024 / 1024} MiB are the most`;
      return {
        code: 'failed',
        message: `cannot read ${file}: with it the files are too large, ${most}; remove some`,
      };
    }
    const value = decoded(read.bytes);
    if (value === undefined) {
      return { code: 'failed', message: `cannot read ${file}: it is not UTF-8; save it as UTF-8` };
    }
    documents.set(name, { name, file, value, modifiedAtMs: read.modifiedAtMs });
  }
  return { code: 'read', documents: [...documents.values()], problems, notes };
}

/** The last character of a file that is too large may be cut; whoever reads the document says so. */
function decoded(bytes: Uint8Array): string | undefined {
  const stream = bytes.length > MAX_DOCUMENT_BYTES;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream });
  } catch {
    return undefined;
  }
}

function tooMany(directory: string, max: number, what: string): ConfigFiles {
  const cause = `it holds more than ${max} ${what}`;
  return {
    code: 'failed',
    message: `cannot read ${directory}: ${cause}; name a directory of nothing but documents`,
  };
}
