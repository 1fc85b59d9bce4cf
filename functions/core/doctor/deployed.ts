/**
 * The doctor inside of the deployed worker: what the worker may do and reach in AWS, then its targets and Dynatrace, by
 * the very sources of endpoint, token and secrets that a run has. Nothing is written anywhere.
 */
import type { Target } from '../model.ts';
import type { Clock } from '../ports.ts';
import type { AwsPlace, Secrets } from '../secrets.ts';
import {
  type Site,
  type StoredValue,
  type TableAnswer,
  checkSecrets,
  checkStoredEndpoint,
  checkStoredToken,
  checkTable,
} from './aws-checks.ts';
import type { Check, Diagnosis, TargetDiagnosis } from './checks.ts';
import { type DoctorPorts, diagnoseDynatrace, diagnoseTargets, withoutEndpoint } from './diagnosing.ts';
import type { DiagnoseRequest } from './request.ts';

/** Of each question to AWS, all at once: answered in some ten milliseconds, or there is no way. */
export const AWS_BUDGET_MS = 5_000;

export interface DeployedPorts {
  readonly clock: Clock;
  readonly site: Site;
  readonly endpoint: (deadlineMs: number) => Promise<StoredValue>;
  /** Where it is read; undefined: a part of the deployment. */
  readonly endpointName: string | undefined;
  /** Read anew: what is remembered does not count. */
  readonly token: (deadlineMs: number) => Promise<StoredValue>;
  readonly tokenPlace: AwsPlace;
  /** Of targets. */
  readonly secrets: Secrets;
  /** What the job of a target refers to. */
  readonly referencesOf: (target: Target) => readonly string[];
  readonly tableName: string;
  /** Every action that a run takes on the table, without an effect. */
  readonly table: (deadlineMs: number) => Promise<readonly TableAnswer[]>;
  readonly toTargets: DoctorPorts;
  /** By the way that exports go, with this token. */
  readonly toDynatrace: (endpoint: string, token: string | undefined) => DoctorPorts;
}

/** In the order in which they are read: AWS, the targets in their order, Dynatrace. */
export async function diagnoseDeployed(
  { targets, deployment }: DiagnoseRequest,
  ports: DeployedPorts,
  deadlineMs: number,
): Promise<readonly Diagnosis[]> {
  const awsUntilMs = Math.min(deadlineMs, ports.clock.monotonicMs() + AWS_BUDGET_MS);
  const [ofTargets, ofSecrets, ofDeployment] = await Promise.all([
    diagnoseTargets(targets, ports.toTargets, deadlineMs),
    Promise.all(targets.map((target) => diagnoseSecrets(target, ports, awsUntilMs))),
    deployment ? diagnoseDeployment(ports, awsUntilMs, deadlineMs) : undefined,
  ]);
  const told = ofTargets.map((diagnosis, i): TargetDiagnosis => {
    return { ...diagnosis, checks: [...(ofSecrets[i] ?? []), ...diagnosis.checks] };
  });
  if (ofDeployment === undefined) return told;
  const { aws, dynatrace } = ofDeployment;
  return [{ kind: 'aws', function: 'scrape', checks: aws }, ...told, dynatrace];
}

async function diagnoseDeployment(ports: DeployedPorts, awsUntilMs: number, deadlineMs: number) {
  const { clock, site, endpointName, tokenPlace, tableName } = ports;
  const timed = async <Answer>(ask: (deadlineMs: number) => Promise<Answer>) => {
    const startMs = clock.monotonicMs();
    const answer = await ask(awsUntilMs);
    return { answer, tookMs: clock.monotonicMs() - startMs };
  };
  const [table, { endpoint, token, dynatrace }] = await Promise.all([timed(ports.table), askDynatrace()]);
  const aws: readonly Check[] = [
    checkTable(table.answer, tableName, site, table.tookMs),
    checkStoredEndpoint(endpoint.answer, endpointName, site, endpoint.tookMs),
    checkStoredToken(token.answer, tokenPlace, site, token.tookMs),
  ];
  return { aws, dynatrace };

  async function askDynatrace() {
    const [endpoint, token] = await Promise.all([timed(ports.endpoint), timed(ports.token)]);
    const url = valueOf(endpoint.answer);
    const secret = valueOf(token.answer);
    const dynatrace =
      url === undefined
        ? withoutEndpoint(site.place)
        : await diagnoseDynatrace(
            { endpoint: url, token: secret },
            ports.toDynatrace(url, secret),
            deadlineMs,
          );
    return { endpoint, token, dynatrace };
  }
}

function valueOf(answer: StoredValue): string | undefined {
  return answer.code === 'read' ? answer.value : undefined;
}

async function diagnoseSecrets(
  target: Target,
  { clock, site, secrets, referencesOf }: DeployedPorts,
  deadlineMs: number,
): Promise<readonly Check[]> {
  const startMs = clock.monotonicMs();
  const answers = await Promise.all(
    [...new Set(referencesOf(target))].map(
      async (reference) => [reference, await secrets(reference, deadlineMs, true)] as const,
    ),
  );
  return checkSecrets(answers, site, clock.monotonicMs() - startMs);
}
