/** Target documents -> all targets of a deployment: the same in the cloud, on a laptop and in the simulation. */
import { formatDuration } from './duration.ts';
import type { Discovered, Discovery } from './discovery.ts';
import { type DocumentOptions, readDocuments } from './config/documents.ts';
import { type DocumentsInForce, type StoredDocument, documentsInForce } from './config/documents-in-force.ts';
import type { Histories } from './config/histories.ts';
import { type AllTargets, targetsOfJob, withoutTwins } from './job-targets.ts';
import type { Target } from './model.ts';
import { assert } from './outcome.ts';
import { type RelabelRule, checkRelabel, compileRelabel } from './relabel/relabel.ts';
import type { RelabelConfig, ScrapeConfig, TargetGroup } from './scrape-config.ts';

export interface PlanningPorts {
  readonly histories: Histories;
  readonly discover: Discovery<ScrapeConfig>;
}

/** A job with every address that was written or discovered for it, before relabelling. */
export interface FoundJob {
  readonly config: ScrapeConfig;
  readonly groups: readonly TargetGroup[];
  readonly rules: readonly RelabelRule[];
}

export interface FoundJobs {
  readonly documents: DocumentsInForce;
  readonly jobs: readonly FoundJob[];
  /** Of discovery. */
  readonly problems: readonly string[];
  /** False: somebody who is missing here may only not have been found, and counts as nothing but unscraped. */
  readonly complete: boolean;
}

export interface Planned extends AllTargets {
  readonly documents: DocumentsInForce;
  readonly complete: boolean;
}

/** `deadlineMs` is on the monotonic clock. */
export async function planTargets(
  documents: readonly StoredDocument[],
  ports: PlanningPorts,
  given: Omit<DocumentOptions, 'checkRelabel'>,
  deadlineMs: number,
): Promise<Planned> {
  return targetsOfJobs(await findJobs(documents, ports, given, deadlineMs));
}

/** The first half of `planTargets`: which documents are in force, and what they find. */
export async function findJobs(
  documents: readonly StoredDocument[],
  { histories, discover }: PlanningPorts,
  given: Omit<DocumentOptions, 'checkRelabel'>,
  deadlineMs: number,
): Promise<FoundJobs> {
  const options = { ...given, checkRelabel };
  const read = readDocuments(documents, options);
  const broken = documents.filter(({ name }) => read.refused.includes(name));
  const inForce = documentsInForce(documents, read, await histories(broken, deadlineMs), options);
  const found = await Promise.all(inForce.configs.map((config) => discover(config, deadlineMs)));
  return {
    documents: inForce,
    jobs: inForce.configs.map((config, i) => {
      const { groups } = found[i] as Discovered;
      return { config, groups, rules: rulesOf(config.relabelConfigs) };
    }),
    problems: found.flatMap(({ problems }) => problems),
    complete: inForce.complete && found.every(({ complete }) => complete),
  };
}

/** The second half: relabelled, each once. */
export function targetsOfJobs({ documents, jobs, problems, complete }: FoundJobs): Planned {
  const all = withoutTwins(jobs.map(({ config, groups, rules }) => targetsOfJob(config, groups, rules)));
  return { documents, targets: all.targets, problems: [...problems, ...all.problems], complete };
}

/** Compiled anew each tick: a job has few rules, and they may have been edited. */
export function rulesOf(configs: readonly RelabelConfig[]): readonly RelabelRule[] {
  const compiled = compileRelabel(configs);
  assert(compiled.code === 'rules', 'rules are checked when their document is read');
  return compiled.rules;
}

export interface StalenessProblem {
  /** `error`: a target may be forgotten between two scrapes, and its counts with it. */
  readonly level: 'error' | 'warning';
  readonly message: string;
}

/** D9: `max_staleness` against the longest interval; at least twice it, and better ten times. 0: never stale. */
export function checkStaleness(
  targets: readonly Target[],
  maxStalenessMs: number,
): StalenessProblem | undefined {
  const longest = targets.reduce<Target | undefined>(
    (most, target) => (most !== undefined && most.intervalMs >= target.intervalMs ? most : target),
    undefined,
  );
  if (longest === undefined || maxStalenessMs === 0 || longest.intervalMs * 10 <= maxStalenessMs)
    return undefined;
  const level = longest.intervalMs * 2 > maxStalenessMs ? 'error' : 'warning';
  const interval = `the job ${longest.job} is scraped every ${formatDuration(longest.intervalMs)}`;
  const bound = `less than ${level === 'error' ? 'twice' : 'ten times'} that`;
  return {
    level,
    message: `cannot rely on max_staleness of ${formatDuration(maxStalenessMs)}: ${interval}, and it is ${bound}; shorten scrape_interval, or raise maxStaleness of the construct`,
  };
}
