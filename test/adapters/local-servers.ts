/** Real servers on 127.0.0.1, closed with the test that opened them. */
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { ServerOptions } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { TestContext } from 'node:test';

const read = (name: string) => readFileSync(new URL(`certificates/${name}`, import.meta.url), 'utf8');

/** Self-signed, so its own authority; it names localhost, and 127.0.0.1 on purpose not. */
export const testCertificate = read('test-only-certificate.pem');
const testKey = read('test-only-key.pem');

/**
 * Of an authority of their own, made with OpenSSL 3.0 (`openssl req -x509`, `openssl x509 -req`; the expired one, valid in
 * January 2020, with `openssl ca -startdate -enddate`), P-256, valid for a hundred years; the authority's key was not
 * kept. The server's name localhost and nim.internal.
 */
export const PKI = {
  ca: read('test-only-ca.pem'),
  server: { cert: read('test-only-server.pem'), key: read('test-only-server-key.pem') },
  expired: { cert: read('test-only-expired.pem'), key: read('test-only-server-key.pem') },
  client: { cert: read('test-only-client.pem'), key: read('test-only-client-key.pem') },
} as const;

/** One request as a server saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface LocalServer {
  /** host:port. */
  readonly address: string;
  readonly port: number;
  readonly requests: readonly SeenRequest[];
  readonly connections: () => number;
}

export type Answer = (request: SeenRequest, response: ServerResponse, nth: number) => void;

/** An HTTP server that reads each request whole before it answers; `nth` counts requests from 1. */
export async function serveHttp(
  t: TestContext,
  answer: Answer,
  tls: boolean | ServerOptions = false,
): Promise<LocalServer> {
  const requests: SeenRequest[] = [];
  const onRequest = async (message: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = message;
    const request = { method, url, headers, body: Buffer.concat(chunks) };
    requests.push(request);
    answer(request, response, requests.length);
  };
  const listener = (message: IncomingMessage, response: ServerResponse) => {
    onRequest(message, response).catch(() => response.destroy());
  };
  const secure = tls === true ? { key: testKey, cert: testCertificate } : tls;
  const server = secure === false ? createHttpServer(listener) : createHttpsServer(secure, listener);
  return { requests, ...(await listen(t, server)) };
}

/** A TCP server for what no HTTP server would do. */
export async function serveTcp(t: TestContext, onSocket: (socket: Socket, nth: number) => void) {
  let sockets = 0;
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    onSocket(socket, ++sockets);
  });
  return { requests: [], ...(await listen(t, server)) };
}

/** A port on which nobody listens: the system refuses connections to it. */
export async function closedPort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listen(t: TestContext, server: Server): Promise<Omit<LocalServer, 'requests'>> {
  const open = new Set<Socket>();
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections += 1;
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, port, connections: () => connections };
}
