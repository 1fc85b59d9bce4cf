/**
 * Which addresses a connection may lead to. Judged is the address that is connected to, never a name: a name is looked
 * up once, and what the look-up answered here is what the socket gets.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { LookupFunction } from 'node:net';

/** Host names whose last look-up is remembered: several shards' targets. */
const MAX_REMEMBERED = 1_000;

export interface Addresses {
  /** For `net.connect` and `tls.connect`, which look up with it whatever is no address itself. */
  readonly lookup: LookupFunction;
  /** Whether the host is an address by itself, or was last looked up as one, that only a private network has. */
  readonly isPrivate: (host: string) => boolean;
  /** Why no connection may lead to the address, as Node words it; undefined: it may, or this is no address. */
  readonly refusalOf: (host: string) => NodeJS.ErrnoException | undefined;
}

interface AddressesDeps {
  /** Default: the system's. */
  readonly lookup?: LookupFunction | undefined;
  /** Default: loopback is as good as any other address. */
  readonly refuseLoopback?: boolean | undefined;
}

export function createAddresses({
  lookup = systemLookup as LookupFunction,
  refuseLoopback = false,
}: AddressesDeps = {}): Addresses {
  const privateNames = new Map<string, boolean>();
  const refusalOf = (host: string) => {
    if (isForbidden(host)) return forbidden();
    return refuseLoopback && isIn(LOOPBACK, host) ? loopback() : undefined;
  };
  return {
    refusalOf,
    lookup: (name, options, callback) => {
      lookup(name, { ...options, all: true }, (error, found) => {
        if (error !== null) return callback(error, '');
        const all = found as unknown as readonly LookupAddress[];
        const refusals = all.map(({ address }) => refusalOf(address));
        const allowed = all.filter((_, nth) => refusals[nth] === undefined);
        const [first] = allowed;
        remember(
          privateNames,
          name,
          allowed.length > 0 && allowed.every(({ address }) => isIn(PRIVATE, address)),
        );
        if (first === undefined) return callback(refusals[0] ?? forbidden(), '');
        if (options.all === true) callback(null, [...allowed]);
        else callback(null, first.address, first.family);
      });
    },
    isPrivate: (host) => privateNames.get(host) ?? isIn(PRIVATE, host),
  };
}

function remember(names: Map<string, boolean>, name: string, isPrivate: boolean): void {
  names.delete(name);
  const oldest = names.keys().next();
  if (names.size >= MAX_REMEMBERED && oldest.done !== true) names.delete(oldest.value);
  names.set(name, isPrivate);
}

/**
 * Link-local, and what AWS keeps at fixed addresses: instance metadata, task and pod credentials. No request may lead
 * to them, whatever its name says. False for what is no address.
 */
export function isForbidden(host: string): boolean {
  return isIn(FORBIDDEN, host);
}

/** As Node words it. */
export function forbidden(): NodeJS.ErrnoException {
  return Object.assign(new Error('the address is forbidden'), { code: 'ERR_IP_BLOCKED' });
}

/** The address is the caller's own. */
export const LOOPBACK_ERROR = 'ERR_IP_LOOPBACK';

function loopback(): NodeJS.ErrnoException {
  return Object.assign(new Error('the address is loopback'), { code: LOOPBACK_ERROR });
}

/** IPv4 addresses within IPv6 (`::ffff:169.254.169.254`) are found by BlockList itself. */
const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet('169.254.0.0', 16, 'ipv4');
FORBIDDEN.addSubnet('fe80::', 10, 'ipv6');
// 169.254.0.0/16 through NAT64 (RFC 6052).
FORBIDDEN.addSubnet('64:ff9b::a9fe:0', 112, 'ipv6');
// fd00:ec2::254 is the metadata service, fd00:ec2::23 the credentials of EKS pods; the rest is Amazon's as well.
FORBIDDEN.addSubnet('fd00:ec2::', 32, 'ipv6');

/** Also the unspecified addresses, with which Linux connects to loopback. */
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addSubnet('0.0.0.0', 8, 'ipv4');
LOOPBACK.addSubnet('::', 127, 'ipv6');
LOOPBACK.addSubnet('64:ff9b::7f00:0', 104, 'ipv6');
LOOPBACK.addSubnet('64:ff9b::', 104, 'ipv6');

/** RFC 1918, RFC 6598 (pods on EKS), RFC 4193. */
const PRIVATE = new BlockList();
PRIVATE.addSubnet('10.0.0.0', 8, 'ipv4');
PRIVATE.addSubnet('172.16.0.0', 12, 'ipv4');
PRIVATE.addSubnet('192.168.0.0', 16, 'ipv4');
PRIVATE.addSubnet('100.64.0.0', 10, 'ipv4');
PRIVATE.addSubnet('fc00::', 7, 'ipv6');

function isIn(list: BlockList, host: string): boolean {
  if (isIPv4(host)) return list.check(host, 'ipv4');
  return isIPv6(host) && list.check(host, 'ipv6');
}
