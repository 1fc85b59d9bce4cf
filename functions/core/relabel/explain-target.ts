/** How each address of a job becomes a target, step by step. */
import { targetsOfJob } from '../job-targets.ts';
import type { Labels, Target } from '../model.ts';
import { assert } from '../outcome.ts';
import type { FoundJob } from '../planning.ts';
import { type RelabelStep, relabelSteps } from './relabel.ts';
import type { ScrapeConfig, TargetGroup } from '../scrape-config.ts';
import { discoveredLabels } from './target-labels.ts';

export interface ExplainedTarget {
  readonly config: ScrapeConfig;
  /** Who said that there is such an address, such as `pod nim/llm-0 of prod`; absent where its document does. */
  readonly origin?: string;
  /** Before relabelling. */
  readonly discovered: Labels;
  /** Of `relabel_configs`; the last one may have dropped the labels. */
  readonly steps: readonly RelabelStep[];
  readonly outcome:
    | { readonly code: 'target'; readonly target: Target }
    | { readonly code: 'dropped' }
    /** It is not scraped, and the message says why. */
    | { readonly code: 'wrong'; readonly message: string };
}

/** One at a time, as all steps of all targets are many. Equal targets of a job come once, as in Prometheus. */
export function* explainTargets(jobs: readonly FoundJob[]): Generator<ExplainedTarget, void> {
  for (const job of jobs) yield* explainJob(job);
}

function* explainJob({ config, groups, rules }: FoundJob): Generator<ExplainedTarget, void> {
  const seen = new Set<string>();
  for (const { targets, ...group } of groups) {
    for (const address of targets) {
      const discovered = discoveredLabels(config, { address, groupLabels: group.labels });
      const outcome = outcomeOf({ config, groups: [{ ...group, targets: [address] }], rules });
      const same =
        outcome.code === 'target' ? [outcome.target.key, outcome.target.labels] : [outcome.code, discovered];
      const identity = JSON.stringify(same);
      if (seen.has(identity)) continue;
      seen.add(identity);
      const origin = originOf(group);
      const steps = relabelSteps(discovered, rules);
      yield { config, ...(origin === undefined ? {} : { origin }), discovered, steps, outcome };
    }
  }
}

/** By the labels that each discovery sets on all of its targets, as in Prometheus. */
function originOf({ labels, own }: Omit<TargetGroup, 'targets'>): string | undefined {
  const { __meta_kubernetes_pod_name: pod, __meta_url: list, __meta_dns_name: name } = labels;
  if (pod !== undefined) {
    const cluster = own?.attributes?.['k8s.cluster.name'];
    const where = `pod ${labels['__meta_kubernetes_namespace']}/${pod}`;
    return cluster === undefined ? where : `${where} of ${cluster}`;
  }
  if (list !== undefined) return `list ${list}`;
  return name === undefined ? undefined : `DNS ${name}`;
}

/** By the very code that dispatch runs; the limit is on the job as a whole. */
function outcomeOf({ config, groups, rules }: FoundJob): ExplainedTarget['outcome'] {
  const { targets, dropped, problems } = targetsOfJob({ ...config, targetLimit: 0 }, groups, rules);
  const [target] = targets;
  if (target !== undefined) return { code: 'target', target };
  if (dropped > 0) return { code: 'dropped' };
  const [message] = problems;
  assert(message !== undefined, 'an address is a target, dropped or wrong');
  return { code: 'wrong', message };
}
