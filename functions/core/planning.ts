/** Target documents -> all targets of a deployment: the same in the cloud, on a laptop and in the simulation. */
import type { Discovered, Discovery } from './discovery.ts';
import { type DocumentOptions, readDocuments } from './documents.ts';
import { type DocumentsInForce, type StoredDocument, documentsInForce } from './documents-in-force.ts';
import type { Histories } from './histories.ts';
import { type AllTargets, targetsOfJob, withoutTwins } from './job-targets.ts';
import { assert } from './outcome.ts';
import { type RelabelRule, checkRelabel, compileRelabel } from './relabel.ts';
import type { RelabelConfig, ScrapeConfig } from './scrape-config.ts';

export interface PlanningPorts {
  readonly histories: Histories;
  readonly discover: Discovery<ScrapeConfig>;
}

export interface Planned extends AllTargets {
  readonly documents: DocumentsInForce;
  /** False: somebody who is missing here may only not have been found, and counts as nothing but unscraped. */
  readonly complete: boolean;
}

/** `deadlineMs` is on the monotonic clock. */
export async function planTargets(
  documents: readonly StoredDocument[],
  { histories, discover }: PlanningPorts,
  given: Omit<DocumentOptions, 'checkRelabel'>,
  deadlineMs: number,
): Promise<Planned> {
  const options = { ...given, checkRelabel };
  const read = readDocuments(documents, options);
  const broken = documents.filter(({ name }) => read.refused.includes(name));
  const inForce = documentsInForce(documents, read, await histories(broken, deadlineMs), options);
  const found = await Promise.all(inForce.configs.map((config) => discover(config, deadlineMs)));
  const all = withoutTwins(
    inForce.configs.map((config, i) => {
      const { groups } = found[i] as Discovered;
      return targetsOfJob(config, groups, rulesOf(config.relabelConfigs));
    }),
  );
  return {
    documents: inForce,
    targets: all.targets,
    problems: [...found.flatMap(({ problems }) => problems), ...all.problems],
    complete: inForce.complete && found.every(({ complete }) => complete),
  };
}

/** Compiled anew each tick: a job has few rules, and they may have been edited. */
export function rulesOf(configs: readonly RelabelConfig[]): readonly RelabelRule[] {
  const compiled = compileRelabel(configs);
  assert(compiled.code === 'rules', 'rules are checked when their document is read');
  return compiled.rules;
}
