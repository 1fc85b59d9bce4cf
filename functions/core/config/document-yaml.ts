/** One YAML or JSON document: a scrape_config, a list of them, or a Prometheus file. */
import { MAX_JOBS } from './config-bounds.ts';
import { CONFIG_KEYS } from './config-keys.ts';
import { readKeys } from './config-reading.ts';
import type { Reading } from './config-reading.ts';
import { quote } from './findings.ts';
import type { ScrapeConfig } from '../scrape-config.ts';
import { emptyMapping, readGlobals, readScrapeConfig } from './scrape-config-reading.ts';
import type { Globals } from './scrape-config-reading.ts';
import { describeWrapped } from './wrapped.ts';
import { isNull, readYaml } from './yaml.ts';
import type { YamlMapping, YamlNode, YamlPlace } from './yaml.ts';

export interface PlacedConfig {
  readonly config: ScrapeConfig;
  readonly at: YamlPlace;
}

/** What is wrong goes to the findings; with problems among them nothing of the answer may be used. */
export function readFragment(text: string, reading: Reading): readonly PlacedConfig[] {
  const { problem } = reading.findings;
  const yaml = readYaml(text);
  if (yaml.code === 'faulty') {
    for (const { at, message } of yaml.faults) problem(at, message);
    return [];
  }
  return readRoot(yaml.root, reading);
}

/** As `readFragment`, of a tree that is read already. */
export function readRoot(root: YamlNode, reading: Reading): readonly PlacedConfig[] {
  const { problem } = reading.findings;
  if (isNull(root)) return [];
  if (root.kind === 'text') {
    problem(
      root.at,
      `cannot read the document: it is a single text; write addresses alone, or keys such as static_configs:`,
    );
    return [];
  }
  const foreign = root.kind === 'mapping' ? describeForeign(root) : undefined;
  if (foreign !== undefined) {
    problem(root.at, foreign);
    return [];
  }
  if (root.kind === 'mapping' && root.entries.some(({ key }) => Object.hasOwn(CONFIG_KEYS.document, key))) {
    return readFile(root, reading);
  }
  const globals = readGlobals(emptyMapping(root.at), reading);
  return readConfigs(root.kind === 'list' ? root.items : [root], globals, reading);
}

/** Other configurations in YAML, each of whose keys would be a mistake of its own. */
function describeForeign(root: YamlMapping): string | undefined {
  const has = (key: string): boolean => root.entries.some((entry) => entry.key === key);
  const wrapped = describeWrapped(root);
  if (wrapped !== undefined) return wrapped;
  if (has('scrape_config')) {
    return 'cannot use scrape_config: it is no key of a Prometheus file; write scrape_configs';
  }
  if (has('apiVersion') && has('kind')) {
    return 'cannot read the document: it is a Kubernetes object; write a scrape_config, with the pods under kubernetes_sd_configs, or their addresses under static_configs';
  }
  if (has('receivers') || has('exporters')) {
    return 'cannot read the document: it is a Collector configuration; run: nim-to-dynatrace import FILE, which makes documents of it';
  }
  return undefined;
}

function readFile(root: YamlMapping, reading: Reading): readonly PlacedConfig[] {
  const read = readKeys(root, 'document', reading);
  if (read === undefined) return [];
  const { global, scrape_configs: configs } = read.values;
  return readConfigs(configs?.items ?? [], readGlobals(global ?? emptyMapping(root.at), reading), reading);
}

function readConfigs(
  items: readonly YamlNode[],
  globals: Globals,
  reading: Reading,
): readonly PlacedConfig[] {
  if (items.length > MAX_JOBS) {
    const cause = `it has ${items.length} scrape_configs, and ${MAX_JOBS} jobs are the most`;
    reading.findings.problem(items[MAX_JOBS]?.at, `cannot use the document: ${cause}; remove some`);
    return [];
  }
  // One alone may leave its name to the parameter's.
  const defaultJob = items.length === 1 ? reading.job : undefined;
  const placed = items.flatMap((item) => {
    const { problemCount } = reading.findings;
    const config = readScrapeConfig(item, globals, defaultJob, reading);
    if (config !== undefined && !hasTargets(config) && reading.findings.problemCount === problemCount) {
      const cause = 'it has neither static_configs nor a discovery';
      const what = `cannot find anything to scrape in the job ${quote(config.jobName)}`;
      reading.findings.note(item.at, `${what}: ${cause}; write one`);
    }
    return config === undefined ? [] : [{ config, at: item.at }];
  });
  const lines = new Map<string, number>();
  for (const { config, at } of placed) {
    const first = lines.get(config.jobName);
    if (first === undefined) lines.set(config.jobName, at.line);
    else if (config.jobName !== '') reading.findings.problem(at, describeDouble(config.jobName, first));
  }
  return placed;
}

/** Whether it says where they come from; a job without is valid, as in Prometheus. */
export function hasTargets(config: ScrapeConfig): boolean {
  const { staticConfigs, dnsSdConfigs, httpSdConfigs, kubernetesSdConfigs } = config;
  return [staticConfigs, dnsSdConfigs, httpSdConfigs, kubernetesSdConfigs].some((list) => list.length > 0);
}

function describeDouble(job: string, first: number): string {
  return `cannot use the job ${JSON.stringify(job)}: it stands twice in the document, first in line ${first}; put the targets of both under one static_configs, or rename one`;
}
