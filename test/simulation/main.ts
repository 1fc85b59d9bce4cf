/**
 * `npm run simulate -- --runs N --seed S --steps M [--path P] [--variants [NAME]]`: worlds until one breaks a promise.
 * Exit code 1 when one did, when a fault never happened or an invariant was never evaluated.
 */
import { parseArgs } from 'node:util';
import { type Campaign, missing, runCampaign } from './campaign.ts';
import { runVariant, variantNames } from './variants.ts';

const { values, positionals } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    steps: { type: 'string', default: '40' },
    path: { type: 'string' },
    variants: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const [runs, seed, steps] = [Number(values.runs), Number(values.seed), Number(values.steps)];

process.exitCode = values.variants ? await simulateVariants() : await simulate();

async function simulate(): Promise<number> {
  const replay = values.path === undefined ? {} : { path: values.path };
  const campaign = await runCampaign({ runs, seed, steps, ...replay });
  print(campaign);
  if (campaign.failure !== undefined) return 1;
  const gaps = values.path === undefined ? missing(campaign) : [];
  for (const gap of gaps) console.log(gap);
  return gaps.length === 0 ? 0 : 1;
}

function print({ tally, seconds, runs: played, failure }: Campaign): void {
  const count = (counts: ReadonlyMap<string, number>): string =>
    [...counts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, times]) => `  ${name}: ${times}\n`)
      .join('');
  console.log(`faults\n${count(tally.faults)}invariants evaluated\n${count(tally.invariants)}`);
  const rate = Math.round(tally.ticks / seconds);
  console.log(`${played} worlds, ${tally.ticks} ticks in ${seconds.toFixed(1)} s, ${rate} ticks/s`);
  if (failure !== undefined) console.log(`\n${failure.message}\n${failure.plan}\nreplay: ${failure.replay}`);
}

/** A table: variant, worlds until it was caught, and by what. */
async function simulateVariants(): Promise<number> {
  let escaped = 0;
  for (const variant of positionals.length > 0 ? positionals : variantNames()) {
    const { campaign } = await runVariant(variant, seed, steps);
    const by = campaign.failure?.message;
    if (by === undefined) escaped++;
    console.log(
      `${variant.padEnd(36)} ${by === undefined ? `ESCAPED ${campaign.runs} worlds` : `${campaign.runs}  ${by}`}`,
    );
  }
  return escaped === 0 ? 0 : 1;
}
