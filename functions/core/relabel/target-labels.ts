/**
 * From an address that was configured or discovered to a target, in Prometheus' order (scrape/target.go,
 * PopulateLabels): labels of target and group, those of the job, relabelling, and what the labels then say.
 */
import { isHostAndPort } from '../config/address.ts';
import { formatDuration, parseDuration } from '../duration.ts';
import { createLabelBuilder, getLabel, labelsOf, wasSet, type LabelBuilder } from './label-builder.ts';
import type { Labels, TargetIdentity } from '../model.ts';
import { applyRules, type RelabelRule } from './relabel.ts';
import type { ScrapeConfig } from '../scrape-config.ts';

export type JobConfig = Pick<
  ScrapeConfig,
  'jobName' | 'scrapeIntervalMs' | 'scrapeTimeoutMs' | 'scheme' | 'metricsPath' | 'params'
>;

/** One address of a group. */
export interface FoundTarget {
  readonly address: string;
  /** Its own, from discovery (`__meta_...`); they win over those of the group. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly groupLabels: Readonly<Record<string, string>>;
}

/** What the labels say of a target. */
export interface LabelledTarget extends TargetIdentity {
  /** Those without `__` in front: what every sample of the target carries, `job` and `instance` among them. */
  readonly labels: Labels;
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

export type PopulatedLabels =
  | { readonly code: 'target'; readonly target: LabelledTarget }
  /** By a rule of `relabel_configs`. */
  | { readonly code: 'dropped' }
  | { readonly code: 'wrong'; readonly message: string };

/** Prometheus' default, which rules see where no path is configured. */
const PROMETHEUS_PATH = '/metrics';
const PARAM = '__param_';

/**
 * A target, relabelled. Where no path is configured, rules see `/metrics` in `__metrics_path__`, as in Prometheus, so
 * that one which reads it does the same here; the target's path is then empty (`/v1/metrics` is tried first) unless a
 * rule set the label, to whatever value.
 */
export function populateLabels(
  config: JobConfig,
  found: FoundTarget,
  rules: readonly RelabelRule[],
): PopulatedLabels {
  const builder = createLabelBuilder(discoveredLabels(config, found));
  if (!applyRules(builder, rules)) return { code: 'dropped' };
  const address = getLabel(builder, '__address__');
  const wrong = (cause: string): PopulatedLabels => ({
    code: 'wrong',
    message: `cannot scrape ${describe(address)} of the job ${config.jobName}: ${cause}`,
  });
  if (!isHostAndPort(address)) return wrong('__address__ is no host and port; write host:port');
  const scheme = getLabel(builder, '__scheme__');
  if (scheme !== 'http' && scheme !== 'https') return wrong('__scheme__ is neither http nor https; set one');
  const interval = getLabel(builder, '__scrape_interval__');
  const timeout = getLabel(builder, '__scrape_timeout__');
  const intervalMs = parseDuration(interval) ?? 0;
  const timeoutMs = parseDuration(timeout) ?? 0;
  if (intervalMs === 0) return wrong('__scrape_interval__ is no duration above 0; write 30s or 1m');
  if (timeoutMs === 0) return wrong('__scrape_timeout__ is no duration above 0; write 5s or 10s');
  if (timeoutMs > intervalMs) {
    return wrong(`its timeout ${timeout} is longer than its interval ${interval}; shorten it`);
  }
  const labels = publicLabels(builder, address);
  if (!labelsOf(builder).every((text) => text.isWellFormed())) {
    return wrong('a label holds half of a character (a lone surrogate); write it in UTF-8');
  }
  const job = getLabel(builder, 'job');
  return {
    code: 'target',
    target: {
      // A rule may take the label away; what Dynatrace knows the target by stays.
      job: job === '' ? config.jobName : job,
      instance: getLabel(builder, 'instance') || address,
      scheme,
      address,
      path: pathOf(builder, config, found),
      params: paramsOf(builder, config),
      labels,
      intervalMs,
      timeoutMs,
    },
  };
}

/** The labels before relabelling. An empty value is no label, but keeps the group's from taking its place. */
export function discoveredLabels(config: JobConfig, { address, labels, groupLabels }: FoundTarget): Labels {
  const all = new Map<string, string>([...Object.entries(groupLabels), ...Object.entries(labels ?? {})]);
  all.set('__address__', address);
  const setWhereEmpty = (name: string, value: string): void => {
    if ((all.get(name) ?? '') === '') all.set(name, value);
  };
  setWhereEmpty('job', config.jobName);
  setWhereEmpty('__scrape_interval__', formatDuration(config.scrapeIntervalMs));
  setWhereEmpty('__scrape_timeout__', formatDuration(config.scrapeTimeoutMs));
  setWhereEmpty('__metrics_path__', config.metricsPath === '' ? PROMETHEUS_PATH : config.metricsPath);
  setWhereEmpty('__scheme__', config.scheme);
  for (const [name, [first = '']] of Object.entries(config.params)) setWhereEmpty(PARAM + name, first);
  return labelsOf(createLabelBuilder([...all].flat()));
}

/** An address that holds a user name or password is not printed. */
function describe(address: string): string {
  return address === '' || address.includes('@') ? 'a target' : JSON.stringify(address.slice(0, 80));
}

function publicLabels(builder: LabelBuilder, address: string): Labels {
  const labels: string[] = [];
  const { entries } = builder;
  for (let i = 0; i < entries.length; i += 2) {
    const name = entries[i] as string;
    if (!name.startsWith('__')) labels.push(name, entries[i + 1] as string);
  }
  if (getLabel(builder, 'instance') === '') labels.push('instance', address);
  return labelsOf(createLabelBuilder(labels));
}

/** As it stands in the URL: the label is plain text, in which a `?` or a blank is part of the path (Go's url.URL). */
function pathOf(builder: LabelBuilder, config: JobConfig, { labels, groupLabels }: FoundTarget): string {
  const path = getLabel(builder, '__metrics_path__');
  const given = config.metricsPath || { ...groupLabels, ...labels }['__metrics_path__'];
  const isDefault = path !== '' && !given && !wasSet(builder, '__metrics_path__');
  if (isDefault) return '';
  return encodeURI(path.startsWith('/') ? path : `/${path}`).replace(/[?#]/g, encodeURIComponent);
}

/** By name, as Prometheus sends them. `__param_x` takes the place of the first value of `x`. */
function paramsOf(builder: LabelBuilder, config: JobConfig): LabelledTarget['params'] {
  const params = new Map(Object.entries(config.params));
  const { entries } = builder;
  for (let i = 0; i < entries.length; i += 2) {
    const label = entries[i] as string;
    if (!label.startsWith(PARAM)) continue;
    const name = label.slice(PARAM.length);
    params.set(name, [entries[i + 1] as string, ...(params.get(name)?.slice(1) ?? [])]);
  }
  return [...params]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, values]) => values.map((value): readonly [string, string] => [name, value]));
}
