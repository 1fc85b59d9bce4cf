/**
 * What the command line asks of the deployed functions, and what they answer. Dispatch is asked for the targets: it has
 * the documents, the discoveries and the permissions for both. The worker diagnoses what it is given.
 */
import type { Target } from '../model.ts';
import { readMessage, writeMessage } from '../work.ts';
import type { AwsDiagnosis, Check, Diagnosis, TargetDiagnosis } from './checks.ts';

/** Of requests and answers; raised when one of another release would be misread. */
export const DOCTOR_VERSION = 1;

/**
 * Of one request: each of the eight that are diagnosed at a time has four, and an address from which nothing comes back
 * costs its connect timeout of 5 s.
 */
export const MAX_REQUEST_TARGETS = 32;

/** How long a function may take over it, so that it answers within 25 s, its start included. */
export const DOCTOR_BUDGET_MS = 23_000;

/** Lambda hands over 6 MB at most (Lambda quotas, synchronous invocation). */
export const MAX_ANSWER_BYTES = 5_000_000;

/** Rows of each list that are kept of a forecast which has no room. */
const MAX_ROWS = 256;
/** Characters of a message that are kept of a diagnosis which has no room. */
const MAX_MESSAGE_CHARS = 1_000;

export interface DiagnoseRequest {
  readonly targets: readonly Target[];
  /** Whether AWS and Dynatrace are asked as well: once is enough. */
  readonly deployment: boolean;
}

/** The event of dispatch: which targets are there? */
export function writeFindRequest(): object {
  return { doctor: { version: DOCTOR_VERSION } };
}

/** The event of the worker. */
export function writeDiagnoseRequest({ targets, deployment }: DiagnoseRequest): object {
  return { doctor: { version: DOCTOR_VERSION, deployment, work: writeTargets(targets) } };
}

export type ReadRequest =
  ({ readonly code: 'request' } & DiagnoseRequest) | { readonly code: 'malformed'; readonly message: string };

/** `doctor` of the event. */
export function readDiagnoseRequest(doctor: unknown): ReadRequest {
  const problem = problemOfRequest(doctor);
  if (problem !== undefined) return malformed(problem);
  const { deployment, work } = doctor as { readonly deployment?: unknown; readonly work?: unknown };
  const targets = readTargets(work);
  if (targets === undefined || typeof deployment !== 'boolean')
    return malformed(`its targets are of another release; ${SAME_RELEASE}`);
  if (targets.length > MAX_REQUEST_TARGETS)
    return malformed(`it names ${targets.length} targets; name ${MAX_REQUEST_TARGETS} at most`);
  return { code: 'request', targets, deployment };
}

/** Why dispatch cannot answer; undefined: it can. */
export function refusalOfFind(doctor: unknown): string | undefined {
  const problem = problemOfRequest(doctor);
  return problem === undefined ? undefined : malformed(problem).message;
}

const SAME_RELEASE = 'use the command line of the release that is deployed, or deploy this one';

function problemOfRequest(doctor: unknown): string | undefined {
  const version = versionOf(doctor);
  if (version === undefined) return `it has no version; ${SAME_RELEASE}`;
  return version === DOCTOR_VERSION
    ? undefined
    : `it is of version ${version}, and this release knows ${DOCTOR_VERSION}; ${SAME_RELEASE}`;
}

function malformed(cause: string): { readonly code: 'malformed'; readonly message: string } {
  return { code: 'malformed', message: `cannot read the doctor's request: ${cause}` };
}

export interface Found {
  readonly diagnosis: AwsDiagnosis;
  readonly targets: readonly Target[];
}

export function writeFound({ diagnosis, targets }: Found): object {
  return { version: DOCTOR_VERSION, diagnosis, work: writeTargets(targets) };
}

/** What no diagnosis can be made of. */
export function writeProblem(problem: string): object {
  return { version: DOCTOR_VERSION, problem };
}

/** Below MAX_ANSWER_BYTES: each diagnosis has an equal part of the room, and `cut` says what went beyond it. */
export function writeDiagnoses(diagnoses: readonly Diagnosis[]): object {
  const maxBytes = Math.floor(MAX_ANSWER_BYTES / Math.max(1, diagnoses.length));
  return {
    version: DOCTOR_VERSION,
    diagnoses: diagnoses.map((diagnosis) =>
      diagnosis.kind === 'target' ? within(diagnosis, maxBytes) : diagnosis,
    ),
  };
}

/** A value, or `cannot ...: ...; ...`. */
export type Read<Value> =
  { readonly code: 'read'; readonly value: Value } | { readonly code: 'failed'; readonly message: string };

export function readFound(answer: unknown): Read<Found> {
  const read = readAnswer(answer);
  if (read.code === 'failed') return read;
  const { diagnosis, work } = read.value as { readonly diagnosis?: unknown; readonly work?: unknown };
  const targets = readTargets(work);
  return isDiagnosis(diagnosis) && diagnosis.kind === 'aws' && targets !== undefined
    ? { code: 'read', value: { diagnosis, targets } }
    : unreadable('it is not as this release writes it');
}

export function readDiagnoses(answer: unknown): Read<readonly Diagnosis[]> {
  const read = readAnswer(answer);
  if (read.code === 'failed') return read;
  const { diagnoses } = read.value as { readonly diagnoses?: unknown };
  return Array.isArray(diagnoses) && diagnoses.every(isDiagnosis)
    ? { code: 'read', value: diagnoses }
    : unreadable('it is not as this release writes it');
}

function readAnswer(answer: unknown): Read<object> {
  const version = versionOf(answer);
  if (version === undefined) return unreadable('the function is of a release that has no doctor');
  const { problem } = answer as { readonly problem?: unknown };
  if (typeof problem === 'string') return { code: 'failed', message: problem };
  return version === DOCTOR_VERSION
    ? { code: 'read', value: answer as object }
    : unreadable(`it is of version ${version}, and this release knows ${DOCTOR_VERSION}`);
}

function unreadable(cause: string): { readonly code: 'failed'; readonly message: string } {
  return { code: 'failed', message: `cannot read the doctor's answer: ${cause}; ${SAME_RELEASE}` };
}

function versionOf(value: unknown): number | undefined {
  const { version } = { ...(value as { readonly version?: unknown } | null) };
  return Number.isSafeInteger(version) ? (version as number) : undefined;
}

function isDiagnosis(value: unknown): value is Diagnosis {
  const { kind, checks } = { ...(value as { readonly kind?: unknown; readonly checks?: unknown } | null) };
  const isKnown = kind === 'aws' || kind === 'target' || kind === 'dynatrace';
  return isKnown && Array.isArray(checks) && checks.every(isCheck);
}

function isCheck(value: unknown): boolean {
  const { name, status, message } = { ...(value as Partial<Check> | null) };
  return [name, status, message].every((text) => typeof text === 'string');
}

/** As they travel in the queue: what a target's fields are is said and checked in one place. */
function writeTargets(targets: readonly Target[]): unknown {
  return JSON.parse(writeMessage({ tickMs: 0, shards: 1, shard: 0, targets, drains: [] }));
}

function readTargets(work: unknown): readonly Target[] | undefined {
  const read = readMessage(work);
  return read.code === 'message' ? read.message.targets : undefined;
}

function within(diagnosis: TargetDiagnosis, maxBytes: number): TargetDiagnosis {
  if (bytesOf(diagnosis) <= maxBytes) return diagnosis;
  const { forecast } = diagnosis;
  for (let rows = MAX_ROWS; forecast !== undefined && rows > 0; rows = Math.floor(rows / 4)) {
    const { page, metrics } = forecast;
    const shortened: TargetDiagnosis = {
      ...diagnosis,
      forecast: {
        ...forecast,
        page: {
          ...page,
          families: page.families.slice(0, rows),
          familiesWithoutSamples: page.familiesWithoutSamples.slice(0, rows),
        },
        metrics: metrics.slice(0, rows).map((metric) => ({
          ...metric,
          dimensions: metric.dimensions.slice(0, rows),
          sources: metric.sources.slice(0, rows),
        })),
        altered: forecast.altered.slice(0, rows),
      },
      cut: `the answer has room for the first ${rows} of ${metrics.length} metrics and of ${page.families.length} families`,
    };
    if (bytesOf(shortened) <= maxBytes) return shortened;
  }
  const { forecast: _, generation: __, checks, ...rest } = diagnosis;
  const short = checks.map((check) => ({ ...check, message: check.message.slice(0, MAX_MESSAGE_CHARS) }));
  return {
    ...rest,
    checks: short,
    cut: 'the answer has no room for what goes out: look at this target alone',
  };
}

function bytesOf(diagnosis: Diagnosis): number {
  return new TextEncoder().encode(JSON.stringify(diagnosis)).length;
}
