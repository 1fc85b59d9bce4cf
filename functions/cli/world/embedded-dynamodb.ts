import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import dynalite from 'dynalite';
import { listen } from './loopback.ts';

/** A DynamoDB in this process. */
export interface EmbeddedDynamodb {
  /** For the SDK's `endpoint`; any region and credentials do. */
  readonly endpoint: string;
  /** Ends open connections, finishes writes and releases the directory. */
  readonly close: () => Promise<void>;
}

/**
 * Starts a DynamoDB on 127.0.0.1; in memory, or in the directory `path`, which one process at a time may use.
 * Differences from AWS: nothing expires, there are no transactions and no throttling, and a failed condition
 * does not return the item. Rejects when the directory cannot be used.
 */
export async function startEmbeddedDynamodb(
  options: { readonly path?: string } = {},
): Promise<EmbeddedDynamodb> {
  if (options.path !== undefined) await recover(options.path);
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0, ...options });
  const { port, close } = await listen(server, 0);
  return { endpoint: `http://127.0.0.1:${port}`, close };
}

/**
 * dynalite opens its store late and ends the process when that fails: the same store is opened here first. A process
 * that was killed while it made a table has left it CREATING for good: nothing is in it, and it is made anew.
 */
async function recover(path: string): Promise<void> {
  const { Level } = createRequire(import.meta.resolve('dynalite'))('level') as LevelModule;
  try {
    // Before the store is made, which would begin to open it.
    await makeDirectory(resolve(path));
    const store = new Level(path, { valueEncoding: 'json' });
    await store.open();
    for await (const [key, table] of store.iterator(TABLES)) {
      if ((table as { TableStatus?: unknown }).TableStatus === 'CREATING') await store.del(key);
    }
    await store.close();
  } catch (cause) {
    const reason = ((cause as Error).cause ?? cause) as Error;
    const remedy = 'end the other process that uses it, or choose another directory';
    throw new Error(`cannot open the store in ${path}: ${reason.message}; ${remedy}`, { cause });
  }
}

/** Node's own recursive one never ends where a parent is there and takes no directory, as /proc. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path) throw error;
    await makeDirectory(parent);
    await mkdir(path);
  }
}

/** Where dynalite keeps the descriptions of its tables. */
const TABLES = { gte: 'table~', lt: 'table\x7f' };

interface LevelModule {
  readonly Level: new (
    path: string,
    options: { readonly valueEncoding: 'json' },
  ) => {
    readonly open: () => Promise<void>;
    readonly iterator: (range: typeof TABLES) => AsyncIterable<readonly [key: string, value: unknown]>;
    readonly del: (key: string) => Promise<void>;
    readonly close: () => Promise<void>;
  };
}
