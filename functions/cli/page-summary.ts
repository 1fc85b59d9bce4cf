/** What became of a page's series, those that fared alike in one row. */
import { type ExplainedSeries, type SeriesOutcome, sampleRulesOf } from '../core/relabel/explain-series.ts';
import type { Target } from '../core/model.ts';
import { seriesKey } from '../core/series.ts';
import { changesOf, labelWords, paragraph, ruleText } from './rule-text.ts';

/** Rows of the table; the JSON has every series. */
export const MAX_ROWS = 1_000;

/** Series of one metric that fared alike. */
interface Row {
  readonly example: ExplainedSeries;
  /** Metrics that it is sent as. */
  readonly sent: readonly string[];
  count: number;
}

interface RuleCounts {
  changed: number;
  dropped: number;
}

export interface PageSummary {
  readonly target: Target;
  readonly rows: Map<string, Row>;
  readonly outcomes: Record<SeriesOutcome['code'], number>;
  readonly rules: readonly RuleCounts[];
  /** Names and labels that are kept. */
  readonly keys: Set<string>;
  /** Series that are there already under the same name and labels. */
  twice: number;
  /** Kept, but not sent. */
  unsent: number;
  /** Why the scrape would fail. */
  exceeded: string | undefined;
}

export function createSummary(target: Target): PageSummary {
  return {
    target,
    rows: new Map(),
    outcomes: { kept: 0, renamed: 0, dropped: 0, label_limit: 0 },
    rules: target.metricRelabelConfigs.map(() => ({ changed: 0, dropped: 0 })),
    keys: new Set(),
    twice: 0,
    unsent: 0,
    exceeded: undefined,
  };
}

export function addSeries(summary: PageSummary, explained: ExplainedSeries, sent: readonly string[]): void {
  const { page, steps, outcome } = explained;
  summary.outcomes[outcome.code]++;
  const effects = steps.map((step) =>
    step.after === undefined ? 'dropped' : changesOf(step).length > 0 ? 'changed' : undefined,
  );
  for (const [i, effect] of effects.entries()) {
    const rule = summary.rules[i];
    if (rule !== undefined && effect !== undefined) rule[effect]++;
  }
  const name = 'name' in outcome ? outcome.name : '';
  const key = JSON.stringify([page.name, outcome.code, name, effects, sent]);
  const row = summary.rows.get(key);
  if (row === undefined) summary.rows.set(key, { example: explained, sent, count: 1 });
  else row.count++;
  if (outcome.code === 'label_limit') summary.exceeded ??= outcome.message;
  if (!('labels' in outcome)) return;
  const kept = seriesKey(outcome.name, outcome.labels);
  if (summary.keys.has(kept)) summary.twice++;
  else if (sent.length === 0) summary.unsent++;
  summary.keys.add(kept);
}

function whyUnsent({ output: { preset, include, exclude } }: Target): string {
  const isChosen = (preset ?? 'default') !== 'default' || include.length + exclude.length > 0;
  return isChosen ? 'by preset, include and exclude' : 'python_*, process_*, *_created';
}

/** What is wrong with the page as a whole. */
export function problemsOf({ target, outcomes, exceeded, twice }: PageSummary): readonly string[] {
  const problems = exceeded === undefined ? [] : [exceeded];
  const { sampleLimit } = target;
  const left = outcomes.kept + outcomes.renamed;
  if (left > sampleLimit) {
    const remedy = 'raise sample_limit, or drop series by metric_relabel_configs';
    problems.push(`cannot read the page: ${left} samples, and sample_limit is ${sampleLimit}; ${remedy}`);
  }
  if (twice > 0) {
    const cause = `after relabelling each has the name and labels of another, and the first counts`;
    problems.push(`cannot keep ${twice} series: ${cause}; keep a label that tells them apart`);
  }
  return problems;
}

export function summaryText(page: string, summary: PageSummary): string {
  const { target, rows, rules, outcomes, unsent } = summary;
  const { kept, renamed, dropped } = outcomes;
  const title = target.honorLabels ? '  target labels, where the page has none  ' : '  target labels  ';
  return [
    `${page}  as ${target.instance} of the job ${target.job}`,
    ...paragraph(title, labelWords(sampleRulesOf(target).targetLabels)),
    ...target.metricRelabelConfigs.flatMap((config, i) => [
      ...paragraph(`  rule ${i + 1}  `, [config.action, ...ruleText(config).split(' ')]),
      `          ${rules[i]?.dropped ?? 0} dropped, ${rules[i]?.changed ?? 0} changed`,
    ]),
    '',
    ...[...rows.values()].slice(0, MAX_ROWS).flatMap(rowLines),
    ...(rows.size > MAX_ROWS ? [`(${rows.size - MAX_ROWS} more rows; -o json has every series)`] : []),
    '',
    `${kept} series kept, ${renamed} renamed, ${dropped} dropped`,
    ...(unsent === 0 ? [] : [`${unsent} of those kept are not sent: ${whyUnsent(target)}`]),
    '',
  ].join('\n');
}

function rowLines({ example, sent, count }: Row): readonly string[] {
  const { page, merged, steps, outcome } = example;
  const name = 'name' in outcome && outcome.name !== page.name ? ` -> ${outcome.name}` : '';
  const as = 'name' in outcome ? sentText(outcome.name, sent) : '';
  const by = steps.at(-1)?.after === undefined && steps.length > 0 ? ` by rule ${steps.length}` : '';
  const own = new Set(labelWords(page.labels));
  const exported = labelWords(merged).filter((label) => label.startsWith('exported_') && !own.has(label));
  const changes = steps.flatMap((step, i) =>
    step.after === undefined
      ? []
      : changesOf(step)
          .filter((change) => !/^. __name__=/.test(change))
          .map((change) => `rule ${i + 1} ${change}`),
  );
  return [
    `${outcome.code.padEnd(11)} ${String(count).padStart(6)}  ${page.name}${name}${by}${as}`,
    ...[...exported.map((label) => `+ ${label}`), ...changes].map((line) => `${' '.repeat(22)}${line}`),
  ];
}

/** Where Dynatrace has another name for it, or nothing of it. */
function sentText(name: string, sent: readonly string[]): string {
  if (sent.length === 0) return '  not sent';
  return sent.length === 1 && sent[0] === name ? '' : `  sent as ${sent.join(', ')}`;
}
