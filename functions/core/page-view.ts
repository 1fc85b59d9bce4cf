/**
 * A page as its target's settings make it: the target's labels on every sample, clashes renamed, metric relabelling,
 * limits. What becomes of a series is worked out once and remembered, so that a warm page costs one look-up a sample.
 */
import type { Metadata, Page } from './exposition.ts';
import type { Labels, Series, Target } from './model.ts';
import { assert } from './outcome.ts';
import { compileRelabel } from './relabel/relabel.ts';
import { type SampleRules, sampleLabels } from './relabel/sample-labels.ts';
import { type SeriesTable, internSeries } from './series.ts';

/** What the settings of one or several targets make of each series. */
export interface PageView {
  readonly sampleRules: SampleRules;
  /** null: dropped. A text: the scrape fails, and why. */
  readonly bySeries: Map<Series, Series | string | null>;
  /** Metric names that a rule changed -> what they became. */
  readonly renames: Map<string, Set<string>>;
}

/** Owned by whoever assembles the run; may be thrown away between two runs without changing a result. */
export type PageViews = Map<string, PageView>;

/** Series remembered over all views, some 50 MB: what 150 targets with rules of their own and 1,000 series need. */
export const MAX_VIEWED_SERIES = 150_000;
/** Views remembered: two a target, of a full shard. */
export const MAX_VIEWS = 300;

export type ViewedPage =
  | { readonly code: 'page'; readonly page: Page }
  | { readonly code: 'label_limit' | 'sample_limit'; readonly message: string };

/** Between two runs. */
export function trimViews(views: PageViews): void {
  let series = 0;
  for (const { bySeries } of views.values()) series += bySeries.size;
  if (series > MAX_VIEWED_SERIES || views.size > MAX_VIEWS) views.clear();
}

/** `sample_limit` counts what is left after relabelling, as in Prometheus. */
export function viewPage(page: Page, target: Target, table: SeriesTable, views: PageViews): ViewedPage {
  const view = viewOf(target, views);
  const series: Series[] = [];
  const values: number[] = [];
  const timesMs = new Map<number, number>();
  for (let i = 0; i < page.series.length; i++) {
    const given = page.series[i] as Series;
    let seen = view.bySeries.get(given);
    if (seen === undefined) {
      seen = see(given, view, table);
      view.bySeries.set(given, seen);
    }
    if (seen === null) continue;
    if (typeof seen === 'string') return { code: 'label_limit', message: seen };
    const timeMs = target.honorTimestamps ? page.timesMs.get(i) : undefined;
    if (timeMs !== undefined) timesMs.set(series.length, timeMs);
    series.push(seen);
    values.push(page.values[i] as number);
  }
  if (series.length > target.sampleLimit) return tooManySamples(series.length, target.sampleLimit);
  // A line that was not read may be of a metric that has another name here.
  const hidden = view.renames.size > 0 && page.refused.count > 0;
  const refused = hidden ? { ...page.refused, anywhere: true } : page.refused;
  return {
    code: 'page',
    page: { ...page, series, values, timesMs, refused, metadata: renamed(page, view.renames) },
  };
}

/** The target's labels as samples meet them: `job` and `instance` are among them. */
export function labelsOfTarget({ labels, job, instance }: Target): Labels {
  const pairs: (readonly [string, string])[] = [
    ['job', job],
    ['instance', instance],
  ];
  for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i] as string, labels[i + 1] as string]);
  return pairs.sort(([a], [b]) => (a < b ? -1 : 1)).flat();
}

/** All of a target that decides what its series are called. */
export function readingOf({ labels, honorLabels, metricRelabelConfigs }: Target): string {
  return JSON.stringify([labels, honorLabels, metricRelabelConfigs]);
}

/** Where neither a rule nor `honor_labels` looks at `job` and `instance`, targets that are alike share a view. */
function viewOf(target: Target, views: PageViews): PageView {
  const { honorLabels, metricRelabelConfigs, labelLimit, labelNameLengthLimit, labelValueLengthLimit } =
    target;
  const limits = { labelLimit, labelNameLengthLimit, labelValueLengthLimit };
  const isOwn = honorLabels || metricRelabelConfigs.length > 0 || labelValueLengthLimit > 0;
  const identity = isOwn ? [target.job, target.instance] : [];
  const key = JSON.stringify([readingOf(target), limits, identity]);
  let view = views.get(key);
  if (view === undefined) {
    const compiled = compileRelabel(metricRelabelConfigs);
    assert(compiled.code === 'rules', 'rules are checked when their document is read');
    const sampleRules = { targetLabels: labelsOfTarget(target), honorLabels, rules: compiled.rules, limits };
    view = { sampleRules, bySeries: new Map(), renames: new Map() };
    views.set(key, view);
  }
  return view;
}

function see(given: Series, view: PageView, table: SeriesTable): Series | string | null {
  const seen = sampleLabels(given, view.sampleRules);
  if (seen.code === 'label_limit') return seen.message;
  if (seen.code === 'dropped') return null;
  if (seen.name !== given.name) {
    const names = view.renames.get(given.name) ?? new Set();
    view.renames.set(given.name, names.add(seen.name));
  }
  return internSeries(table, seen.name, seen.labels);
}

const SUFFIXES = ['', '_total', '_bucket', '_count', '_sum', '_created', '_info'] as const;

/** A metric that was renamed keeps its type: `x_total` under the name `y_total` is a counter as before. */
function renamed(page: Page, renames: ReadonlyMap<string, ReadonlySet<string>>): Page['metadata'] {
  if (renames.size === 0) return page.metadata;
  const metadata = new Map<string, Metadata>(page.metadata);
  for (const [name, newNames] of renames) {
    for (const suffix of SUFFIXES) {
      const about = name.endsWith(suffix)
        ? page.metadata.get(name.slice(0, name.length - suffix.length))
        : undefined;
      if (about === undefined) continue;
      for (const newName of newNames) {
        const family = suffix !== '' && newName.endsWith(suffix) ? newName.slice(0, -suffix.length) : newName;
        if (!page.metadata.has(family)) metadata.set(family, about);
      }
    }
  }
  return metadata;
}

function tooManySamples(count: number, limit: number): ViewedPage {
  const remedy = 'raise sample_limit, or drop series by metric_relabel_configs';
  return {
    code: 'sample_limit',
    message: `cannot read the page: ${count} samples, and sample_limit is ${limit}; ${remedy}`,
  };
}
