/**
 * A Prometheus or Collector configuration -> target documents, and the commands that store them. What does not carry
 * over is said with its line; nothing is answered that the reader of documents would refuse.
 */
import {
  MAX_ALL_DOCUMENTS_BYTES,
  MAX_DOCUMENT_BYTES,
  MAX_JOBS,
  MAX_STATIC_TARGETS,
} from '../config/config-bounds.ts';
import { CONFIG_KEYS } from '../config/config-keys.ts';
import type { Reading } from '../config/config-reading.ts';
import { hasTargets, readRoot } from '../config/document-yaml.ts';
import { readDocuments } from '../config/documents.ts';
import { describeWrapped } from '../config/wrapped.ts';
import { createFindings } from '../config/findings.ts';
import type { Finding, Findings } from '../config/findings.ts';
import { withPlaceholders } from './addresses.ts';
import { configOf, isCollector, readCollector } from './collector.ts';
import type { StoringCommand } from './commands.ts';
import { CLUSTER, withDiscoveries } from './discoveries.ts';
import { documentsOf, textsOfJob } from './documents.ts';
import type { ImportedDocument, Job } from './documents.ts';
import { describeOpen, expandReferences, outsideOf } from './environment.ts';
import type { OpenTexts } from './environment.ts';
import { storingExporter } from './exporters.ts';
import { nestFlattened } from './flattened.ts';
import { flattenedTargets, withChanges, withExternalLabels } from './jobs.ts';
import { type JobChanges, NONE, changesOf } from './processors.ts';
import { createSecretStore, withoutSecrets } from './secrets.ts';
import type { Names, SecretStore } from './secrets.ts';
import { checkRelabel } from '../relabel/relabel.ts';
import {
  childOf,
  entriesOf,
  itemsOf,
  lengthOf,
  listAt,
  mappingAt,
  textAt,
  textOf,
  withEntry,
} from '../config/yaml-tree.ts';
import { readYaml } from '../config/yaml.ts';
import type { YamlMapping, YamlNode } from '../config/yaml.ts';

export interface ImportOptions {
  /** The stack's parameter prefix, `/nim-to-dynatrace`. */
  readonly prefix: string;
  /** The name of a job that has none and is alone. */
  readonly job: string;
  /** What environment references and placeholders stand for. */
  readonly given: ReadonlyMap<string, string>;
}

export interface Imported {
  readonly documents: readonly ImportedDocument[];
  /** What has to be stored beside the documents: secrets, the endpoint, the token. */
  readonly stored: readonly StoringCommand[];
  /** What could not be carried over, and changes what is scraped or sent. */
  readonly problems: readonly Finding[];
  /** What has no effect here, or is to be filled in. */
  readonly notes: readonly Finding[];
}

export function importConfiguration(text: string, options: ImportOptions): Imported {
  const findings = createFindings();
  const imported = importText(text, options, findings);
  for (const name of options.given.keys()) {
    if (!refersTo(text, name) && !(name === CLUSTER && text.includes('kubernetes_sd_configs')))
      findings.problem(
        undefined,
        `cannot use --set ${name}: the file has neither \${env:${name}} nor <${name}>; check the name`,
      );
  }
  return { ...imported, problems: findings.problems, notes: findings.notes };
}

/** A value for a name that is not there is a misspelt name, and what it was meant for stays open. */
function refersTo(text: string, name: string): boolean {
  return [`<${name}>`, `env:${name}`, `{${name}`, `$${name}`].some((reference) => text.includes(reference));
}

const NO_JOBS =
  'cannot find anything to scrape: there are no scrape_configs; a list of addresses is a document already, and can be stored as it is';

type Stored = Pick<Imported, 'documents' | 'stored'>;
const NOTHING: Stored = { documents: [], stored: [] };

function importText(text: string, options: ImportOptions, findings: Findings): Stored {
  if (text.length > MAX_DOCUMENT_BYTES) {
    findings.problem(
      undefined,
      'cannot read the configuration: it is larger than 1 MiB; import a part of it',
    );
    return NOTHING;
  }
  const nested = nestFlattened(text);
  if (nested !== undefined) {
    findings.note(undefined, 'the configuration has no indentation: its nesting was rebuilt from the keys');
  }
  const yaml = readYaml(nested ?? text);
  if (yaml.code === 'faulty') {
    for (const { at, message } of yaml.faults)
      findings.problem(at, message.replace('the document', 'the file'));
    return NOTHING;
  }
  if (lengthOf(yaml.root) > MAX_ALL_DOCUMENTS_BYTES) {
    const cause = 'with its aliases written out it is larger than 8 MiB';
    findings.problem(undefined, `cannot read the configuration: ${cause}; use fewer aliases`);
    return NOTHING;
  }
  const root = configurationIn(yaml.root);
  const wrapped = root === yaml.root ? describeWrapped(root) : undefined;
  if (wrapped !== undefined) {
    findings.problem(root.at, wrapped.replace('the document', 'the file'));
    return NOTHING;
  }
  if (isCollector(root)) return importCollector(root, options, findings);
  if (root.kind === 'text') {
    findings.problem(root.at, NO_JOBS);
    return NOTHING;
  }
  return importSources(
    [{ root: fileOf(root), labelsOverride: false, changes: NONE }],
    new Map(),
    options,
    findings,
  );
}

/** What an OpenTelemetryCollector of Kubernetes holds, or the file itself. */
function configurationIn(root: YamlNode): YamlNode {
  const isResource = textOf(childOf(root, 'kind')) === 'OpenTelemetryCollector';
  const config = isResource ? childOf(childOf(root, 'spec'), 'config') : undefined;
  return config?.kind === 'mapping' ? config : root;
}

function importCollector(written: YamlNode, options: ImportOptions, findings: Findings): Stored {
  const { root, open } = expandReferences(written, options.given);
  const collector = readCollector(root, findings);
  const sources = collector.scrapings.flatMap(({ receiver, processors }): Source[] => {
    const config = configOf(receiver, findings);
    const changes = changesOf(processors, { findings, open });
    return config === undefined ? [] : [{ root: fileOf(config), labelsOverride: true, changes }];
  });
  const { documents, stored } = importSources(sources, open, options, findings);
  return {
    documents,
    stored: [...storingExporter(collector, { prefix: options.prefix, findings, open }), ...stored],
  };
}

/** A Prometheus configuration, and what happens to its metrics afterwards. */
interface Source {
  readonly root: YamlNode;
  /** Whether external labels win over a target's own: with the Collector's receiver they do. */
  readonly labelsOverride: boolean;
  readonly changes: JobChanges;
}

/** A list of scrape_configs, or one alone, as the file that holds them. */
function fileOf(root: YamlNode): YamlNode {
  if (root.kind === 'list') return mappingAt(root.at, { scrape_configs: root });
  const isFile = entriesOf(root).some(
    ({ key }) => Object.hasOwn(CONFIG_KEYS.document, key) || key === 'apiVersion' || key === 'scrape_config',
  );
  return isFile ? root : mappingAt(root.at, { scrape_configs: listAt(root.at, [root]) });
}

function importSources(
  sources: readonly Source[],
  open: OpenTexts,
  options: ImportOptions,
  findings: Findings,
): Stored {
  const secrets = createSecretStore(options.prefix, open);
  const jobs = sources.flatMap((source) => jobsOf(source, open, secrets, options, findings));
  const taken: Names = new Map();
  const documents: ImportedDocument[] = [];
  let bytes = 0;
  for (const job of jobs) {
    for (const document of documentsOf(job, options.prefix, taken, findings)) {
      bytes += document.value.length;
      if (bytes <= MAX_ALL_DOCUMENTS_BYTES) documents.push(document);
    }
  }
  if (bytes > MAX_ALL_DOCUMENTS_BYTES) {
    const cause = 'written out they are larger than 8 MiB together';
    findings.problem(
      undefined,
      `cannot carry over all jobs: ${cause}; deploy a second stack for some of them`,
    );
  }
  const accepted = acceptedOf(documents, options, findings);
  if (accepted.length === 0 && findings.problemCount === 0) findings.problem(undefined, NO_TARGETS);
  if (jobs.some(({ config }) => childOf(config, 'metrics_path') === undefined)) {
    findings.note(undefined, NO_PATH);
  }
  const used = new Set(accepted.flatMap(({ value }) => value.match(/ssm:[\w./-]+/g) ?? []));
  // Of a job that did not carry over the secrets are of no use either.
  const stored = secrets.commands.filter(({ parameter }) => used.has(`ssm:${parameter}`));
  return { documents: accepted, stored };
}

const NO_TARGETS =
  'cannot find anything to scrape: no job has static_configs or a discovery that carries over; write one in a job';
const NO_PATH =
  'no metrics_path: /v1/metrics is tried first, then /metrics, where Prometheus asks /metrics alone';

/** Those that the reader of documents takes, all together. */
function acceptedOf(
  documents: readonly ImportedDocument[],
  { prefix }: ImportOptions,
  findings: Findings,
): readonly ImportedDocument[] {
  const read = readDocuments(documents, { prefix, checkRelabel });
  for (const { document, message } of read.problems) {
    findings.problem(documents.find(({ name }) => name === document)?.at, message);
  }
  return documents.filter(({ name }) => !read.refused.includes(name));
}

/** The jobs of one configuration that carry over. */
function jobsOf(
  { root, labelsOverride, changes }: Source,
  open: OpenTexts,
  secrets: SecretStore,
  options: ImportOptions,
  findings: Findings,
): readonly Job[] {
  const items = itemsOf(childOf(root, 'scrape_configs'));
  if (root.kind !== 'mapping' || items.length === 0 || items.length > MAX_JOBS) {
    readWhole(root, options, findings);
    if (findings.problemCount === 0) findings.problem(root.at, NO_JOBS);
    return [];
  }
  const external = withExternalLabels(changes, childOf(childOf(root, 'global'), 'external_labels'), {
    overrides: labelsOverride,
    open,
    findings,
  });
  const configs = items.map((item, index) => {
    if (item.kind !== 'mapping') return item;
    const job = textOf(childOf(item, 'job_name')) ?? (items.length === 1 ? options.job : `job-${index + 1}`);
    const placed = withDiscoveries(item, { findings, given: options.given });
    const own = flattenedTargets(withChanges(placed, external));
    const safe = withoutSecrets(own, { job, secrets, open });
    return withPlaceholders(safe, { findings, open, given: options.given });
  });
  const global = globalOf(root);
  const whole = withEntry(root, 'scrape_configs', listAt(root.at, configs));
  readWhole(global === undefined ? whole : withEntry(whole, 'global', global), options, findings);
  if (countTargets(configs) > MAX_STATIC_TARGETS) {
    const remedy = 'deploy a second stack for some of them';
    findings.problem(root.at, `cannot carry over more than ${MAX_STATIC_TARGETS} targets; ${remedy}`);
    return [];
  }
  return configs.flatMap((config): readonly Job[] => {
    if (config.kind !== 'mapping') return [];
    const name = textOf(childOf(config, 'job_name')) ?? (items.length === 1 ? options.job : undefined);
    if (name === undefined) return [];
    const jobName = { key: 'job_name', at: config.at, value: textAt(config.at, name, true) };
    const named = childOf(config, 'job_name') ? config : { ...config, entries: [jobName, ...config.entries] };
    const job = { name, global, config: named };
    return holds(job, options, open, findings) ? [job] : [];
  });
}

function globalOf(root: YamlMapping): YamlMapping | undefined {
  const global = childOf(root, 'global');
  if (global?.kind !== 'mapping') return undefined;
  const entries = global.entries.filter(({ key }) => key !== 'external_labels');
  return { ...global, entries };
}

/** Says what the reader of documents has to say, in the lines of the input. */
function readWhole(root: YamlNode, options: ImportOptions, findings: Findings): void {
  readRoot(root, readingOf(options, options.job, findings));
}

function readingOf({ prefix }: ImportOptions, job: string, findings: Findings): Reading {
  return { findings, prefix, job, options: { checkRelabel, consequence: 'the job is left out' } };
}

function holds(job: Job, options: ImportOptions, open: OpenTexts, findings: Findings): boolean {
  const own = createFindings();
  const { name, global, config } = job;
  for (const text of textsOfJob(job)) {
    const outside = outsideOf(text, open);
    if (outside !== undefined) own.problem(text.at, describeOpen('a value', outside));
  }
  for (const { at, message } of own.problems) findings.problem(at, message);
  const read = readRoot(
    mappingAt(config.at, { global, scrape_configs: listAt(config.at, [config]) }),
    readingOf(options, name, own),
  );
  return own.problemCount === 0 && read.every((placed) => hasTargets(placed.config));
}

function countTargets(configs: readonly YamlNode[]): number {
  const groups = configs.flatMap((config) => itemsOf(childOf(config, 'static_configs')));
  return groups.reduce((sum, group) => sum + itemsOf(childOf(group, 'targets')).length, 0);
}
