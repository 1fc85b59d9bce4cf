/** How far towards a server one gets: a look-up, a TCP connection, a TLS handshake, each by itself and timed. */
import { lookup as systemLookup } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import { type Socket, connect as connectTcp, isIP } from 'node:net';
import { type DetailedPeerCertificate, type PeerCertificate, connect as connectTls } from 'node:tls';
import type { Connected, LookedUp, Peer, Probe, Shaken, TlsFault } from '../core/doctor/probe.ts';
import type { Clock } from '../core/ports.ts';
import type { TlsConfig } from '../core/scrape-config.ts';
import type { Secrets } from '../core/secrets.ts';
import { isForbidden } from './addresses.ts';
import { signalAt } from './clock.ts';
import { CONNECT_TIMEOUT_MS, failureOf } from './http.ts';
import { readTlsOptions } from './client-request.ts';
import { systemAuthorities, tlsConnectOptions } from './tls.ts';

interface ProbeDeps {
  readonly clock: Clock;
  /** For the certificates that a `tls_config` refers to. */
  readonly secrets: Secrets;
  /** PEM, trusted beside the authorities that Node trusts. */
  readonly ca?: string;
  /** All addresses of a name; default: the system's look-up, which is that of a scrape. */
  readonly lookup?: (host: string) => Promise<readonly LookupAddress[]>;
}

export function createProbe({ clock, secrets, ca, lookup = lookUpAll }: ProbeDeps): Probe {
  const withinMs = (deadlineMs: number) => Math.min(deadlineMs, clock.monotonicMs() + CONNECT_TIMEOUT_MS);
  return {
    lookUp: (host, deadlineMs) => lookUp(host, lookup, signalAt(clock, deadlineMs)),
    connect: async (address, port, deadlineMs) => {
      const socket = await open(address, port, clock, withinMs(deadlineMs));
      if ('code' in socket) return socket;
      socket.socket.destroy();
      return { code: 'connected', durationMs: socket.durationMs };
    },
    shakeHands: async (peer, address, deadlineMs) => {
      const options = await optionsOf(peer.tls?.config, secrets, ca, deadlineMs);
      if (typeof options === 'string') return { ...notReached(options), fault: 'other' };
      const opened = await open(address, peer.port, clock, withinMs(deadlineMs));
      if ('code' in opened) return { ...opened, fault: 'other' };
      return shakeHands(opened.socket, peer, options, clock, withinMs(deadlineMs));
    },
  };
}

function lookUpAll(host: string): Promise<readonly LookupAddress[]> {
  return systemLookup(host, { all: true });
}

/** The look-up itself cannot be cancelled; it is left behind. */
async function lookUp(
  host: string,
  lookup: (host: string) => Promise<readonly LookupAddress[]>,
  signal: AbortSignal,
): Promise<LookedUp> {
  const sorted = (addresses: readonly string[]): LookedUp => ({
    code: 'addresses',
    allowed: addresses.filter((address) => !isForbidden(address)),
    forbidden: addresses.filter(isForbidden),
  });
  if (isIP(host) !== 0) return sorted([host]);
  const late = aborted(signal).then(() => notReached('no answer before the deadline'));
  const found = lookup(host).then(
    (answers) => sorted([...new Set(answers.map(({ address }) => address))]),
    (error: Error) => notReached(failureOf(error, false).cause),
  );
  return Promise.race([found, late]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function notReached(cause: string) {
  return { code: 'failed', cause } as const;
}

type Opened =
  { readonly socket: Socket; readonly durationMs: number } | Extract<Connected, { code: 'failed' }>;

function open(address: string, port: number, clock: Clock, deadlineMs: number): Promise<Opened> {
  // Judged again here: what is connected to counts, not what a look-up said.
  if (isForbidden(address))
    return Promise.resolve(notReached('the address is link-local, which is never scraped'));
  const startMs = clock.monotonicMs();
  return new Promise((resolve) => {
    const socket = connectTcp({ host: address, port });
    const timer = setTimeout(
      () => {
        socket.destroy();
        resolve(notReached('no connection in time'));
      },
      Math.max(0, deadlineMs - startMs),
    );
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve({ socket, durationMs: clock.monotonicMs() - startMs });
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      resolve(notReached(failureOf(error, false).cause));
    });
  });
}

type TlsConnectOptions = Exclude<ReturnType<typeof tlsConnectOptions>, string> | { readonly ca?: string[] };

/** Or what is wrong with the options. */
async function optionsOf(
  config: TlsConfig | undefined,
  secrets: Secrets,
  ca: string | undefined,
  deadlineMs: number,
): Promise<TlsConnectOptions | string> {
  if (config === undefined) return systemAuthorities(ca);
  const read = await readTlsOptions(config, (reference) => secrets(reference, deadlineMs, false));
  return 'code' in read ? read.message : tlsConnectOptions(read, ca);
}

function shakeHands(
  socket: Socket,
  { host }: Peer,
  options: TlsConnectOptions,
  clock: Clock,
  deadlineMs: number,
): Promise<Shaken> {
  const startMs = clock.monotonicMs();
  return new Promise((resolve) => {
    const serverName = isIP(host) === 0 ? { servername: host } : {};
    // The options' own server name counts; without one an address is verified as an address.
    const tls = connectTls({ socket, host, ...serverName, ...options });
    const settle = (shaken: Shaken) => {
      clearTimeout(timer);
      tls.destroy();
      socket.destroy();
      resolve(shaken);
    };
    const fail = (cause: string, fault: TlsFault) => settle({ ...notReached(cause), fault });
    const timer = setTimeout(() => fail('no handshake in time', 'other'), Math.max(0, deadlineMs - startMs));
    tls.once('secureConnect', () => {
      const certificate: PeerCertificate | DetailedPeerCertificate = tls.getPeerCertificate();
      settle({
        code: 'shaken',
        durationMs: clock.monotonicMs() - startMs,
        protocol: tls.getProtocol() ?? 'TLS',
        issuer: nameOf(certificate.issuer),
        notAfterMs: Date.parse(certificate.valid_to),
      });
    });
    tls.once('error', (error) => fail(failureOf(error, false).cause, faultOf(error)));
    tls.once('close', () => fail('the connection was closed in the handshake', 'other'));
  });
}

/** What OpenSSL says where the other side answers in plain text, as an HTTP server does. */
const PLAIN = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/;
const AUTHORITY = /^(?:UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|CERT_|CRL_|INVALID_CA)/;

function faultOf(error: NodeJS.ErrnoException): TlsFault {
  const { code = '' } = error;
  if (PLAIN.test(code)) return 'plain';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') return 'time';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH') return 'name';
  return AUTHORITY.test(code) ? 'authority' : 'other';
}

/** Longer names are cut: they are what the other side says of itself. */
const MAX_NAME_LENGTH = 64;

function nameOf(issuer: PeerCertificate['issuer'] | undefined): string {
  const name = [issuer?.CN ?? issuer?.O ?? 'an unnamed authority'].flat()[0] ?? '';
  return name.replace(/\p{C}/gu, '?').slice(0, MAX_NAME_LENGTH);
}
