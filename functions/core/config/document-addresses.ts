/** Lists of addresses: targets, and the scrape_configs that say the same. */
import { readAddress } from './address.ts';
import { MAX_DISCOVERIES } from './config-bounds.ts';
import { quote } from './findings.ts';
import type { Findings } from './findings.ts';
import type { Target } from '../model.ts';
import { readCluster } from './discovery-configs.ts';
import type { KubernetesSdConfig, ScrapeConfig, TargetGroup } from '../scrape-config.ts';

export interface Addresses {
  readonly targets: readonly Target[];
  readonly clusters: readonly KubernetesSdConfig[];
}

/** Words of the list; one bad address never stops the others. */
export function readAddresses(text: string, job: string, { problem }: Findings): Addresses {
  const targets: Target[] = [];
  const clusters: KubernetesSdConfig[] = [];
  for (const word of text.split(/[\s,]+/)) {
    if (word === '') continue;
    const cluster = readCluster(word);
    if (cluster === undefined) {
      const target = readAddress(word, job);
      if (typeof target === 'string') problem(undefined, target);
      else targets.push(target);
    } else if (typeof cluster === 'string') problem(undefined, cluster);
    else if (clusters.length < MAX_DISCOVERIES) clusters.push(cluster);
    else problem(undefined, describeTooMany(word));
  }
  return { targets, clusters };
}

function describeTooMany(word: string): string {
  return `cannot use ${quote(word)}: ${MAX_DISCOVERIES} clusters or namespaces are the most of one list; write it in another document`;
}

/**
 * Those of `targets` that are not among `known`, by job and instance: that is all that Dynatrace sees of a target (D11).
 * With another scheme, path or query a second page would be added to the first.
 */
export function withoutTwins(
  targets: readonly Target[],
  known: ReadonlyMap<string, Target>,
  { problem }: Findings,
): ReadonlyMap<string, Target> {
  const fresh = new Map<string, Target>();
  for (const target of targets) {
    const series = JSON.stringify([target.job, target.instance]);
    const other = known.get(series) ?? fresh.get(series);
    if (other === undefined) fresh.set(series, target);
    else if (other.key !== target.key) problem(undefined, describeTwin(target));
  }
  return fresh;
}

/**
 * `base` with the targets. Scheme, path and query stand as the labels that Prometheus has for them; a query that repeats
 * a name, which labels cannot, makes a scrape_config of its own. Discoveries of `base` come once.
 */
export function configsOfAddresses(targets: readonly Target[], base: ScrapeConfig): readonly ScrapeConfig[] {
  const byParams = Map.groupBy(targets, ({ params }) => JSON.stringify(isRepeating(params) ? params : []));
  const configs = [...byParams.values()].map((alike) => {
    const repeated = alike[0] !== undefined && isRepeating(alike[0].params) ? alike[0].params : [];
    const values = Map.groupBy(repeated, ([name]) => name);
    return {
      ...base,
      params: Object.fromEntries([...values].map(([name, pairs]) => [name, pairs.map(([, value]) => value)])),
      staticConfigs: groupsOf(alike),
      kubernetesSdConfigs: [],
    };
  });
  return base.kubernetesSdConfigs.length === 0 ? configs : [base, ...configs];
}

function isRepeating(params: Target['params']): boolean {
  return new Set(params.map(([name]) => name)).size < params.length;
}

function groupsOf(targets: readonly Target[]): readonly TargetGroup[] {
  const byLabels = Map.groupBy(targets, (target) => JSON.stringify(labelsOf(target)));
  return [...byLabels].map(([labels, group]) => ({
    targets: group.map(({ address }) => address),
    labels: Object.fromEntries(JSON.parse(labels) as [string, string][]),
  }));
}

function labelsOf({ scheme, path, params }: Target): readonly (readonly [name: string, value: string])[] {
  return [
    ...(scheme === 'http' ? [] : [['__scheme__', scheme] as const]),
    ...(path === '' ? [] : [['__metrics_path__', path] as const]),
    ...(isRepeating(params) ? [] : params.map(([name, value]) => [`__param_${name}`, value] as const)),
  ];
}

function describeTwin({ job, instance }: Target): string {
  const cause = 'its scheme, path or query differ, and Dynatrace could not tell the two apart';
  return `cannot scrape ${instance} twice in the job ${job}: ${cause}; give one of them a document of its own`;
}
