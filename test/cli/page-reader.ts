/**
 * A second, slow reading of exposition pages, for comparison: what of a page should arrive when all of it is new on a
 * known target. Flat keys under Dynatrace's names, as in scripted-process.ts.
 */
export interface Reading {
  readonly increases: Readonly<Record<string, number>>;
  readonly gauges: Readonly<Record<string, number>>;
}

const TEXT = String.raw`"(?:[^"\\]|\\.)*"`;
const SAMPLE = new RegExp(String.raw`^([\w:.]*)\s*(?:\{((?:[^"}]|${TEXT})*)\})?\s*(\S+)`, 'u');
const LABEL = new RegExp(String.raw`(?:(${TEXT}|\w+)\s*=\s*)?(${TEXT})`, 'gu');
/** Counts of the machine, not of the process, begin with a baseline. */
const OUTLIVING = /^(DCGM_|node_|container_)|energy_consumption/;
const NOT_SENT = /^(python_|process_)|_created$/;

interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

export function readPage(page: string): Reading {
  const types = new Map<string, string>();
  const samples: Sample[] = [];
  for (const line of page.split(/\r?\n/)) {
    const [, family = '', type = ''] = /^# TYPE ("[^"]*"|\S+) (\w+)/.exec(line) ?? [];
    if (family !== '') types.set(plainName(unquoted(family)), type);
    else if (line.trim() !== '' && !line.startsWith('#')) samples.push(readSample(line));
  }
  const increases: Record<string, number> = {};
  const gauges: Record<string, number> = {};
  const below = new Map<string, number>();
  for (const { name, labels, value } of samples) {
    if (NOT_SENT.test(name)) continue;
    const [part, family] = partOf(name, types);
    const key = sentKey(name, labels);
    if (part === 'gauge') {
      if (Number.isFinite(value)) gauges[key] = (gauges[key] ?? 0) + value;
    } else if (OUTLIVING.test(family)) continue;
    else if (part === 'bucket') {
      // Buckets stand on the page in the order of their bounds.
      const series = keyOf(family, new Map([...labels].filter(([label]) => label !== 'le')));
      increases[key] = value - (below.get(series) ?? 0);
      below.set(series, value);
    } else increases[key] = (increases[key] ?? 0) + value;
  }
  return { increases: notZero(increases), gauges };
}

/** Two metrics of these pages have NIM's own names, all engines together. */
function sentKey(name: string, labels: ReadonlyMap<string, string>): string {
  const [, own] = /^vllm_(prompt_tokens_total|num_requests_running)$/.exec(name) ?? [];
  return own === undefined
    ? keyOf(name, labels)
    : keyOf(
        own,
        [...labels].filter(([key]) => key !== 'engine'),
      );
}

function readSample(line: string): Sample {
  const [, bare = '', inside = '', number = ''] = SAMPLE.exec(line) ?? [];
  let name = bare;
  const labels = new Map<string, string>();
  for (const [, label, value = ''] of inside.matchAll(LABEL)) {
    if (label === undefined) name = unquoted(value);
    else labels.set(plainName(unquoted(label)).toLowerCase(), unquoted(value));
  }
  if (labels.has('le'))
    labels.set('le', String(numberOf(labels.get('le') ?? '')).replace('Infinity', '+Inf'));
  return { name: plainName(name), labels, value: numberOf(number) };
}

/** Decimal only: Go, whose rules these are, reads `0x10` as no number. */
function numberOf(text: string): number {
  if (text.includes('x')) return NaN;
  return Number(text.replace(/Inf$/, 'Infinity'));
}

function partOf(name: string, types: ReadonlyMap<string, string>): readonly [part: string, family: string] {
  if (types.get(name) === 'counter') return ['counter', name];
  if (types.has(name)) return ['gauge', name];
  const [, family = '', suffix = ''] = /^(.*)_(total|bucket|sum|count)$/.exec(name) ?? [];
  const type = types.get(family);
  if (suffix === 'total' && type === 'counter') return ['counter', family];
  if (suffix !== 'total' && (type === 'histogram' || type === 'summary')) return [suffix, family];
  return ['gauge', name];
}

function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
}

function plainName(name: string): string {
  return name.replace(/[^A-Za-z0-9_.-]/gu, '_');
}

export function keyOf(name: string, labels: Iterable<readonly [string, string]>): string {
  const texts = [...labels].filter(([, value]) => value !== '').map(([key, value]) => `${key}="${value}"`);
  return texts.length === 0 ? name : `${name}{${texts.sort().join(',')}}`;
}

function notZero(values: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== 0));
}
