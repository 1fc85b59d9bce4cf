/** The part of dynalite 4 in use here; the package has no types of its own. */
declare module 'dynalite' {
  import type { Server } from 'node:http';

  /** The server's `close` also closes the store. Durations: how long a table stays in its passing state. */
  export default function dynalite(options?: {
    readonly path?: string;
    readonly createTableMs?: number;
    readonly deleteTableMs?: number;
    readonly updateTableMs?: number;
  }): Server;
}
