/** An HTTP proxy on 127.0.0.1 that opens tunnels (CONNECT) and nothing else, closed with the test. */
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface LocalProxy {
  readonly url: URL;
  /** What was asked for, and with which headers. */
  readonly tunnels: readonly { readonly authority: string; readonly headers: string }[];
  /** Requests that were not CONNECT. */
  readonly others: () => number;
}

/** `answer`: the status line, or `hang` for no answer at all. */
export async function startProxy(
  t: Pick<TestContext, 'after'>,
  answer = '200 Connection established',
): Promise<LocalProxy> {
  const tunnels: { authority: string; headers: string }[] = [];
  const open = new Set<Socket>();
  let others = 0;
  const server = createServer((_, response) => {
    others += 1;
    response.writeHead(400).end();
  });
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
  });
  server.on('connect', ({ url = '', rawHeaders }, client: Socket) => {
    tunnels.push({ authority: url, headers: rawHeaders.join(' ') });
    if (answer === 'hang') return;
    if (!answer.startsWith('2')) return void client.end(`HTTP/1.1 ${answer}\r\nContent-Length: 0\r\n\r\n`);
    const [, host, port] = /^(.*):(\d+)$/.exec(url) ?? [];
    const onward = connect(Number(port), host);
    open.add(onward);
    onward.on('error', () => client.destroy());
    onward.on('connect', () => {
      client.write(`HTTP/1.1 ${answer}\r\n\r\n`);
      client.pipe(onward).pipe(client);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { url: new URL(`http://127.0.0.1:${port}`), tunnels, others: () => others };
}
