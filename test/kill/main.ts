/**
 * `node test/kill/main.ts [--kills 200] [--seed S] [--targets 32] [--series 100] [--verbose]`.
 * Exit code 1 when a promise was broken, or when too few kills met the moments that matter.
 */
import { parseArgs } from 'node:util';
import { type Moment, type Result, killRepeatedly } from './driver.ts';

/** Moments that a long run must meet, and the least part of the kills that meets each. */
const SOUGHT: readonly Moment[] = ['between POST and commit', 'during the commit'];
const SOUGHT_PART = 0.2;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    targets: { type: 'string', default: '32' },
    series: { type: 'string', default: '100' },
    verbose: { type: 'boolean', default: false },
  },
});
const [kills, seed, targets, series] = [values.kills, values.seed, values.targets, values.series].map(whole);
const size = `--targets ${targets} --series ${series}`;
const command = `node test/kill/main.ts --kills ${kills} --seed ${seed} ${size}`;
process.stdout.write(`${command}\n`);
const startedMs = performance.now();
const result = await killRepeatedly({
  kills: kills ?? 0,
  seed: seed ?? 0,
  targets: targets ?? 0,
  series: series ?? 0,
  ticks: 3,
  rest: 0.4,
  say: (line) => {
    if (values.verbose || line.startsWith('VIOLATION')) process.stderr.write(`${line}\n`);
  },
});
const missed = SOUGHT.filter((moment) => result.kills[moment] < SOUGHT_PART * (kills ?? 0));
process.stdout.write(`${tableOf(result).join('\n')}\n`);
for (const moment of missed) process.stdout.write(`too few kills ${moment}: this run proves too little\n`);
if (result.problems.length > 0) process.stdout.write(`to replay its plan: ${command}\n`);
process.exitCode = result.problems.length > 0 || missed.length > 0 ? 1 : 0;

function whole(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  process.stderr.write(
    `cannot use ${JSON.stringify(text)}: it is no whole number; write --kills 200 --seed 1\n`,
  );
  return process.exit(2);
}

function tableOf({ kills: byMoment, tally, ...result }: Result): readonly string[] {
  const rows: readonly (readonly [string, number | string])[] = [
    ...Object.entries(byMoment).map(([moment, count]) => [`kills ${moment}`, count] as const),
    ['kills', Object.values(byMoment).reduce((sum, count) => sum + count, 0)],
    ['normal runs', result.normalRuns],
    ['restarts of the scraped processes', result.restarts],
    ['bodies accepted', result.bodies],
    ['increments seen by committed scrapes', tally.seen],
    ['increments delivered', tally.delivered],
    ['increments pending at the end', tally.pending],
    ['lost', tally.lost],
    ['doubled', tally.doubled],
    ['  of which by kills before the commit', tally.explained],
    ['broken promises', result.problems.length],
    ['seconds', Math.round((performance.now() - startedMs) / 1000)],
  ];
  return rows.map(([name, value]) => `${name.padEnd(40)} ${String(value).padStart(9)}`);
}
