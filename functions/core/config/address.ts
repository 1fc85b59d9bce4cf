/** An address as people write it -> a target. */
import type { Target } from '../model.ts';
import { createTarget } from '../targets.ts';
import { quote } from './findings.ts';
import { describeSecretParam, isSecretParam } from './secret-param.ts';

/** A target's key is DynamoDB's partition key, 2,048 bytes at most (DynamoDB quotas); a full shard fits its message. */
export const MAX_KEY_LENGTH = 2_048;

const WITH_SCHEME = /^(https?):\/\/(.*)$/s;

/** A target, or what is wrong with the address. */
export function readAddress(text: string, job: string): Target | string {
  const [, scheme = 'http', rest = text] = WITH_SCHEME.exec(text) ?? [];
  const remedy = 'write host:port, or http(s)://host:port/path';
  if (rest.includes('@')) return `cannot read an address: it holds a user name or password; ${remedy}`;
  if (rest.includes('#') || !URL.canParse(`${scheme}://${rest}`)) {
    return `cannot read the address ${shownAddress(text)}: it is no host and port; ${remedy}`;
  }
  const url = new URL(`${scheme}://${rest}`);
  const address = rest.slice(0, rest.search(/[/?]|$/));
  if (url.host === '' || !isHostAndPort(address)) {
    return `cannot read the address ${shownAddress(text)}: it is no host and port; ${remedy}`;
  }
  const secret = [...url.searchParams].find(([name]) => isSecretParam(name))?.[0];
  if (secret !== undefined) return describeSecretParam(secret, job);
  const target = createTarget({
    job,
    instance: address,
    scheme: scheme === 'https' ? 'https' : 'http',
    address,
    // A browser puts the slash there: it is no choice of a path.
    path: url.pathname === '/' ? '' : url.pathname,
    params: [...url.searchParams],
  });
  if (target.key.length > MAX_KEY_LENGTH) {
    return `cannot read the address ${shownAddress(text)}: it is too long; shorten its path and query`;
  }
  return target;
}

/** As it may stand in a message: without a query, of which any part may be a secret. */
export function shownAddress(text: string): string {
  return quote(text.replace(/\?.*$/s, ''));
}

/** Host names, IPv4, IPv6 in brackets; a port from 1 to 65535. No scheme, path or user name. */
export function isHostAndPort(address: string): boolean {
  const match = /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/.exec(address);
  if (match === null) return false;
  const port = match[1] === undefined ? 80 : Number(match[1]);
  return port >= 1 && port <= 65_535;
}
