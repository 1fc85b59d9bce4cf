/** Many worlds: fast-check makes them, shrinks what fails, and says how to see it again. */
import fc from 'fast-check';
import { FAULTS, plans, printPlan } from './commands.ts';
import { INVARIANTS } from './ledger.ts';
import { type Tally, newTally, play } from './world.ts';

export interface CampaignOptions {
  readonly runs: number;
  readonly seed: number;
  /** Ticks of a world, before it calms down. */
  readonly steps: number;
  /** Of a failure to replay. */
  readonly path?: string;
  /** No shrinking: only whether and when it fails. */
  readonly quick?: boolean;
}

export interface Campaign {
  readonly tally: Tally;
  readonly seconds: number;
  /** Worlds played until the failure, or all of them. */
  readonly runs: number;
  readonly failure?: { readonly message: string; readonly plan: string; readonly replay: string };
}

export async function runCampaign({ runs, seed, steps, path, quick }: CampaignOptions): Promise<Campaign> {
  const tally = newTally();
  const startedMs = performance.now();
  const details = await fc.check(
    fc.asyncProperty(plans(steps), (plan) => play(plan, tally)),
    {
      numRuns: runs,
      seed,
      ...(path === undefined ? {} : { path }),
      ...(quick === true ? { endOnFailure: true } : {}),
    },
  );
  const result = { tally, seconds: (performance.now() - startedMs) / 1000, runs: details.numRuns };
  if (!details.failed) return result;
  const [plan] = details.counterexample ?? [];
  const { errorInstance } = details;
  return {
    ...result,
    failure: {
      message: errorInstance instanceof Error ? errorInstance.message : String(errorInstance),
      plan: plan === undefined ? '' : printPlan(plan),
      replay: `npm run simulate -- --seed ${details.seed} --steps ${steps} --path ${details.counterexamplePath ?? ''}`,
    },
  };
}

/** What the campaign owes: faults that never happened, invariants that were never evaluated. */
export function missing({ tally }: Campaign): readonly string[] {
  return [
    ...FAULTS.filter((kind) => !tally.faults.has(kind)).map((kind) => `never happened: ${kind}`),
    ...INVARIANTS.filter((one) => !tally.invariants.has(one)).map((one) => `never evaluated: ${one}`),
  ];
}
