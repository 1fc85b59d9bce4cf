/** Shows a page sequence to a peer, a page a scrape, and answers with what the peer reported. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { respond, startLoopback } from '../../functions/cli/world/loopback.ts';
import type { Peer, Stage } from './peers.ts';
import { type Counts, createReplay } from './sequence.ts';

/** The first page is shown so often: vmagent takes nothing for new in its first two intervals. */
const FIRST_PAGE_SCRAPES = 5;
/** The last page is shown again so often, so that everything is sent before the end. */
const LAST_PAGE_SCRAPES = 4;
/** A last batch, a last flush. */
const FLUSH_MS = 2_000;
const MAX_RUN_MS = 60_000;

/** `restarted`: the peer is ended (SIGTERM) after the second page and started anew, as a deployment does. */
export async function replay(peer: Peer, pages: readonly string[], restarted: boolean): Promise<Counts> {
  const shown = [...Array<string>(FIRST_PAGE_SCRAPES - 1).fill(pages[0] as string), ...pages];
  const scrapes = shown.length + LAST_PAGE_SCRAPES;
  const pageAt = createReplay(shown, Date.now);
  const deadlineMs = Date.now() + MAX_RUN_MS;
  let served = 0;
  const nim = await startLoopback(async (request, response) => {
    if (request.url !== '/v1/metrics') return respond(response, { status: 404 });
    respond(response, { status: 200, contentType: 'text/plain; version=0.0.4', body: pageAt(served++) });
  }, 0);
  const sink = await peer.startSink();
  const directory = mkdtempSync(join(tmpdir(), 'peers-'));
  const stage: Stage = { address: `127.0.0.1:${nim.port}`, endpoint: sink.endpoint, directory };
  const until = async (process: ChildProcess, count: number): Promise<void> => {
    while (served < count && process.exitCode === null && Date.now() < deadlineMs) await sleep(20);
    if (served < count)
      throw new Error(`cannot replay to ${peer.name}: only ${served} scrapes came; see why with DEBUG=1`);
  };
  let running = peer.start(stage);
  try {
    if (restarted) {
      await until(running, FIRST_PAGE_SCRAPES + 1);
      // Well before the next scrape, and after this one is sent.
      await sleep(500);
      await end(running);
      running = peer.start(stage);
    }
    await until(running, scrapes);
    await sleep(FLUSH_MS);
    await end(running);
    return sink.counts();
  } finally {
    running.kill('SIGKILL');
    await Promise.all([nim.close(), sink.close()]);
    rmSync(directory, { recursive: true, force: true });
  }
}

async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null) return;
  const ended = new Promise<void>((resolve) => void process.once('exit', () => resolve()));
  process.kill('SIGTERM');
  await ended;
}
