/** Target documents -> scrape_configs. A document with a mistake is refused whole and never stops the others. */
import {
  MAX_ALL_DOCUMENTS_BYTES,
  MAX_DOCUMENT_BYTES,
  MAX_DOCUMENTS,
  MAX_JOBS,
  MAX_NAMED_FINDINGS,
  MAX_STATIC_TARGETS,
} from './config-bounds.ts';
import type { ReadOptions, Reading } from './config-reading.ts';
import { configsOfAddresses, readAddresses, withoutTwins } from './document-addresses.ts';
import { readFragment } from './document-yaml.ts';
import type { PlacedConfig } from './document-yaml.ts';
import { createFindings, quote } from './findings.ts';
import type { Finding, Findings } from './findings.ts';
import type { Target } from '../model.ts';
import type { ScrapeConfig } from '../scrape-config.ts';
import { emptyMapping, readGlobals, readScrapeConfig } from './scrape-config-reading.ts';
import type { YamlPlace } from './yaml.ts';

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

/** Something that a document says without effect, or with another effect than in Prometheus. */
export type DocumentNote = DocumentProblem;

export interface ReadDocuments {
  /** One of each job, but for lists of addresses that repeat a query parameter: those have one for each such query. */
  readonly configs: readonly ScrapeConfig[];
  readonly problems: readonly DocumentProblem[];
  readonly notes: readonly DocumentNote[];
  /** Names of documents of which nothing is in `configs`: their last good version stays in force. */
  readonly refused: readonly string[];
}

export interface DocumentOptions extends ReadOptions {
  /** The stack's parameter prefix: where remedies put secrets. */
  readonly prefix?: string;
}

/**
 * A list of addresses, `10.0.1.17:8000 10.0.1.18:8000`, separated by blanks, commas or new lines; or YAML or JSON: one
 * scrape_config, a list of them, or a Prometheus file. Documents that name the same job are merged, if all but their
 * targets is the same. Where two contradict each other, or all are too many, the one that was changed last is refused:
 * what worked goes on working.
 */
export function readDocuments(
  documents: readonly TargetDocument[],
  options: DocumentOptions = {},
): ReadDocuments {
  const read = documents.map((document) => readDocument(document, options));
  const admitted = admit(read);
  return {
    configs: merge(read.flatMap((document) => admitted.get(document) ?? [])),
    problems: read.flatMap(({ name, findings }) => firstOf(name, findings.problems, 'problems')),
    notes: read.flatMap((document) =>
      admitted.has(document) ? firstOf(document.name, document.findings.notes, 'notes') : [],
    ),
    refused: read.flatMap((document) => (admitted.has(document) ? [] : [document.name])),
  };
}

/** Named up to a bound; the rest is counted. */
function firstOf(document: string, found: readonly Finding[], what: string): readonly DocumentProblem[] {
  const named = found
    .slice(0, MAX_NAMED_FINDINGS)
    .map(({ at, message }) => ({ document, ...(at && { line: at.line, column: at.column }), message }));
  const rest = found.length - named.length;
  return rest === 0 ? named : [...named, { document, message: `and ${rest} more ${what}` }];
}

/** What one document says, before it is held against the others. */
interface OneDocument {
  readonly name: string;
  readonly modifiedAtMs: number;
  readonly bytes: number;
  readonly findings: Findings;
  readonly configs: readonly PlacedConfig[];
  /** Of a list of addresses, with the scrape_config that has nothing but defaults. */
  readonly list?: { readonly targets: readonly Target[]; readonly base: ScrapeConfig };
}

/** A word that ends in a colon is a key; a brace, or a bracket around braces, begins JSON. */
const YAML = /(?:^|\s)["']?[A-Za-z_][\w-]*["']?:(?:\s|$)|^\s*(?:\{|\[\s*\{|---)/;
const COMMENT = /(^|\s)#.*$/gm;

function readDocument(document: TargetDocument, options: DocumentOptions): OneDocument {
  const { name, value, type, modifiedAtMs = 0 } = document;
  const findings = createFindings();
  const bytes = value.length > MAX_DOCUMENT_BYTES ? value.length : new TextEncoder().encode(value).length;
  const own = { name, modifiedAtMs, bytes, findings, configs: [] };
  const unreadable =
    type === 'SecureString' ? SECURE_STRING : bytes > MAX_DOCUMENT_BYTES ? TOO_LARGE : undefined;
  if (unreadable !== undefined) {
    findings.problem(undefined, unreadable);
    return own;
  }
  const job = name.slice(name.lastIndexOf('/') + 1);
  const reading: Reading = { findings, prefix: options.prefix ?? DEFAULT_PREFIX, job, options };
  const uncommented = value.replace(COMMENT, '$1');
  if (YAML.test(uncommented)) return { ...own, configs: readFragment(value, reading) };
  const nothing = emptyMapping({ line: 1, column: 1 });
  const base = readScrapeConfig(nothing, readGlobals(nothing, reading), job, reading);
  if (base === undefined) return own;
  const { targets, clusters } = readAddresses(uncommented, job, findings);
  return { ...own, list: { targets, base: { ...base, kubernetesSdConfigs: clusters } } };
}

const DEFAULT_PREFIX = '/nim-to-dynatrace';
const SECURE_STRING =
  'cannot read the document: it is a SecureString; store it as a String, addresses are no secret';
const TOO_LARGE = `cannot read the document: it is larger than ${MAX_DOCUMENT_BYTES / 1024 / 1024} MiB; split its targets over several, with the same settings in each`;

/** What the documents admitted so far ask for. */
interface Admitted {
  readonly configs: Map<OneDocument, readonly ScrapeConfig[]>;
  readonly jobs: Map<string, { readonly of: OneDocument; readonly config: ScrapeConfig }>;
  readonly instances: Map<string, Target>;
  bytes: number;
  targets: number;
}

/** The documents that hold, with their scrape_configs: each is judged by those that were not changed after it. */
function admit(documents: readonly OneDocument[]): ReadonlyMap<OneDocument, readonly ScrapeConfig[]> {
  const all: Admitted = { configs: new Map(), jobs: new Map(), instances: new Map(), bytes: 0, targets: 0 };
  for (const document of documents.toSorted((a, b) => a.modifiedAtMs - b.modifiedAtMs)) {
    const { list, findings } = document;
    const fresh = withoutTwins(list?.targets ?? [], all.instances, findings);
    const at = undefined;
    const placed =
      list === undefined
        ? document.configs
        : configsOfAddresses([...fresh.values()], list.base).map((config) => ({ config, at }));
    const isEmpty = fresh.size === 0 && list?.base.kubernetesSdConfigs.length === 0;
    const broken = findings.problems.length > 0 && (list === undefined || isEmpty);
    if (broken || !agrees(document, placed, all)) continue;
    all.configs.set(
      document,
      placed.map(({ config }) => config),
    );
    for (const { config } of placed) {
      if (!all.jobs.has(config.jobName))
        all.jobs.set(config.jobName, { of: document, config: list?.base ?? config });
      all.targets += countTargets(config);
    }
    for (const [series, target] of fresh) all.instances.set(series, target);
    all.bytes += document.bytes;
  }
  return all.configs;
}

/** Whether the document fits in beside all others; what speaks against it goes to its findings. */
function agrees(
  document: OneDocument,
  placed: readonly (Omit<PlacedConfig, 'at'> & { readonly at: YamlPlace | undefined })[],
  all: Admitted,
): boolean {
  const newJobs = new Set(
    placed.flatMap(({ config: { jobName } }) => (all.jobs.has(jobName) ? [] : [jobName])),
  );
  const targets = placed.reduce((sum, { config }) => sum + countTargets(config), all.targets);
  const excess = [
    { count: all.configs.size + 1, max: MAX_DOCUMENTS, what: 'documents' },
    { count: all.bytes + document.bytes, max: MAX_ALL_DOCUMENTS_BYTES, what: 'bytes' },
    { count: all.jobs.size + newJobs.size, max: MAX_JOBS, what: 'jobs' },
    { count: targets, max: MAX_STATIC_TARGETS, what: 'targets' },
  ].filter(({ count, max }) => count > max);
  for (const { count, max, what } of excess) {
    const cause = `with it all documents together have ${count} ${what}, and ${max} are the most`;
    const remedy = 'remove some, or deploy a second stack with its own parameter prefix';
    document.findings.problem(undefined, `cannot use the document: ${cause}; ${remedy}`);
  }
  const contradictions = placed.flatMap(({ config, at }) => {
    const other = all.jobs.get(config.jobName);
    const differing = other === undefined ? [] : differingKeys(document.list?.base ?? config, other.config);
    if (other === undefined || differing.length === 0) return [];
    const cause = `${other.of.name} has the same job with another ${differing.join(', ')}`;
    const remedy = 'write the same in both, or give one of the two jobs another job_name';
    return [
      { at, message: `cannot use the job ${quote(config.jobName)} of ${document.name}: ${cause}; ${remedy}` },
    ];
  });
  for (const { at, message } of contradictions) document.findings.problem(at, message);
  return excess.length + contradictions.length === 0;
}

function countTargets({ staticConfigs }: ScrapeConfig): number {
  return staticConfigs.reduce((sum, { targets }) => sum + targets.length, 0);
}

/** All but where the targets come from, by Prometheus' own keys. */
function settingsOf({ settings, ...own }: ScrapeConfig): ReadonlyMap<string, string> {
  const entries = Object.entries({ ...own, ...settings, ...NO_SOURCES });
  return new Map(entries.map(([name, value]) => [keyOf(name), JSON.stringify(value)]));
}

const NO_SOURCES = { staticConfigs: [], dnsSdConfigs: [], httpSdConfigs: [], kubernetesSdConfigs: [] };

function keyOf(name: string): string {
  return name.replace(/(?:Ms|Bytes)$/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function differingKeys(one: ScrapeConfig, other: ScrapeConfig): readonly string[] {
  const [a, b] = [settingsOf(one), settingsOf(other)];
  return [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));
}

/** Target lists of the same job and settings, one behind the other. */
function merge(configs: readonly ScrapeConfig[]): readonly ScrapeConfig[] {
  const alike = Map.groupBy(configs, (config) => JSON.stringify([...settingsOf(config)]));
  return [...alike.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    return [
      {
        ...first,
        staticConfigs: same.flatMap((config) => config.staticConfigs),
        dnsSdConfigs: eachOnce(same.flatMap((config) => config.dnsSdConfigs)),
        httpSdConfigs: eachOnce(same.flatMap((config) => config.httpSdConfigs)),
        kubernetesSdConfigs: eachOnce(same.flatMap((config) => config.kubernetesSdConfigs)),
      },
    ];
  });
}

function eachOnce<T>(configs: readonly T[]): readonly T[] {
  return [...new Map(configs.map((one) => [JSON.stringify(one), one])).values()];
}
