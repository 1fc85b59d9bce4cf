/** `nim-to-dynatrace doctor`: what would go wrong, and what would be sent, before a deployment and inside of it. */
import { systemClock } from '../adapters/clock.ts';
import { createDoctorPorts } from '../adapters/doctor-ports.ts';
import { readFileBytes } from '../adapters/files.ts';
import { createEnvSecrets } from '../adapters/secrets-env.ts';
import { type Diagnosis, type TargetDiagnosis, isSound, told } from '../core/doctor/checks.ts';
import { costOf } from '../core/doctor/cost.ts';
import {
  type DoctorPorts,
  MAX_CONCURRENT_TARGETS,
  TARGET_BUDGET_MS,
  diagnose,
} from '../core/doctor/diagnosing.ts';
import type { Forecast } from '../core/doctor/forecast-model.ts';
import { diagnosePage } from '../core/doctor/page-checks.ts';
import type { Target } from '../core/model.ts';
import { examineDeployed } from './doctor-deployed.ts';
import {
  type DoctorSettings,
  type Preset,
  TOKEN_VARIABLE,
  doctorHelp,
  readDoctorOptions,
} from './doctor-options.ts';
import { createDoctorTable, summaryOf } from './doctor-table.ts';
import { print, say, withOutput } from './output.ts';

export async function doctor(args: readonly string[]): Promise<number> {
  const options = readDoctorOptions(args);
  if (options.code === 'help') {
    process.stdout.write(`${doctorHelp()}\n`);
    return 0;
  }
  if (options.code === 'wrong') {
    say(options.problems.join('\n'));
    return 2;
  }
  const left = new AbortController();
  return withOutput(left, () => examine(options.settings, left.signal));
}

/** Answers with the exit code. Nothing has to be tidied up: Ctrl-C ends it where it stands. */
async function examine(settings: DoctorSettings, left: AbortSignal): Promise<number> {
  const { deployed, targets } = settings;
  if (deployed !== undefined) {
    const { diagnoses, complete } = await examineDeployed(deployed, targets);
    const sound = await show(diagnoses, undefined, settings, left);
    return complete && sound ? 0 : 1;
  }
  const diagnoses = await examineFromHere(settings);
  return (await show(diagnoses, settings.preset, settings, left)) ? 0 : 1;
}

async function examineFromHere({ targets, pages, endpoint }: DoctorSettings): Promise<readonly Diagnosis[]> {
  const token = process.env[TOKEN_VARIABLE];
  const secrets = createEnvSecrets(process.env);
  const ports = createDoctorPorts({ clock: systemClock, secrets, endpoint, token });
  const rounds = Math.max(1, Math.ceil(targets.length / MAX_CONCURRENT_TARGETS));
  const [ofPages, ofServers] = await Promise.all([
    Promise.all(pages.map(({ path, target }) => diagnoseFile(path, target, ports))),
    diagnose(
      {
        targets,
        ...(endpoint === undefined ? {} : { dynatrace: { endpoint, token } }),
        deadlineMs: systemClock.monotonicMs() + rounds * TARGET_BUDGET_MS,
      },
      ports,
    ),
  ]);
  return [...ofPages, ...ofServers];
}

/** Answers whether no check failed. `preset`: that of all targets; undefined: each job has its own. */
async function show(
  diagnoses: readonly Diagnosis[],
  preset: Preset | undefined,
  { output }: DoctorSettings,
  left: AbortSignal,
): Promise<boolean> {
  const tableOf = createDoctorTable(preset);
  for (const diagnosis of diagnoses) {
    if (left.aborted) break;
    await print(output === 'json' ? jsonOf(diagnosis) : tableOf(diagnosis));
  }
  if (output === 'table' && diagnoses.length > 0) await print(`${summaryOf(diagnoses)}\n`);
  return diagnoses.every(isSound);
}

async function diagnoseFile(
  path: string,
  target: Target,
  { clock, fits }: DoctorPorts,
): Promise<TargetDiagnosis> {
  const head = { kind: 'target', job: target.job, url: path } as const;
  const limitBytes = target.bodySizeLimitBytes;
  const read = await readFileBytes(path, limitBytes);
  if (read.code === 'failed') return { ...head, checks: [told('format', 'failed', read.message)] };
  if (read.bytes.length >= limitBytes) {
    const cause = `it reached body_size_limit, ${limitBytes} bytes`;
    const message = `cannot read ${path}: ${cause}; raise the limit if the page is meant to be so large`;
    return { ...head, checks: [told('format', 'failed', message)] };
  }
  return { ...head, ...diagnosePage(read.bytes, target, clock.wallMs(), { fits }) };
}

function jsonOf(diagnosis: Diagnosis): string {
  const forecast = diagnosis.kind === 'target' ? diagnosis.forecast : undefined;
  const cost = forecast === undefined ? {} : { cost: costsOf(forecast) };
  return `${JSON.stringify({ ...diagnosis, sound: isSound(diagnosis), ...cost })}\n`;
}

function costsOf({ points }: Forecast) {
  return Object.fromEntries(
    Object.entries(points).map(([preset, { perMinute }]) => [preset, costOf(perMinute)]),
  );
}
