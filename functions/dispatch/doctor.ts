/** The doctor's question to dispatch: which targets are there, and what keeps others from being found? */
import type { Log } from '../adapters/log.ts';
import type { Parameters } from '../adapters/parameters-ssm.ts';
import type { Site } from '../core/doctor/aws-checks.ts';
import { checkDocuments, checkDocumentsRead } from '../core/doctor/aws-checks.ts';
import { type Check, told } from '../core/doctor/checks.ts';
import { DOCTOR_BUDGET_MS, refusalOfFind, writeFound, writeProblem } from '../core/doctor/request.ts';
import type { StoredDocument } from '../core/config/documents-in-force.ts';
import type { Target } from '../core/model.ts';
import { type Planned, type PlanningPorts, planTargets } from '../core/planning.ts';
import type { Clock } from '../core/ports.ts';
import { MAX_SHARD_TARGETS, planShards } from '../core/work.ts';

/** As core/doctor/request writes it. */
export interface DoctorEvent {
  readonly doctor: unknown;
}

interface DoctorDeps {
  readonly clock: Clock;
  readonly parameters: Pick<Parameters, 'targetDocuments'>;
  readonly planning: PlanningPorts;
  readonly log: Log;
  readonly site: Site;
}

/** Left of the function's own time, so that the answer gets out. */
const MARGIN_MS = 1_000;

/** Of the time, for the documents; and of what they leave, for their histories. */
const DOCUMENTS_SHARE = 0.5;
const HISTORIES_SHARE = 0.5;

/** Documents named one by one: what is wrong with many is the same few mistakes. */
const MAX_NAMED = 20;

/** As at a tick, but that nothing is sent, written or remembered of it. */
export async function answerDoctor(
  { doctor }: DoctorEvent,
  { clock, parameters, planning, log, site }: DoctorDeps,
  remainingMs: number,
): Promise<object> {
  const refusal = refusalOfFind(doctor);
  if (refusal !== undefined) return writeProblem(refusal);
  const startMs = clock.monotonicMs();
  const budgetMs = Math.min(DOCTOR_BUDGET_MS, remainingMs - MARGIN_MS);
  const answer = (checks: readonly Check[], targets: readonly Target[]): object => {
    const unsound = checks.filter(({ status }) => status === 'failed').length;
    log.info('doctor_answered', { targets: targets.length, unsound });
    return writeFound({ diagnosis: { kind: 'aws', function: 'dispatch', checks }, targets });
  };
  const read = await parameters.targetDocuments(startMs + Math.floor(budgetMs * DOCUMENTS_SHARE));
  const readMs = clock.monotonicMs() - startMs;
  if (read.code === 'failed') return answer([checkDocumentsRead(read.message, site, readMs)], []);

  const { prefix } = site;
  // Histories are of broken documents: they must not take the time of discoveries, which are of the others.
  const historiesUntilMs = startMs + readMs + Math.floor((budgetMs - readMs) * HISTORIES_SHARE);
  const ports = {
    ...planning,
    histories: (broken: readonly StoredDocument[]) => planning.histories(broken, historiesUntilMs),
  };
  const planned = await planTargets(read.documents, ports, { prefix }, startMs + budgetMs);
  const foundMs = clock.monotonicMs() - startMs - readMs;
  const { targets } = planned;
  const over = planShards({ tickMs: 0, tickIntervalMs: 0, targets, owing: [] }).problems;
  const problems = [...problemsOf(planned), ...over];
  const checks = [
    ...checkDocuments(read.documents.length, targets.length, problems, site, readMs),
    ...planned.problems.slice(0, MAX_NAMED).map((sentence) => told('discovery', 'failed', sentence, foundMs)),
  ];
  return answer(checks, targets.slice(0, MAX_SHARD_TARGETS));
}

/** Each mistake with its place, and what of the document holds meanwhile. */
function problemsOf({ documents: { problems, states } }: Planned): readonly string[] {
  const stateOf = new Map(states.map((state) => [state.name, state]));
  return problems.slice(0, MAX_NAMED).map(({ document, line, column, message }) => {
    const at = line === undefined ? '' : `:${line}${column === undefined ? '' : `:${column}`}`;
    const inForce = stateOf.get(document)?.versionInForce;
    const meanwhile = inForce === undefined ? '' : ` (version ${inForce} stays in force)`;
    return `${document}${at}${meanwhile}: ${message}`;
  });
}
