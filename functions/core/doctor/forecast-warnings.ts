/** What a person should know of a page before it is scraped each minute. */
import type { DataPoint, Target } from '../model.ts';
import { referenceMetric } from '../nim.ts';
import type { Sendables } from '../points.ts';
import type { Taken } from '../take-in.ts';
import {
  type ForecastMetric,
  type ForecastWarning,
  MANY_SERIES,
  MAX_EXAMPLES,
  NEAR_LIMIT,
  type PageFacts,
} from './forecast-model.ts';

/** Tuples of one metric that Dynatrace takes in 30 days ("About metrics ingest", limits). */
const MAX_TUPLES = 1_000_000;

interface Looked {
  readonly target: Target;
  readonly facts: PageFacts;
  readonly taken: Taken;
  readonly built: Sendables;
  readonly metrics: readonly ForecastMetric[];
  readonly complete: boolean;
}

export function warningsOf(looked: Looked): readonly ForecastWarning[] {
  const { complete, metrics } = looked;
  const points = looked.built.sendables.flatMap((sendable) => sendable.points);
  const told: readonly (readonly [ForecastWarning['code'], string | undefined])[] = [
    ['page_cut', complete ? undefined : CUT],
    ['refused_lines', refusedLines(looked.facts)],
    ['collision', looked.built.collision],
    ['nothing_sent', nothingSent(looked)],
    ['points_over_budget', overBudget(looked.target, points.length)],
    ['many_series', manySeries(metrics, points)],
    ['near_limit', nearLimit(looked)],
    ['model_name_missing', withoutModel(points)],
    ['no_process_start', noStart(looked)],
    ['families_without_samples', withoutSamples(looked.facts)],
  ];
  return told.flatMap(([code, message]) => (message === undefined ? [] : [{ code, message }]));
}

const CUT =
  'HTTP did not tell where the page ends, so it may be cut: series that are new on the next page begin with a ' +
  'baseline; look for a proxy that takes Content-Length away';

const NOTHING =
  'nothing of this page is sent, only up and the scrape_* gauges: see what is dropped, and whether this is the ' +
  'right path and port';

/** Of a NIM 1.x before its first request it is said by `families_without_samples`. */
function nothingSent({ metrics, facts }: Looked): string | undefined {
  const isFresh = facts.familiesWithoutSamples.length > 0;
  return isFresh || metrics.some(({ sources }) => sources.length > 0) ? undefined : NOTHING;
}

function refusedLines({ refused: { lines, examples } }: PageFacts): string | undefined {
  const [first] = examples;
  if (first === undefined) return undefined;
  const others = lines === 1 ? '' : `, and ${lines - 1} more`;
  return `line ${first.line} of the page cannot be read: ${first.cause}${others}; the other lines are taken`;
}

function overBudget({ output: { pointsBudget } }: Target, points: number): string | undefined {
  if (pointsBudget === 0 || points <= pointsBudget) return undefined;
  const remedy = 'choose preset: core, or exclude what nobody looks at';
  return `a run sends ${points} points, and points_budget is ${pointsBudget}: all are sent, and each run says so; ${remedy}`;
}

/** Of the metric with the most series: which of its dimensions has the most values. */
function manySeries(metrics: readonly ForecastMetric[], points: readonly DataPoint[]): string | undefined {
  const [most] = metrics.filter(({ series }) => series > MANY_SERIES).sort((a, b) => b.series - a.series);
  if (most === undefined) return undefined;
  const values = new Map<string, Set<string>>();
  for (const { name, attributes } of points) {
    if (name !== most.name) continue;
    for (const [key, value] of Object.entries(attributes))
      values.set(key, (values.get(key) ?? new Set()).add(value));
  }
  const [label = '', distinct = new Set()] = [...values].sort(([, a], [, b]) => b.size - a.size)[0] ?? [];
  const targets = Math.floor(MAX_TUPLES / most.series);
  const limit = `${targets} such targets fill the ${MAX_TUPLES} series that Dynatrace keeps of a metric`;
  return (
    `${most.name} has ${most.series} series, ${label} alone has ${distinct.size} values, and ${limit}; ` +
    'drop the label or the metric by metric_relabel_configs'
  );
}

function nearLimit({ target, facts, taken }: Looked): string | undefined {
  const near = [
    ['samples', taken.samplesPostRelabeling, 'sample_limit', target.sampleLimit],
    ['bytes', facts.bytes, 'body_size_limit', target.bodySizeLimitBytes],
  ] as const;
  const found = near.find(([, is, , limit]) => is >= limit * NEAR_LIMIT);
  if (found === undefined) return undefined;
  const [what, is, option, limit] = found;
  return `the page has ${is} ${what}, and ${option} is ${limit}: a page beyond it is refused whole; raise ${option}`;
}

function withoutModel(points: readonly DataPoint[]): string | undefined {
  const names = new Set<string>();
  for (const { name, attributes } of points)
    if (referenceMetric(name) !== undefined && attributes['model_name'] === undefined) names.add(name);
  if (names.size === 0) return undefined;
  const some = listed([...names]);
  return `${some}: no label model_name, by which Dynatrace's NIM dashboards split; add one by metric_relabel_configs`;
}

function noStart({ facts, taken }: Looked): string | undefined {
  if (facts.processStartMs !== undefined || taken.families.cumulative.length === 0) return undefined;
  return (
    'the page does not tell process_start_time_seconds: the first scrape of a target is a baseline only; a restart ' +
    'shows only where a counter falls, so what a new process counts is lost up to the old value if it gets beyond ' +
    'it between two scrapes; several processes behind one address show only once a counter fell twice: give each a ' +
    'target of its own'
  );
}

function withoutSamples({ familiesWithoutSamples: names }: PageFacts): string | undefined {
  if (names.length === 0) return undefined;
  const families = names.length === 1 ? 'one family' : `${names.length} families`;
  return `${families} of the page without a sample so far (${listed(names)}): with the first request they begin, and add a point or more each`;
}

function listed(names: readonly string[]): string {
  const some = names.slice(0, MAX_EXAMPLES).join(', ');
  return names.length > MAX_EXAMPLES ? `${some}, ...` : some;
}
