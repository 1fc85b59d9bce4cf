/** What no request tells: how far towards a server one gets, step by step. Plain function types, as core/ports. */
import type { TlsConfig } from '../scrape-config.ts';

/** A server as it is connected to. */
export interface Peer {
  /** A name or an address; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Absent: no TLS. `config` as in a job; without it the system's authorities decide. */
  readonly tls?: { readonly config?: TlsConfig };
}

/** A clause without a secret: `the host name does not resolve`. */
export interface NotReached {
  readonly code: 'failed';
  readonly cause: string;
}

export type LookedUp =
  /** `allowed`: those that may be connected to; `forbidden`: link-local ones and the like. */
  | { readonly code: 'addresses'; readonly allowed: readonly string[]; readonly forbidden: readonly string[] }
  | NotReached;

export type Connected = { readonly code: 'connected'; readonly durationMs: number } | NotReached;

export type Shaken =
  | {
      readonly code: 'shaken';
      readonly durationMs: number;
      /** `TLSv1.3`. */
      readonly protocol: string;
      /** Common name of who signed the certificate. */
      readonly issuer: string;
      readonly notAfterMs: number;
    }
  | (NotReached & { readonly fault: TlsFault });

export type TlsFault =
  /** The port speaks, but no TLS. */
  | 'plain'
  /** The certificate is over, or not valid yet. */
  | 'time'
  /** It is for another name. */
  | 'name'
  /** Nobody who is trusted signed it. */
  | 'authority'
  /** The options themselves, or the handshake. */
  | 'other';

/** Deadlines are on the monotonic clock. None throws for what the network did. */
export interface Probe {
  /** As a scrape looks it up; an address is its own answer. */
  readonly lookUp: (host: string, deadlineMs: number) => Promise<LookedUp>;
  readonly connect: (address: string, port: number, deadlineMs: number) => Promise<Connected>;
  /** A connection of its own, closed after the handshake; `durationMs` is the handshake's alone. */
  readonly shakeHands: (peer: Peer, address: string, deadlineMs: number) => Promise<Shaken>;
}
