/** The targets of one job: what its discoveries found, relabelled, each once. */
import type {
  OutputSettings,
  ScrapeConfig,
  ScrapeSettings,
  TargetFilter,
  TargetGroup,
} from './scrape-config.ts';
import type { Labels, Target } from './model.ts';
import type { RelabelRule } from './relabel/relabel.ts';
import { populateLabels } from './relabel/target-labels.ts';
import { createTarget } from './targets.ts';

/** A target's key is DynamoDB's partition key, 2,048 bytes at most (DynamoDB quotas); a full shard fits its message. */
export const MAX_KEY_LENGTH = 2_048;
/** Problems named of one job: what is wrong with one address is wrong with all that a discovery finds like it. */
export const MAX_NAMED_PROBLEMS = 5;

export interface JobTargets {
  readonly targets: readonly Target[];
  /** Addresses that a rule of `relabel_configs` dropped. */
  readonly dropped: number;
  readonly problems: readonly string[];
}

/** Equal targets are scraped once, as in Prometheus. */
export function targetsOfJob(
  config: ScrapeConfig,
  groups: readonly TargetGroup[],
  rules: readonly RelabelRule[],
): JobTargets {
  const targets = new Map<string, Target>();
  const problems: string[] = [];
  let dropped = 0;
  for (const { targets: addresses, labels, own } of groups) {
    for (const address of addresses) {
      const populated = populateLabels(config, { address, groupLabels: labels }, rules);
      if (populated.code === 'dropped') dropped++;
      else if (populated.code === 'wrong') problems.push(populated.message);
      else {
        const { labels: all, intervalMs, timeoutMs, ...identity } = populated.target;
        const target: Target = {
          ...createTarget(identity, intervalMs, own?.uid),
          ...settingsOf(config.settings, own?.settings),
          attributes: { ...own?.attributes, ...config.settings.attributes },
          output: filtered(config.settings.output, own?.filter),
          timeoutMs,
          labels: withoutIdentity(all),
          ...(own?.listedAtMs === undefined ? {} : { listedAtMs: own.listedAtMs }),
        };
        if (target.key.length <= MAX_KEY_LENGTH)
          targets.set(JSON.stringify([target.key, target.labels]), target);
        else problems.push(tooLong(target));
      }
    }
  }
  const { jobName, targetLimit } = config;
  if (targetLimit === 0 || targets.size <= targetLimit)
    return { targets: [...targets.values()], dropped, problems };
  const cause = `it has ${targets.size} targets, and target_limit is ${targetLimit}`;
  const limit = `cannot scrape the job ${jobName}: ${cause}; raise the limit, or drop targets by relabel_configs`;
  return { targets: [], dropped, problems: [...problems, limit] };
}

/** The job's, under those of the targets; a request has one Authorization header. */
function settingsOf(job: ScrapeSettings, own: Partial<ScrapeSettings> = {}): ScrapeSettings {
  const { authorization: _, basicAuth: __, ...rest } = job;
  const isOwn = own.authorization !== undefined || own.basicAuth !== undefined;
  return { ...(isOwn ? rest : job), ...own };
}

/** What a target's own annotation lets through, of what the job sends. */
function filtered(output: OutputSettings, filter: TargetFilter | undefined): OutputSettings {
  if (filter === undefined) return output;
  if (filter.mode === 'exclude') return { ...output, exclude: [...output.exclude, ...filter.names] };
  const { preset: _, ...rest } = output;
  return { ...rest, include: filter.names };
}

/** Job and instance are fields of the target: they are its identity on each data point. */
function withoutIdentity(labels: Labels): Labels {
  return labels.filter((_, i) => {
    const name = labels[i - (i % 2)];
    return name !== 'job' && name !== 'instance';
  });
}

function tooLong({ job, address }: Target): string {
  return `cannot scrape ${JSON.stringify(address.slice(0, 80))} of the job ${job}: its URL is too long; shorten its path and query`;
}

export interface AllTargets {
  readonly targets: readonly Target[];
  readonly problems: readonly string[];
}

/**
 * Job and instance are all that Dynatrace sees of a target (D11): of several that share them the first is scraped, or
 * the pages would be added to each other.
 */
export function withoutTwins(jobs: readonly JobTargets[]): AllTargets {
  const targets = new Map<string, Target>();
  const problems: string[] = [];
  for (const { targets: found, problems: own } of jobs) {
    problems.push(...own.slice(0, MAX_NAMED_PROBLEMS));
    if (own.length > MAX_NAMED_PROBLEMS)
      problems.push(`and ${own.length - MAX_NAMED_PROBLEMS} more of that job`);
    for (const target of found) {
      const identity = JSON.stringify([target.job, target.instance]);
      const other = targets.get(identity);
      if (other === undefined) targets.set(identity, target);
      else problems.push(describeTwin(target, other));
    }
  }
  return { targets: [...targets.values()], problems };
}

function describeTwin({ job, instance, key }: Target, other: Target): string {
  const differ = key === other.key ? 'their labels differ' : 'their scheme, address, path or query differ';
  const remedy = 'give them different instance labels by relabel_configs, or different jobs';
  return `cannot scrape ${instance} twice in the job ${job}: ${differ}, and Dynatrace could not tell the two apart; ${remedy}`;
}
