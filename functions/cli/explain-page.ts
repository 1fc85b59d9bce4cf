/** `explain --page`: what becomes of each series of a page on its way to Dynatrace. */
import { systemClock } from '../adapters/clock.ts';
import { readFileBytes } from '../adapters/files.ts';
import { createHttp } from '../adapters/http.ts';
import { createScrape } from '../adapters/scrape.ts';
import { explainTargets } from '../core/relabel/explain-target.ts';
import { type ExplainedSeries, explainSeries, sampleRulesOf } from '../core/relabel/explain-series.ts';
import { type Page, parseExposition } from '../core/exposition.ts';
import type { Target } from '../core/model.ts';
import type { FoundJob } from '../core/planning.ts';
import type { Secrets } from '../core/secrets.ts';
import { createSentNames } from '../core/sent-names.ts';
import { createSeriesTable } from '../core/series.ts';
import { readAddress } from '../core/config/address.ts';
import { print, say } from './output.ts';
import { addSeries, createSummary, problemsOf, summaryText } from './page-summary.ts';
import { pairsOf, seriesText, stepJson } from './rule-text.ts';

/** Answers with the exit code. `jobs`: those that the page may be of. */
export async function explainPage(
  page: string,
  jobs: readonly FoundJob[],
  output: 'table' | 'json',
  left: AbortSignal,
): Promise<number> {
  const target = targetFor(page, jobs);
  if (typeof target !== 'object') return target;
  const body = /^https?:\/\//.test(page) ? await fetchPage(page, target) : await readFile(page, target);
  if (typeof body === 'string') {
    say(body);
    return 1;
  }
  const table = createSeriesTable();
  const parsed = parseExposition(body, table);
  if (parsed.code !== 'page') {
    say(parsed.message);
    return 1;
  }
  const sampleRules = sampleRulesOf(target);
  const sentNames = createSentNames(parsed.page, target, table);
  const summary = createSummary(target);
  for (const series of parsed.page.series) {
    if (left.aborted) break;
    const explained = explainSeries(series, sampleRules);
    const { outcome } = explained;
    const sent = 'labels' in outcome ? sentNames(outcome.name, outcome.labels) : [];
    addSeries(summary, explained, sent);
    if (output === 'json') await print(seriesJson(target, explained, sent));
  }
  if (output === 'table') await print(summaryText(page, summary));
  const problems = [...linesOf(parsed.page), ...problemsOf(summary)];
  for (const line of problems) say(line);
  return problems.length === 0 ? 0 : 1;
}

/** The target at the page's address, else the first one of the only job. A number: the exit code. */
function targetFor(page: string, jobs: readonly FoundJob[]): Target | number {
  const host = URL.parse(page)?.host;
  const first = new Map<string, Target>();
  for (const { config, outcome } of explainTargets(jobs)) {
    if (outcome.code !== 'target') continue;
    if (outcome.target.address === host) return outcome.target;
    if (!first.has(config.jobName)) first.set(config.jobName, outcome.target);
  }
  const [target, ...others] = first.values();
  if (target === undefined) {
    say(`cannot explain ${page}: there is no target whose page it could be; see explain without --page`);
    return 1;
  }
  if (others.length === 0) return target;
  const names = [...first.keys()].slice(0, MAX_NAMED_JOBS).join(', ');
  say(`cannot explain ${page}: it may be of several jobs; choose by --job: ${names}`);
  return 2;
}

const MAX_NAMED_JOBS = 20;

async function readFile(path: string, { bodySizeLimitBytes }: Target): Promise<Uint8Array | string> {
  const read = await readFileBytes(path, bodySizeLimitBytes);
  if (read.code === 'failed') return read.message;
  if (read.bytes.length < bodySizeLimitBytes) return read.bytes;
  const limit = `it reached body_size_limit, ${bodySizeLimitBytes} bytes`;
  return `cannot read ${path}: ${limit}; raise the limit if the page is meant to be so large`;
}

/** With the options of the job, but no secret is read, and none is sent to where somebody else may listen. */
async function fetchPage(page: string, of: Target): Promise<Uint8Array | string> {
  const address = readAddress(page, of.job);
  if (typeof address === 'string') return address;
  const { scheme, address: host, path, params } = address;
  const http = createHttp({ clock: systemClock });
  try {
    const scrape = createScrape({ http, clock: systemClock, secrets: NO_SECRETS });
    const target = { ...of, scheme, address: host, path, params };
    const answer = await scrape(target, systemClock.monotonicMs() + target.timeoutMs);
    return answer.code === 'page' ? answer.body : answer.message;
  } finally {
    await http.close();
  }
}

const NO_SECRETS: Secrets = (reference) =>
  Promise.resolve({
    code: 'refused',
    message: `${reference} is not read by explain; save the page with another tool, and give --page its file`,
  });

function linesOf({ refused }: Page): readonly string[] {
  return refused.examples.map(
    ({ line, cause }) => `cannot read line ${line} of the page: ${cause}; it is left out`,
  );
}

function seriesJson(
  { job, instance }: Target,
  { page, steps, outcome }: ExplainedSeries,
  sent: readonly string[],
): string {
  const line = {
    job,
    instance,
    series: seriesText(page.name, page.labels),
    outcome: outcome.code,
    name: 'name' in outcome ? outcome.name : null,
    labels: 'labels' in outcome ? Object.fromEntries(pairsOf(outcome.labels)) : null,
    sent,
    steps: steps.map(stepJson),
  };
  return `${JSON.stringify(line)}\n`;
}
