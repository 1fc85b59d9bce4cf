/**
 * TCP servers that stop at a byte, for the question what an adapter says about an exchange that was cut there.
 * Each case has a server of its own, so that cases run side by side without mixing their ledgers.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * How a peer leaves: a reset; both directions closed; only its own direction closed, reading on; or not at all,
 * with no further byte in either direction.
 */
export const ENDINGS = ['reset', 'close', 'half-close', 'stall'] as const;
export type Ending = (typeof ENDINGS)[number];

/** Those that a client can tell apart once its request is out. */
export const HEARD_ENDINGS: readonly Ending[] = ['reset', 'close', 'stall'];

export function leave(socket: Socket, ending: Ending): void {
  switch (ending) {
    case 'reset':
      socket.resetAndDestroy();
      return;
    case 'close':
      // After what was written, where anything was: `destroy` would drop it.
      socket.destroySoon();
      return;
    case 'half-close':
      socket.end();
      return;
    case 'stall':
      socket.pause();
  }
}

/** A server for as long as `use` takes; `nth` counts connections from 1, `address` is host:port. */
export async function whileServing<Result>(
  onSocket: (socket: Socket, nth: number) => void,
  use: (address: string) => Promise<Result>,
): Promise<Result> {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => undefined);
    onSocket(socket, ++connections);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await use(`127.0.0.1:${port}`);
  } finally {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Bytes of the one HTTP message that begins with these; Infinity while its headers are not complete. */
export function messageBytes(received: Buffer): number {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return Infinity;
  const head = received.toString('latin1', 0, end);
  return end + 4 + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
}

/** Every `step`th byte from 0 to `total`, and each boundary with the byte before and after it. */
export function cutPoints(total: number, step: number, boundaries: readonly number[] = []): number[] {
  const points = new Set<number>();
  for (let at = 0; at <= total; at += step) points.add(at);
  for (const at of [...boundaries, total]) for (const near of [at - 1, at, at + 1]) points.add(near);
  return [...points].filter((at) => at >= 0 && at <= total).sort((a, b) => a - b);
}

/**
 * Writes the first `cutAt` bytes of an answer, then leaves; a reset waits until they are on their way, since it
 * overtakes what is not.
 */
export function writeCut(socket: Socket, answer: Buffer, cutAt: number, ending: Ending): void {
  if (cutAt === 0) return leave(socket, ending);
  socket.write(answer.subarray(0, cutAt), () => leave(socket, ending));
}

/**
 * Runs the cases, `width` at a time: most of them wait for a deadline. The first failure is thrown when none runs
 * any more.
 */
export async function inPool<Case>(
  cases: readonly Case[],
  width: number,
  run: (one: Case) => Promise<void>,
): Promise<void> {
  const queue = cases.values();
  const worker = async () => {
    for (const one of queue) await run(one);
  };
  const ends = await Promise.allSettled(Array.from({ length: width }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** What was on its way when the adapter gave its answer has arrived by then. */
export const arrivals = () => delay(30);
