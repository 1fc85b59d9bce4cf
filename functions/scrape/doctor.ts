/** The doctor's question to the worker, asked by hand and not by the queue. Reads only, and answers in any case. */
import { createDoctorPorts } from '../adapters/doctor-ports.ts';
import type { Log } from '../adapters/log.ts';
import type { Parameters } from '../adapters/parameters-ssm.ts';
import { secretsOf } from '../adapters/client-request.ts';
import type { Site, TableAnswer } from '../core/doctor/aws-checks.ts';
import { isSound } from '../core/doctor/checks.ts';
import { diagnoseDeployed } from '../core/doctor/deployed.ts';
import {
  DOCTOR_BUDGET_MS,
  readDiagnoseRequest,
  writeDiagnoses,
  writeProblem,
} from '../core/doctor/request.ts';
import type { Clock } from '../core/ports.ts';
import type { AwsPlace, Secrets } from '../core/secrets.ts';

/** As core/doctor/request writes it. */
export interface DoctorEvent {
  readonly doctor: unknown;
}

export interface DoctorDeps {
  readonly clock: Clock;
  readonly site: Site;
  readonly fixedEndpoint: string | undefined;
  readonly tokenPlace: AwsPlace;
  /** Without a memory. */
  readonly openSources: () => Sources;
  readonly wayToDynatrace: { readonly proxy: URL | undefined; readonly ca: string | undefined };
  readonly secrets: Secrets;
  /** Of targets, as scrapes do. */
  readonly refuseLoopback: boolean;
  readonly tableName: string;
  readonly table: (deadlineMs: number) => Promise<readonly TableAnswer[]>;
  readonly log: Log;
}

/** Where endpoint and token are read. */
export type Sources = Pick<Parameters, 'endpoint' | 'token'>;

/** Left of the function's own time, so that the answer gets out. */
const MARGIN_MS = 1_000;

export async function answerDoctor(
  { doctor }: DoctorEvent,
  deps: DoctorDeps,
  remainingMs: number,
): Promise<object> {
  const { clock, site, fixedEndpoint, tokenPlace, secrets, refuseLoopback, tableName, table, log } = deps;
  const deadlineMs = clock.monotonicMs() + Math.min(DOCTOR_BUDGET_MS, remainingMs - MARGIN_MS);
  const request = readDiagnoseRequest(doctor);
  if (request.code === 'malformed') return writeProblem(request.message);
  const sources = deps.openSources();
  const diagnoses = await diagnoseDeployed(
    request,
    {
      clock,
      site,
      endpoint: (untilMs) =>
        fixedEndpoint === undefined
          ? sources.endpoint(untilMs)
          : Promise.resolve({ code: 'read', value: fixedEndpoint }),
      endpointName: fixedEndpoint === undefined ? `${site.prefix}/endpoint` : undefined,
      token: (untilMs) => sources.token(true, untilMs),
      tokenPlace,
      secrets,
      referencesOf: secretsOf,
      tableName,
      table,
      toTargets: createDoctorPorts({ clock, secrets, place: site.place, refuseLoopback }),
      toDynatrace: (endpoint, token) =>
        createDoctorPorts({ clock, secrets, place: site.place, endpoint, token, ...deps.wayToDynatrace }),
    },
    deadlineMs,
  );
  const unsound = diagnoses.filter((diagnosis) => !isSound(diagnosis)).length;
  log.info('doctor_answered', { targets: request.targets.length, unsound });
  return writeDiagnoses(diagnoses);
}
