/** A `scrape_config`, and the `global` beside it, with Prometheus' defaults and bounds. */
import { MAX_BODY_SIZE_LIMIT_BYTES, MAX_PARAMS, MAX_SAMPLE_LIMIT } from './config-bounds.ts';
import { readKeys, readTexts } from './config-reading.ts';
import type { ReadKeys, Reading } from './config-reading.ts';
import { readDnsSdConfig, readHttpSdConfig, readKubernetesSdConfig } from './discovery-configs.ts';
import { quote } from './findings.ts';
import { readHttpClient } from './http-config.ts';
import { describeSecretParam, isSecretParam } from './secret-param.ts';
import { DEFAULT_OUTPUT } from '../output-text.ts';
import type { ScrapeConfig, ScrapeSettings } from '../scrape-config.ts';
import { DEFAULT_INTERVAL_MS, DEFAULT_TIMEOUT_MS } from '../targets.ts';
import { readOutput } from './output-config.ts';
import { readAttributes } from './static-attributes.ts';
import { readRelabelConfig, readTargetGroup } from './target-sources.ts';
import type { YamlList, YamlMapping, YamlNode, YamlPlace } from './yaml.ts';

interface Limits {
  readonly sampleLimit: number;
  readonly bodySizeLimitBytes: number;
  readonly targetLimit: number;
  readonly labelLimit: number;
  readonly labelNameLengthLimit: number;
  readonly labelValueLengthLimit: number;
}

/** What jobs inherit. */
export interface Globals {
  readonly scrapeIntervalMs: number;
  /** Undefined where it is the default. */
  readonly intervalAt: YamlPlace | undefined;
  readonly scrapeTimeoutMs: number;
  readonly limits: Limits;
}

const NO_LIMITS: Limits = {
  sampleLimit: MAX_SAMPLE_LIMIT,
  bodySizeLimitBytes: MAX_BODY_SIZE_LIMIT_BYTES,
  targetLimit: 0,
  labelLimit: 0,
  labelNameLengthLimit: 0,
  labelValueLengthLimit: 0,
};

type Scrape = ReadKeys<'scrape_config'>;

/** An empty mapping: all defaults. */
export function emptyMapping(at: YamlNode['at']): YamlMapping {
  return { kind: 'mapping', at, entries: [] };
}

export function readGlobals(node: YamlNode, reading: Reading): Globals {
  const read = readKeys(node, 'global', reading) ?? readKeys(emptyMapping(node.at), 'global', reading);
  if (read === undefined) throw new Error('an empty mapping is none');
  const { values, placeOf } = read;
  const scrapeIntervalMs = values.scrape_interval || DEFAULT_INTERVAL_MS;
  const timeoutMs = values.scrape_timeout || 0;
  if (timeoutMs > scrapeIntervalMs)
    reading.findings.problem(placeOf('scrape_timeout'), TIMEOUT_OVER_INTERVAL);
  return {
    scrapeIntervalMs,
    intervalAt: values.scrape_interval ? placeOf('scrape_interval') : undefined,
    scrapeTimeoutMs: timeoutMs || Math.min(DEFAULT_TIMEOUT_MS, scrapeIntervalMs),
    limits: readLimits(values, NO_LIMITS),
  };
}

const TIMEOUT_OVER_INTERVAL =
  'cannot use scrape_timeout: it is longer than scrape_interval; shorten it, or lengthen scrape_interval';

/** 0 and absent alike are what `base` says. */
function readLimits(values: Scrape['values'] | ReadKeys<'global'>['values'], base: Limits): Limits {
  return {
    sampleLimit: values.sample_limit || base.sampleLimit,
    bodySizeLimitBytes: values.body_size_limit || base.bodySizeLimitBytes,
    targetLimit: values.target_limit || base.targetLimit,
    labelLimit: values.label_limit || base.labelLimit,
    labelNameLengthLimit: values.label_name_length_limit || base.labelNameLengthLimit,
    labelValueLengthLimit: values.label_value_length_limit || base.labelValueLengthLimit,
  };
}

/** `defaultJob` stands for an absent `job_name`. Undefined, or anything at all, where problems were found. */
export function readScrapeConfig(
  node: YamlNode,
  globals: Globals,
  defaultJob: string | undefined,
  outer: Reading,
): ScrapeConfig | undefined {
  const reading = { ...outer, job: jobNameOf(node) ?? outer.job };
  const { problem, problemCount } = reading.findings;
  const read = readKeys(node, 'scrape_config', reading);
  if (read === undefined) return undefined;
  const { values, placeOf } = read;
  const jobName = values.job_name ?? defaultJob;
  if (jobName === undefined) {
    problem(
      node.at,
      'cannot read a scrape_config: it has no job_name, and the document holds several; write job_name: in each',
    );
  } else if (jobName === '') problem(placeOf('job_name'), 'cannot use job_name: it is empty; write a name');
  const relabelConfigs = readList(values.relabel_configs, (item) => readRelabelConfig(item, reading));
  const limits = readLimits(values, globals.limits);
  const config = {
    jobName: jobName ?? '',
    ...readTimes(read, globals, reading),
    scheme: values.scheme,
    metricsPath: readMetricsPath(read, reading),
    params: values.params === undefined ? {} : readParams(values.params, reading),
    staticConfigs: readList(values.static_configs, (item) =>
      readTargetGroup(item, relabelConfigs.length > 0, reading),
    ),
    dnsSdConfigs: readList(values.dns_sd_configs, (item) => readDnsSdConfig(item, reading)),
    httpSdConfigs: readList(values.http_sd_configs, (item) => readHttpSdConfig(item, reading)),
    kubernetesSdConfigs: readList(values.kubernetes_sd_configs, (item) =>
      readKubernetesSdConfig(item, reading),
    ),
    relabelConfigs,
    targetLimit: limits.targetLimit,
    settings: readSettings(read, limits, reading),
  };
  if (reading.findings.problemCount === problemCount) noteTick(read, globals, reading);
  return config;
}

/** The name before it is checked, for the remedies of everything else. */
function jobNameOf(node: YamlNode): string | undefined {
  const entry = node.kind === 'mapping' ? node.entries.find(({ key }) => key === 'job_name') : undefined;
  return entry?.value.kind === 'text' && entry.value.text !== '' ? entry.value.text : undefined;
}

function readList<T>(list: YamlList | undefined, readItem: (item: YamlNode) => T | undefined): readonly T[] {
  return (list?.items ?? []).flatMap((item) => readItem(item) ?? []);
}

function readTimes({ values, placeOf }: Scrape, globals: Globals, { findings }: Reading) {
  const scrapeIntervalMs = values.scrape_interval || globals.scrapeIntervalMs;
  const timeoutMs = values.scrape_timeout || 0;
  if (timeoutMs > scrapeIntervalMs) findings.problem(placeOf('scrape_timeout'), TIMEOUT_OVER_INTERVAL);
  return {
    scrapeIntervalMs,
    scrapeTimeoutMs: timeoutMs || Math.min(globals.scrapeTimeoutMs, scrapeIntervalMs),
  };
}

/** Of a job that holds; what jobs have of `global` is noted there, once. */
function noteTick({ values, placeOf }: Scrape, globals: Globals, { findings, options }: Reading): void {
  const { tickMs = DEFAULT_INTERVAL_MS } = options;
  const isOwn = Boolean(values.scrape_interval);
  const intervalMs = values.scrape_interval || globals.scrapeIntervalMs;
  if (intervalMs >= tickMs) return;
  const who = isOwn ? 'the job is' : 'jobs without one of their own are';
  const tick = `the schedule fires every ${tickMs / 1000}s, and ${who} scraped once each time`;
  const at = isOwn ? placeOf('scrape_interval') : globals.intervalAt;
  findings.note(at, `scrape_interval is ${intervalMs / 1000}s: ${tick}`);
}

function readMetricsPath({ values, placeOf }: Scrape, { findings }: Reading): string {
  const path = values.metrics_path ?? '';
  const cause = path.includes('?')
    ? 'it holds a query; write the path alone, and the query as params: {name: [value]}'
    : path.includes('#') || path.includes('://')
      ? 'it is no path; write the path alone, such as /metrics, and the host under targets'
      : undefined;
  const quoted = path.includes('?') ? path.slice(0, path.indexOf('?')) : path;
  if (cause !== undefined) {
    const what = path.includes('@') ? 'metrics_path' : `metrics_path ${quote(quoted)}`;
    findings.problem(placeOf('metrics_path'), `cannot use ${what}: ${cause}`);
  }
  // Prometheus asks for /metrics where `metrics` is written.
  return path === '' || path.startsWith('/') ? path : `/${path}`;
}

/** In the order of their names, in which Prometheus sends them. */
function readParams({ entries }: YamlMapping, reading: Reading): ScrapeConfig['params'] {
  const { findings, job, options } = reading;
  const params = entries.flatMap(({ key, at, value }): readonly [string, readonly string[]][] => {
    if (isSecretParam(key)) findings.problem(at, describeSecretParam(key, job, options.consequence));
    else if (value.kind === 'list') {
      if (value.items.length <= MAX_PARAMS) return [[key, readTexts(value, 'params', findings)]];
      const size = `a parameter has ${value.items.length} values, and ${MAX_PARAMS} are the most`;
      findings.problem(value.at, `cannot use params: ${size}; remove some`);
    } else {
      const found = value.kind === 'text' ? 'a single text' : 'a mapping';
      findings.problem(
        value.at,
        `cannot use params: a value is ${found}, not a list; write params: {name: [value]}`,
      );
    }
    return [];
  });
  return Object.fromEntries(params.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function readSettings(read: Scrape, limits: Limits, reading: Reading): ScrapeSettings {
  const { values, placeOf } = read;
  const own = readKeys(values.dynatrace ?? emptyMapping(placeOf('dynatrace')), 'dynatrace', reading);
  return {
    honorLabels: values.honor_labels,
    honorTimestamps: values.honor_timestamps,
    metricRelabelConfigs: readList(values.metric_relabel_configs, (item) => readRelabelConfig(item, reading)),
    sampleLimit: limits.sampleLimit,
    bodySizeLimitBytes: limits.bodySizeLimitBytes,
    labelLimit: limits.labelLimit,
    labelNameLengthLimit: limits.labelNameLengthLimit,
    labelValueLengthLimit: limits.labelValueLengthLimit,
    enableCompression: values.enable_compression,
    ...readHttpClient(read, reading),
    initialValue: own?.values.initial_value ?? 'auto',
    output: own === undefined ? DEFAULT_OUTPUT : readOutput(own, reading),
    attributes: own?.values.attributes === undefined ? {} : readAttributes(own.values.attributes, reading),
  };
}
