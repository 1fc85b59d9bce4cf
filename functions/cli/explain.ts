/** `nim-to-dynatrace explain`: what target documents mean, before or after they are put into SSM. */
import { systemClock } from '../adapters/clock.ts';
import { type ExplainedTarget, explainTargets } from '../core/relabel/explain-target.ts';
import { type FoundJobs, findJobs, targetsOfJobs } from '../core/planning.ts';
import { planShards } from '../core/work.ts';
import { createFileSource, createSsmSource } from './config-source.ts';
import { noteLines, problemLines } from './document-lines.ts';
import { openLocalDiscovery } from './local-discovery.ts';
import { type ExplainSettings, explainHelp, readExplainOptions } from './explain-options.ts';
import { explainPage } from './explain-page.ts';
import { targetJson, targetText } from './explain-target.ts';
import { print, say, withOutput } from './output.ts';

/** For the documents and for discovery, each: SSM may be throttled, a DNS server may be asked twice. */
const DEADLINE_MS = 20_000;

export async function explain(args: readonly string[]): Promise<number> {
  const options = readExplainOptions(args);
  if (options.code === 'help') {
    process.stdout.write(`${explainHelp()}\n`);
    return 0;
  }
  if (options.code === 'wrong') {
    say(options.problems.join('\n'));
    return 2;
  }
  const left = new AbortController();
  return withOutput(left, () => explainUntil(options.settings, left.signal));
}

async function explainUntil(settings: ExplainSettings, left: AbortSignal): Promise<number> {
  const { source: from, prefix, job, page, output } = settings;
  const source = from.code === 'ssm' ? createSsmSource(prefix) : createFileSource(from.path);
  const read = await source.read(systemClock.monotonicMs() + DEADLINE_MS);
  if (read.code === 'failed') {
    say(read.message);
    return 1;
  }
  const { discover, close } = openLocalDiscovery();
  const ports = { histories: source.histories, discover };
  const found = await findJobs(read.documents, ports, { prefix }, systemClock.monotonicMs() + DEADLINE_MS);
  await close();
  const problems = [
    ...read.problems,
    ...problemLines(found.documents, source.titleOf),
    ...problemsOfTargets(found),
  ];
  const notes = [...read.notes.map((note) => `note: ${note}`), ...noteLines(found.documents, source.titleOf)];
  for (const line of [...problems, ...notes]) say(line);
  const jobs = found.jobs.filter(({ config }) => job === undefined || config.jobName === job);
  if (job !== undefined && jobs.length === 0) {
    const names = [...new Set(found.jobs.map(({ config }) => config.jobName))].slice(0, MAX_NAMED_JOBS);
    say(`cannot explain the job ${job}: there is none of that name; the jobs are: ${names.join(', ')}`);
    return 2;
  }
  if (page !== undefined) {
    const code = await explainPage(page, jobs, output, left);
    return problems.length === 0 ? code : Math.max(code, 1);
  }
  const counts = { target: 0, dropped: 0, wrong: 0 };
  for (const target of explainTargets(jobs)) {
    if (left.aborted) break;
    counts[target.outcome.code]++;
    await print(output === 'json' ? targetJson(target) : targetText(target));
  }
  if (output === 'table') await print(`${summaryOf(counts)}\n`);
  return problems.length === 0 ? 0 : 1;
}

const MAX_NAMED_JOBS = 20;

/** What dispatch would say of them: wrong addresses, limits, twins, too many. */
function problemsOfTargets(found: FoundJobs): readonly string[] {
  const { targets, problems } = targetsOfJobs(found);
  return [...problems, ...planShards({ tickMs: 0, tickIntervalMs: 0, targets, owing: [] }).problems];
}

function summaryOf(counts: Readonly<Record<ExplainedTarget['outcome']['code'], number>>): string {
  const { target, dropped, wrong } = counts;
  return `targets: ${target}, dropped: ${dropped}, not scraped: ${wrong}`;
}
