/**
 * The way through an HTTP proxy: a tunnel (CONNECT, RFC 9110 section 9.3.6), at whose end TLS is spoken with the host
 * itself. The proxy learns the host's name, and no word of what is sent.
 */
import { request } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import { forbidden, isForbidden } from './addresses.ts';

/** Code of every error of a proxy; its message is a clause without secrets. */
export const PROXY_ERROR = 'ERR_PROXY';

export interface Way {
  /** `http://host:port`; port 80 where there is none. */
  readonly proxy: URL;
  readonly userAgent: string;
  /** For the tunnel; what follows in it has a time of its own. */
  readonly timeoutMs: number;
  readonly lookup: LookupFunction;
}

/** As undici's connectors: called back once. */
type Connect<Target> = (
  target: Target,
  callback: (...result: [null, Socket] | [Error, null]) => void,
) => void;

interface Target {
  readonly hostname: string;
  readonly port: string;
  readonly protocol: string;
}

/** Connects as `direct` does, only through a tunnel: the host's certificate is verified by the host's name. */
export function throughProxy<T extends Target>(
  way: Way,
  direct: Connect<T & { httpSocket: Socket }>,
): Connect<T> {
  return (target, callback) => {
    openTunnel(way, target, (...result) => {
      const [error, socket] = result;
      if (error !== null) callback(error, null);
      else if (target.protocol === 'https:') direct({ ...target, httpSocket: socket }, callback);
      else callback(null, socket);
    });
  };
}

function openTunnel(way: Way, target: Target, callback: Parameters<Connect<Target>>[1]): void {
  const proxyHost = way.proxy.hostname.replace(/^\[|\]$/g, '');
  // An address is not looked up.
  if (isForbidden(proxyHost)) return callback(forbidden(), null);
  const host = target.hostname.includes(':') ? `[${target.hostname}]` : target.hostname;
  const port = target.port !== '' ? target.port : target.protocol === 'https:' ? '443' : '80';
  const asking = request({
    method: 'CONNECT',
    host: proxyHost,
    port: way.proxy.port === '' ? 80 : way.proxy.port,
    path: `${host}:${port}`,
    headers: { host: `${host}:${port}`, 'user-agent': way.userAgent },
    // The connection becomes the tunnel: there is none to share.
    agent: false,
    lookup: way.lookup,
  });
  const timer = setTimeout(() => asking.destroy(proxyError('it did not answer in time')), way.timeoutMs);
  asking.on('connect', ({ statusCode = 0 }, socket: Socket, head) => {
    clearTimeout(timer);
    if (statusCode >= 200 && statusCode < 300) {
      // Nothing, since TLS begins with the client; should there be something, it belongs to what follows.
      if (head.length > 0) socket.unshift(head);
      return callback(null, socket);
    }
    socket.destroy();
    callback(proxyError(`it answered status ${statusCode}${MEANINGS[statusCode] ?? ''}`), null);
  });
  asking.on('error', (error: NodeJS.ErrnoException) => {
    clearTimeout(timer);
    callback(
      error.code === PROXY_ERROR ? error : proxyError(`no connection (${error.code ?? 'no code'})`),
      null,
    );
  });
  asking.end();
}

const MEANINGS: Readonly<Record<number, string>> = {
  403: ', which forbids this host',
  407: ': it wants credentials, and is given none',
};

function proxyError(cause: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`the proxy gave no way: ${cause}`), { code: PROXY_ERROR });
}
