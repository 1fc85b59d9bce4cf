/** Target documents -> targets. One bad document or address never stops the others. */
import { isHostAndPort } from './address.ts';
import type { Target } from './model.ts';
import { createTarget } from './targets.ts';

/** One parameter below `<prefix>/targets`. */
export interface TargetDocument {
  readonly name: string;
  readonly value: string;
  /** When it was last changed, where that is known: of two that contradict each other the newer one is refused. */
  readonly modifiedAtMs?: number;
  /** A SecureString comes as cipher text, of which every word would pass for a host. */
  readonly type?: 'String' | 'StringList' | 'SecureString';
}

export interface DocumentProblem {
  readonly document: string;
  /** Both from 1; absent where the document as a whole is at fault, or is a list of addresses. */
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
}

export interface ReadDocuments {
  readonly targets: readonly Target[];
  readonly problems: readonly DocumentProblem[];
}

/** A target's key is DynamoDB's partition key, 2,048 bytes at most (DynamoDB quotas); a full shard fits its message. */
export const MAX_KEY_LENGTH = 2_048;
/** Problems named of one document; a pasted essay need not fill the log. */
export const MAX_PROBLEMS_PER_DOCUMENT = 5;

/**
 * Lists of addresses, `10.0.1.17:8000 10.0.1.18:8000`, separated by blanks, commas or new lines; scheme and path are
 * allowed. The job's name is the last part of the document's name. Equal targets are scraped once.
 */
export function readDocuments(documents: readonly TargetDocument[]): ReadDocuments {
  const targets = new Map<string, Target>();
  const problems: DocumentProblem[] = [];
  for (const document of documents) {
    const bad = readDocument(document, targets).slice(0, MAX_PROBLEMS_PER_DOCUMENT);
    for (const message of bad) problems.push({ document: document.name, message });
  }
  return { targets: [...targets.values()], problems };
}

const ADDRESSES = 'write addresses, such as 10.0.1.17:8000 10.0.1.18:8000';
/** A word that ends in a colon: a key. Every word around it would pass for a host. */
const YAML_KEY = /(^|\s)[A-Za-z_]\w*:(\s|$)/;

/** Adds the document's targets by job and instance; answers with what is wrong with it. */
function readDocument(
  { name, value, type }: TargetDocument,
  targets: Map<string, Target>,
): readonly string[] {
  if (type === 'SecureString')
    return ['cannot read the document: it is a SecureString; store it as a String, addresses are no secret'];
  if (YAML_KEY.test(value)) return [`cannot read the document: it is YAML, not a list; ${ADDRESSES}`];
  const job = name.slice(name.lastIndexOf('/') + 1);
  const bad: string[] = [];
  for (const word of value.split(/[\s,]+/)) {
    if (word === '') continue;
    const read = readAddress(word, job);
    if (typeof read === 'string') {
      bad.push(read);
      continue;
    }
    // Job and instance are all that Dynatrace sees of a target (D11): a second page would be added to the first.
    const series = JSON.stringify([job, read.instance]);
    const other = targets.get(series);
    if (other === undefined) targets.set(series, read);
    else if (other.key !== read.key) bad.push(describeTwin(read));
  }
  return bad;
}

export function describeTwin({ job, instance }: Target): string {
  const cause = 'its scheme, path or query differ, and Dynatrace could not tell the two apart';
  return `cannot scrape ${instance} twice in the job ${job}: ${cause}; give one of them a document of its own`;
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
    return `cannot read the address ${JSON.stringify(text.slice(0, 80))}: it is too long; shorten its path and query`;
  }
  return target;
}
