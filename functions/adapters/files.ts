/** One regular file, as a whole and within a bound. What the disk does is a value with a sentence. */
import { type FileHandle, open, stat } from 'node:fs/promises';

export type FileBytes =
  /** Of a longer file `maxBytes` and one more. */
  | { readonly code: 'read'; readonly bytes: Uint8Array; readonly modifiedAtMs: number }
  | { readonly code: 'failed'; readonly message: string };

/** Symbolic links are followed. A file that changes under the reader is none: half of it may be the old one. */
export async function readFileBytes(path: string, maxBytes: number): Promise<FileBytes> {
  try {
    // A pipe would keep `open` waiting for its other end.
    if (!(await stat(path)).isFile()) return failed(path, 'it is no regular file; save it as one first');
    const file = await open(path, 'r');
    try {
      const before = await file.stat();
      const bytes = await readUpTo(file, Math.min(before.size, maxBytes) + 1);
      const after = await file.stat();
      const isWhole = bytes.length === Math.min(after.size, maxBytes + 1) && after.mtimeMs === before.mtimeMs;
      if (!isWhole) return failed(path, 'it is being written; try again when that has ended');
      return { code: 'read', bytes, modifiedAtMs: Math.floor(after.mtimeMs) };
    } finally {
      await file.close();
    }
  } catch (error) {
    return failed(path, fileFailure(error));
  }
}

async function readUpTo(file: FileHandle, maxBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(maxBytes);
  let length = 0;
  while (length < maxBytes) {
    const { bytesRead } = await file.read(bytes, length, maxBytes - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

/** Cause and remedy. */
export function fileFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'no code';
  return FAILURES[code] ?? `the file system answered ${code}; check the path`;
}

const FAILURES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory; check the path',
  ENOTDIR: 'there is no such file or directory; check the path',
  EACCES: 'this user may not read it; give yourself the right to',
  EPERM: 'this user may not read it; give yourself the right to',
  ELOOP: 'its symbolic links lead back to themselves; name the file itself',
  EMFILE: 'too many files are open; close some programs',
  ENAMETOOLONG: 'the path is too long; check it',
};

function failed(path: string, causeAndRemedy: string): FileBytes {
  return { code: 'failed', message: `cannot read ${path}: ${causeAndRemedy}` };
}
