/** DNS, TCP and TLS towards one server, each only where the one before it went well. */
import type { Clock } from '../ports.ts';
import { type Check, failed, ok, warning } from './checks.ts';
import {
  type Place,
  type Side,
  hostPort,
  refusedRemedy,
  tlsRemedy,
  unreachedRemedy,
  unresolvedRemedy,
} from './place.ts';
import type { Peer, Probe, Shaken } from './probe.ts';

/** Addresses of one name that are connected to: replicas enough to see which of them are closed. */
export const MAX_ADDRESSES = 16;

/** Addresses that a message names. */
const MAX_NAMED = 4;

/** A certificate with less left than this is due: what renews itself by ACME does so a month before its end. */
export const MIN_CERTIFICATE_LEFT_MS = 14 * 86_400_000;

export interface Reached {
  readonly checks: readonly Check[];
  /** Whether a request is worth while. */
  readonly reached: boolean;
}

export async function reach(
  peer: Peer,
  { probe, clock, place }: { readonly probe: Probe; readonly clock: Clock; readonly place: Place },
  deadlineMs: number,
  side: Side,
): Promise<Reached> {
  const { host, port } = peer;
  const startMs = clock.monotonicMs();
  const found = await probe.lookUp(host, deadlineMs);
  const tookMs = clock.monotonicMs() - startMs;
  const dns = dnsCheck(peer, found, tookMs, side, place);
  if (found.code === 'failed' || found.allowed.length === 0) return { checks: [dns], reached: false };

  const addresses = found.allowed.slice(0, MAX_ADDRESSES);
  const tried = await Promise.all(
    addresses.map(async (address) => [address, await probe.connect(address, port, deadlineMs)] as const),
  );
  const open = tried.flatMap(([address, result]) =>
    result.code === 'connected' ? [{ address, durationMs: result.durationMs }] : [],
  );
  const closed = tried.flatMap(([address, result]) =>
    result.code === 'failed' ? [{ address, cause: result.cause }] : [],
  );
  const tcp = tcpCheck(port, open, closed, side, place);
  const [first] = open;
  if (first === undefined || peer.tls === undefined) {
    return { checks: [dns, tcp], reached: first !== undefined };
  }
  const shaken = await probe.shakeHands(peer, first.address, deadlineMs);
  const tls = tlsCheck(peer, shaken, clock.wallMs(), side, place);
  return { checks: [dns, tcp, tls], reached: shaken.code === 'shaken' };
}

function dnsCheck(
  { host, port }: Peer,
  found: Awaited<ReturnType<Probe['lookUp']>>,
  tookMs: number,
  side: Side,
  place: Place,
): Check {
  if (found.code === 'failed') {
    const remedy = unresolvedRemedy(place, side);
    return failed('dns', `cannot look up ${host}: ${found.cause}`, remedy, tookMs);
  }
  const { allowed, forbidden } = found;
  if (allowed.length === 0) {
    const why = 'link-local addresses hold the credentials of AWS and are never scraped';
    return failed('dns', `cannot use ${named(forbidden)}: ${why}`, 'name the address of the server itself');
  }
  if (allowed.length === 1 && allowed[0] === host) return ok('dns', `${host} is an address`);
  const families = [allowed.filter((one) => !one.includes(':')), allowed.filter((one) => one.includes(':'))];
  const replicas = Math.max(...families.map((family) => family.length));
  if (side === 'target' && replicas > 1) {
    return warning(
      'dns',
      `${host} is ${allowed.length} addresses (${named(allowed)}): each may be another process, with counters of its own`,
      `scrape each: dns_sd_configs: [{names: [${host}], type: A, port: ${port}}]`,
      tookMs,
    );
  }
  const ignored = forbidden.length === 0 ? '' : `, and ${named(forbidden)}, which is never scraped`;
  return ok('dns', `${host} is ${named(allowed)}${ignored}`, tookMs);
}

function tcpCheck(
  port: number,
  open: readonly { readonly address: string; readonly durationMs: number }[],
  closed: readonly { readonly address: string; readonly cause: string }[],
  side: Side,
  place: Place,
): Check {
  const failures = closed
    .slice(0, MAX_NAMED)
    .map(({ address, cause }) => `${hostPort(address, port)}: ${cause}`);
  const more = closed.length > MAX_NAMED ? `; and ${closed.length - MAX_NAMED} more` : '';
  const [first] = open;
  if (first === undefined) {
    return failed('tcp', `cannot connect to ${failures.join('; ')}${more}`, tcpRemedy(closed, side, place));
  }
  const latencyMs = Math.max(...open.map(({ durationMs }) => durationMs));
  if (closed.length > 0) {
    const some = `${open.length} of ${open.length + closed.length} addresses take a connection`;
    return warning(
      'tcp',
      `${some}; ${failures.join('; ')}${more}`,
      'check whether those are still there',
      latencyMs,
    );
  }
  const all =
    open.length === 1 ? hostPort(first.address, port) : `all ${open.length} addresses on port ${port}`;
  return ok('tcp', `connected to ${all}`, latencyMs);
}

function tcpRemedy(closed: readonly { readonly cause: string }[], side: Side, place: Place): string {
  return side === 'target' && closed.every(({ cause }) => /refused/.test(cause))
    ? refusedRemedy(place)
    : unreachedRemedy(place, side);
}

function tlsCheck(peer: Peer, shaken: Shaken, nowMs: number, side: Side, place: Place): Check {
  if (shaken.code === 'failed') {
    const message = `cannot agree on TLS with ${hostPort(peer.host, peer.port)}: ${shaken.cause}`;
    return failed('tls', message, tlsRemedy(peer, shaken.fault, side, place));
  }
  const { protocol, issuer, notAfterMs, durationMs } = shaken;
  const days = Math.floor((notAfterMs - nowMs) / 86_400_000);
  const facts = `${protocol}, certificate by ${issuer}, ${days} days left`;
  if (peer.tls?.config?.insecureSkipVerify === true) {
    const remedy = 'name its authority in tls_config: ca, instead of insecure_skip_verify';
    return warning('tls', `${protocol}, and nobody verifies the certificate`, remedy, durationMs);
  }
  return notAfterMs - nowMs < MIN_CERTIFICATE_LEFT_MS
    ? warning('tls', facts, 'renew the certificate', durationMs)
    : ok('tls', facts, durationMs);
}

function named(addresses: readonly string[]): string {
  const shown = addresses.slice(0, MAX_NAMED).join(', ');
  return addresses.length > MAX_NAMED ? `${shown} and ${addresses.length - MAX_NAMED} more` : shown;
}
