/**
 * What the command line uses and Node 20 lacks, in its bundle only: the clone brings its own Node, and Lambda has 24.
 * It stands for `node:tls`, whose newer exports would keep an older Node from loading the bundle at all; the rest is
 * put where Node 24 has it.
 */
import { readFileSync } from 'node:fs';
import tls from 'node:tls';

export const { createSecureContext } = tls;

/** Node 22.15's `tls.getCACertificates('default')`; `--use-openssl-ca` and `--use-system-ca` are not heeded before. */
export const getCACertificates: typeof tls.getCACertificates =
  tls.getCACertificates ?? (() => [...tls.rootCertificates, ...extraCertificates()]);

function extraCertificates(): string[] {
  const { NODE_EXTRA_CA_CERTS: file } = process.env;
  if (!file) return [];
  try {
    return [readFileSync(file, 'utf8')];
  } catch {
    // Node has warned about it at its start, and goes on without.
    return [];
  }
}

// AWS' notice that later SDKs leave Node 20: this one is in the bundle and stays.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

// Node 21's.
if (!('groupBy' in Map)) Object.assign(Map, { groupBy });

function groupBy<K, T>(items: Iterable<T>, keyOf: (item: T, index: number) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  let index = 0;
  for (const item of items) {
    const key = keyOf(item, index++);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

// Node 22.1's.
if (!('parse' in URL)) Object.assign(URL, { parse });

function parse(url: string, base?: string): URL | null {
  return URL.canParse(url, base) ? new URL(url, base) : null;
}
