/** `doctor --stack`: the same checks, made by the deployed functions from where they stand. */
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { systemClock } from '../adapters/clock.ts';
import { type Invoked, invokeFunction } from '../adapters/function-lambda.ts';
import { readStackOutputs } from '../adapters/stack-cloudformation.ts';
import type { Diagnosis } from '../core/doctor/checks.ts';
import {
  type Found,
  MAX_REQUEST_TARGETS,
  type Read,
  readDiagnoses,
  readFound,
  writeDiagnoseRequest,
  writeFindRequest,
} from '../core/doctor/request.ts';
import type { Target } from '../core/model.ts';
import { say } from './output.ts';

export type Deployed =
  | { readonly code: 'stack'; readonly name: string }
  /** Without `dispatch` the targets are those of the command line alone. */
  | { readonly code: 'functions'; readonly scrape: string; readonly dispatch?: string };

/** For the stack's outputs. */
const STACK_DEADLINE_MS = 10_000;
/** The function answers within 25 s of its start; what is left is for a start in a VPC and for retries. */
const INVOKE_DEADLINE_MS = 40_000;

/** Of the stack in infra/app.ts. */
const OUTPUTS = { scrape: 'ScrapeFunctionName', dispatch: 'DispatchFunctionName' } as const;

export interface Examined {
  readonly diagnoses: readonly Diagnosis[];
  /** False: some of it could not be asked, which was said. */
  readonly complete: boolean;
}

/** `named`: the targets of the command line; without any all that are configured. What is in the way is said. */
export async function examineDeployed(deployed: Deployed, named: readonly Target[]): Promise<Examined> {
  const functions = deployed.code === 'stack' ? await functionsOf(deployed.name) : deployed;
  if (functions.code === 'failed') {
    say(functions.message);
    return { diagnoses: [], complete: false };
  }
  const client = new LambdaClient();
  const ask = (name: string, event: object) =>
    invokeFunction(
      { client, clock: systemClock },
      name,
      event,
      systemClock.monotonicMs() + INVOKE_DEADLINE_MS,
    );
  try {
    const { scrape, dispatch } = functions;
    const found =
      dispatch === undefined ? undefined : readOf(await ask(dispatch, writeFindRequest()), readFound);
    const { targets, diagnoses } = chosen(found, named);
    const asked = await Promise.all(
      batchesOf(targets).map(async (batch, i) =>
        readOf(
          await ask(scrape, writeDiagnoseRequest({ targets: batch, deployment: i === 0 })),
          readDiagnoses,
        ),
      ),
    );
    const problems = [...(found === undefined ? [] : [found]), ...asked].flatMap((read) =>
      read.code === 'failed' ? [read.message] : [],
    );
    for (const problem of new Set(problems)) say(problem);
    const answered = [...diagnoses, ...asked.flatMap((read) => (read.code === 'read' ? read.value : []))];
    return { diagnoses: inOrder(answered), complete: problems.length === 0 };
  } finally {
    client.destroy();
  }
}

/** A named target that is configured is asked for as its job says: with its credentials, its rules, its limits. */
function chosen(found: Read<Found> | undefined, named: readonly Target[]) {
  const { targets: configured, diagnosis } =
    found?.code === 'read' ? found.value : { targets: [], diagnosis: undefined };
  const targets = named.flatMap((one) => {
    const known = configured.filter(
      ({ scheme, address, path }) =>
        scheme === one.scheme && address === one.address && (one.path === '' || one.path === path),
    );
    return known.length === 0 ? [one] : known;
  });
  return {
    targets: named.length === 0 ? configured : targets,
    diagnoses: diagnosis === undefined ? [] : [diagnosis],
  };
}

/** Of equal size as far as that goes; one without a target where there is none: AWS and Dynatrace are asked all the same. */
export function batchesOf(targets: readonly Target[]): readonly (readonly Target[])[] {
  const count = Math.max(1, Math.ceil(targets.length / MAX_REQUEST_TARGETS));
  const size = Math.ceil(targets.length / count);
  return Array.from({ length: count }, (_, i) => targets.slice(i * size, (i + 1) * size));
}

function readOf<Value>(invoked: Invoked, read: (answer: unknown) => Read<Value>): Read<Value> {
  return invoked.code === 'failed' ? invoked : read(invoked.answer);
}

const ORDER: readonly Diagnosis['kind'][] = ['aws', 'target', 'dynatrace'];

function inOrder(diagnoses: readonly Diagnosis[]): readonly Diagnosis[] {
  return diagnoses.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

type Functions =
  Extract<Deployed, { code: 'functions' }> | { readonly code: 'failed'; readonly message: string };

async function functionsOf(stackName: string): Promise<Functions> {
  const client = new CloudFormationClient();
  const deadlineMs = systemClock.monotonicMs() + STACK_DEADLINE_MS;
  const read = await readStackOutputs({ client, clock: systemClock }, stackName, deadlineMs);
  client.destroy();
  if (read.code === 'failed') return read;
  const [scrape, dispatch] = [read.outputs.get(OUTPUTS.scrape), read.outputs.get(OUTPUTS.dispatch)];
  if (scrape !== undefined)
    return { code: 'functions', scrape, ...(dispatch === undefined ? {} : { dispatch }) };
  const cause = `the stack ${stackName} has no output ${OUTPUTS.scrape}`;
  const remedy = 'deploy this release, or name the functions by --function and --dispatch-function';
  return { code: 'failed', message: `cannot find the functions: ${cause}; ${remedy}` };
}
