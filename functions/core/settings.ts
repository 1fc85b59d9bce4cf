/** Target documents -> targets. One bad document or address never stops the others. */
import type { Target } from './model.ts';
import { createTarget } from './targets.ts';

/** One parameter below `<prefix>/targets`. */
export interface TargetDocument {
  readonly name: string;
  readonly value: string;
}

export interface DocumentProblem {
  readonly document: string;
  readonly message: string;
}

export interface ReadDocuments {
  readonly targets: readonly Target[];
  readonly problems: readonly DocumentProblem[];
}

/** Problems named of one document; a pasted essay need not fill the log. */
export const MAX_PROBLEMS_PER_DOCUMENT = 5;

/**
 * Lists of addresses, `10.0.1.17:8000 10.0.1.18:8000`, separated by blanks, commas or new lines; scheme and path are
 * allowed. The job's name is the last part of the document's name. Equal targets are scraped once.
 */
export function readDocuments(documents: readonly TargetDocument[]): ReadDocuments {
  const targets = new Map<string, Target>();
  const problems: DocumentProblem[] = [];
  for (const { name, value } of documents) {
    const job = name.slice(name.lastIndexOf('/') + 1);
    const bad: string[] = [];
    for (const word of value.split(/[\s,]+/)) {
      if (word === '') continue;
      const read = readAddress(word, job);
      if (typeof read === 'string') bad.push(read);
      else targets.set(read.key, read);
    }
    for (const message of bad.slice(0, MAX_PROBLEMS_PER_DOCUMENT)) problems.push({ document: name, message });
  }
  return { targets: [...targets.values()], problems };
}

const WITH_SCHEME = /^(https?):\/\/(.*)$/s;

/** A target, or what is wrong with the address. */
export function readAddress(text: string, job: string): Target | string {
  const [, scheme = 'http', rest = text] = WITH_SCHEME.exec(text) ?? [];
  const remedy = 'write host:port, or http(s)://host:port/path';
  if (rest.includes('@')) return `cannot read an address: it holds a user name or password; ${remedy}`;
  if (rest.includes('#') || !URL.canParse(`${scheme}://${rest}`)) {
    return `cannot read the address ${JSON.stringify(text.slice(0, 80))}: it is no host and port; ${remedy}`;
  }
  const url = new URL(`${scheme}://${rest}`);
  const address = rest.slice(0, rest.search(/[/?]|$/));
  if (url.host === '' || !isHostAndPort(address)) {
    return `cannot read the address ${JSON.stringify(text.slice(0, 80))}: it is no host and port; ${remedy}`;
  }
  return createTarget({
    job,
    instance: address,
    scheme: scheme === 'https' ? 'https' : 'http',
    address,
    path: rest.includes('/') ? url.pathname : '',
    params: [...url.searchParams],
  });
}

/** Host names, IPv4, IPv6 in brackets; a port from 1 to 65535. */
function isHostAndPort(address: string): boolean {
  const match = /^(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/.exec(address);
  if (match === null) return false;
  const port = match[1] === undefined ? 80 : Number(match[1]);
  return port >= 1 && port <= 65_535;
}
