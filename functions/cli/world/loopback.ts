import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server on 127.0.0.1; `close` also ends connections that still wait for an answer. */
export interface Loopback {
  readonly port: number;
  readonly close: () => Promise<void>;
}

/** A status with a body, sent as it stands. */
export interface CannedResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Default `text/plain`; without a body no type is sent. */
  readonly contentType?: string;
}

/** Starts an HTTP server on 127.0.0.1; port 0 takes a free one. Rejects when the port cannot be bound. */
export async function startLoopback(
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  port: number,
): Promise<Loopback> {
  const server = createServer((request, response) => {
    // The handler fails only when the peer went away in the middle, or by a mistake in a test's script.
    handle(request, response).catch(() => response.destroy());
  });
  return listen(server, port);
}

/** Makes a server listen on 127.0.0.1. */
export async function listen(server: Server, port: number): Promise<Loopback> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const remedy = 'choose another port or end the program that holds it';
      reject(new Error(`cannot listen on 127.0.0.1:${port}: ${cause.message}; ${remedy}`, { cause }));
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  let closed: Promise<void> | undefined;
  return {
    port: (server.address() as AddressInfo).port,
    close: () => (closed ??= closeServer(server)),
  };
}

/** Sends a whole answer. */
export function respond(response: ServerResponse, canned: CannedResponse): void {
  const body = Buffer.from(canned.body ?? '');
  const type = body.length === 0 ? {} : { 'content-type': canned.contentType ?? 'text/plain' };
  response.writeHead(canned.status, { 'content-length': body.length, ...type, ...canned.headers });
  response.end(body);
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((cause) => (cause ? reject(cause) : resolve()));
    // Kept-alive and hanging connections would hold the close up for good.
    server.closeAllConnections();
  });
}
