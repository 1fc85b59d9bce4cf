import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, describe, test } from 'node:test';
import { MAX_ENTRIES, readConfigFiles } from '../../functions/adapters/config-files.ts';
import { readFileBytes } from '../../functions/adapters/files.ts';
import {
  MAX_ALL_DOCUMENTS_BYTES,
  MAX_DOCUMENT_BYTES,
  MAX_DOCUMENTS,
} from '../../functions/core/config/config-bounds.ts';

async function directoryOf(context: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'nim-to-dynatrace-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  return directory;
}

async function documentsOf(path: string) {
  const read = await readConfigFiles(path);
  assert(read.code === 'read', JSON.stringify(read));
  return read.documents;
}

async function failureOf(path: string): Promise<string> {
  const read = await readConfigFiles(path);
  assert(read.code === 'failed');
  assert.match(read.message, /^cannot read .+: .+; .+$/);
  return read.message;
}

describe('documents', () => {
  test('named without extension, sorted, with the time of their last change; text without its BOM', async (context) => {
    const files = { 'b.json': '{}', 'a.YML': '\ufeffa:1', c: 'ü:1', 'd.txt': '', 'e.prod.yaml': 'e' };
    const directory = await directoryOf(context, files);
    const startMs = Date.now() - 60_000;
    for (const path of [directory, `${directory}/`]) {
      const documents = await documentsOf(path);
      assert.deepEqual(
        documents.map(({ name, file, value }) =>
          [name, file, value].map((text) => text.replace(`${directory}/`, '')),
        ),
        [
          ['a', 'a.YML', 'a:1'],
          ['b', 'b.json', '{}'],
          ['c', 'c', 'ü:1'],
          ['d', 'd.txt', ''],
          ['e.prod', 'e.prod.yaml', 'e'],
        ],
      );
      assert(documents.every(({ modifiedAtMs }) => modifiedAtMs > startMs));
    }
  });

  test('a single file: whatever its extension', async (context) => {
    const directory = await directoryOf(context, { 'nim.conf': 'a:1', 'vllm.yaml': 'b:1' });
    const names = [
      await documentsOf(join(directory, 'nim.conf')),
      await documentsOf(join(directory, 'vllm.yaml')),
    ];
    assert.deepEqual(
      names.flat().map(({ name }) => name.replace(directory, '')),
      ['/nim.conf', '/vllm'],
    );
  });

  test('an empty directory has none', async (context) => {
    assert.deepEqual(await documentsOf(await directoryOf(context, {})), []);
  });

  test('a socket is no file, on its own or among others', async (context) => {
    const directory = await directoryOf(context, { nim: 'a:1' });
    const server = createServer().listen(join(directory, 'socket'));
    context.after(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const read = await readConfigFiles(directory);
    assert(read.code === 'read');
    assert.deepEqual([read.documents.length, read.notes.length], [1, 1]);
    assert.match(await failureOf(join(directory, 'socket')), /no regular file; save it as one first/);
  });
});

describe('bounds', () => {
  test('of one document: read to one byte past it, for whoever refuses it', async (context) => {
    const directory = await directoryOf(context, { nim: '' });
    for (const [size, length] of [
      [MAX_DOCUMENT_BYTES, MAX_DOCUMENT_BYTES],
      [MAX_DOCUMENT_BYTES + 2, MAX_DOCUMENT_BYTES + 1],
    ] as const) {
      await truncate(join(directory, 'nim'), size);
      assert.equal((await documentsOf(directory))[0]?.value.length, length);
    }
  });

  test('of all documents', async (context) => {
    const count = MAX_ALL_DOCUMENTS_BYTES / MAX_DOCUMENT_BYTES;
    const directory = await directoryOf(context, {});
    for (let i = 0; i < count; i++) {
      await writeFile(join(directory, `d${i}`), '');
      await truncate(join(directory, `d${i}`), MAX_DOCUMENT_BYTES);
    }
    assert.equal((await documentsOf(directory)).length, count);
    await writeFile(join(directory, 'e'), 'x');
    assert.match(await failureOf(directory), /\/e: with it the files are too large, 8 MiB are the most/);
  });

  test('of their number, and of names', async (context) => {
    const directory = await directoryOf(context, {});
    for (let i = 0; i < MAX_DOCUMENTS; i++) await writeFile(join(directory, `d${i}`), '');
    assert.equal((await documentsOf(directory)).length, MAX_DOCUMENTS);
    await writeFile(join(directory, 'one-more'), '');
    assert.match(await failureOf(directory), new RegExp(`more than ${MAX_DOCUMENTS} documents`));
    await rm(join(directory, 'one-more'));
    for (let i = MAX_DOCUMENTS; i < MAX_ENTRIES; i++) await writeFile(join(directory, `.h${i}`), '');
    assert.equal((await documentsOf(directory)).length, MAX_DOCUMENTS);
    await writeFile(join(directory, '.one-more'), '');
    assert.match(await failureOf(directory), new RegExp(`more than ${MAX_ENTRIES} names`));
  });

  test('of bytes that are read, as the caller says', async (context) => {
    const directory = await directoryOf(context, { page: 'abcd' });
    for (const [maxBytes, length] of [
      [4, 4],
      [3, 4],
      [2, 3],
    ] as const) {
      const read = await readFileBytes(join(directory, 'page'), maxBytes);
      assert(read.code === 'read');
      assert.equal(read.bytes.length, length);
    }
  });
});
