/**
 * What the samples of one name are: a gauge, a counter, or a part of a histogram or summary. The page's own TYPE
 * decides, never a table of known metrics; a series without TYPE is a gauge, as in the Collector, unless the baseline
 * remembers it as cumulative (D11: a lost TYPE line changes nothing).
 */
import type { Metadata, Page } from './exposition.ts';
import type { CumulativeKind, FamilyType } from './model.ts';

export type Part = 'gauge' | 'counter' | 'bucket' | 'count' | 'sum' | 'created';

/** What the samples of one name are. */
export interface Role {
  readonly part: Part;
  /** Name of the metric family, as TYPE gives it. */
  readonly family: string;
  /** The sample's name, with the colons that the Python client loses in OpenMetrics put back. */
  readonly name: string;
  readonly kind: CumulativeKind;
  readonly untyped: boolean;
  readonly metadata: Metadata | undefined;
}

/** Finds a name's role once per page; `known` names what the baseline remembers as cumulative. */
export function createRoles(page: Page, known: ReadonlyMap<string, CumulativeKind>): (name: string) => Role {
  const roles = new Map<string, Role>();
  const colons = page.format === 'openmetrics' ? lostColons(page) : new Map<string, string>();
  const typeOf = (family: string): FamilyType | undefined =>
    page.metadata.get(family)?.type ?? known.get(family);
  return (name) => {
    let role = roles.get(name);
    if (role === undefined) {
      role = findRole(restoreColons(name, colons), page, typeOf, known);
      roles.set(name, role);
    }
    return role;
  };
}

function findRole(
  name: string,
  page: Page,
  typeOf: (family: string) => FamilyType | undefined,
  known: ReadonlyMap<string, CumulativeKind>,
): Role {
  const role = (part: Part, family: string, kind: CumulativeKind = 'counter'): Role => ({
    part,
    family,
    name,
    kind,
    untyped: part === 'gauge' && ((typeOf(family) ?? 'unknown') === 'unknown' || known.has(family)),
    metadata: page.metadata.get(family),
  });
  const base = (suffix: string): string | undefined =>
    name.endsWith(suffix) && name.length > suffix.length ? name.slice(0, -suffix.length) : undefined;

  const own = typeOf(name);
  const total = base('_total');
  // The page's own name of the family, whether or not the baseline remembers the counter: D5 is told by it.
  if (total !== undefined && typeOf(total) === 'counter') return role('counter', total);
  if (own === 'counter') return role('counter', name);
  const created = base('_created');
  if (created !== undefined && (isCumulative(typeOf(created)) || typeOf(`${created}_total`) === 'counter')) {
    return role('created', created);
  }
  if (own === 'histogram') return role('bucket', name, 'histogram');
  if (own !== undefined) return role('gauge', name);
  for (const [suffix, part] of [
    ['_bucket', 'bucket'],
    ['_count', 'count'],
    ['_sum', 'sum'],
  ] as const) {
    const family = base(suffix);
    const type = family === undefined ? undefined : typeOf(family);
    if (family === undefined || (type !== 'histogram' && type !== 'summary')) continue;
    if (type === 'histogram' || part !== 'bucket') return role(part, family, type);
  }
  const info = base('_info');
  return role('gauge', info !== undefined && typeOf(info) === 'info' ? info : name);
}

function isCumulative(type: FamilyType | undefined): boolean {
  return type === 'counter' || type === 'histogram' || type === 'summary';
}

/**
 * The Python client, asked for OpenMetrics without `escaping=allow-utf-8`, writes `# TYPE vllm:x counter` above
 * samples named `vllm_x_total` (prometheus/client_python#1177): underscored family name -> the true one.
 */
function lostColons(page: Page): Map<string, string> {
  const colons = new Map<string, string>();
  for (const family of page.metadata.keys()) {
    const underscored = family.replaceAll(':', '_');
    if (underscored !== family && !page.metadata.has(underscored)) colons.set(underscored, family);
  }
  return colons;
}

const SUFFIXES = ['_bucket', '_count', '_sum', '_total', '_created', '_info', ''] as const;

function restoreColons(name: string, colons: ReadonlyMap<string, string>): string {
  if (colons.size === 0) return name;
  for (const suffix of SUFFIXES) {
    if (!name.endsWith(suffix)) continue;
    const family = colons.get(name.slice(0, name.length - suffix.length));
    if (family !== undefined) return family + suffix;
  }
  return name;
}
