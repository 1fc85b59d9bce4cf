/** The points of a run as metrics: what Dynatrace will list, and what on the page each comes of. */
import type { Families } from '../families.ts';
import type { Target } from '../model.ts';
import type { PageViews } from '../page-view.ts';
import { type Memory, namesOf } from '../point-names.ts';
import type { Sendable } from '../points.ts';
import type { ForecastMetric } from './forecast-model.ts';

interface Gathered {
  readonly name: string;
  readonly type: ForecastMetric['type'];
  readonly unit: string;
  series: number;
  readonly dimensions: Set<string>;
  readonly sources: Set<string>;
}

export function metricsOf(
  sendables: readonly Sendable[],
  families: Families,
  target: Target,
  memory: Memory,
): readonly ForecastMetric[] {
  const nameOf = sourceNames(families, target, memory);
  const onPage = namesOnPage(memory.views);
  const metrics = new Map<string, Gathered>();
  for (const { key, states, points } of sendables) {
    const sources = states.length > 0 ? states.map(({ series }) => series.name) : [nameOf.get(key)];
    for (const { name, kind, unit, attributes } of points) {
      const id = JSON.stringify([name, kind]);
      const metric: Gathered = metrics.get(id) ?? {
        name,
        type: kind,
        unit,
        series: 0,
        dimensions: new Set(),
        sources: new Set(),
      };
      metrics.set(id, metric);
      metric.series++;
      for (const dimension of Object.keys(attributes)) metric.dimensions.add(dimension);
      for (const source of sources)
        if (source !== undefined) for (const given of onPage(source)) metric.sources.add(given);
    }
  }
  return [...metrics.values()]
    .map((metric) => ({
      ...metric,
      dimensions: [...metric.dimensions].sort(),
      sources: [...metric.sources].sort(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Key of a gauge, or of a sum of gauges -> name of the series. `up` and its like, which no page has, are not in it. */
function sourceNames({ gauges }: Families, target: Target, memory: Memory): ReadonlyMap<string, string> {
  const known = namesOf(memory, target);
  const names = new Map<string, string>();
  for (const { series } of gauges) {
    const naming = known?.get(series);
    names.set(naming?.code === 'bundled' ? naming.bundle : series.key, series.name);
  }
  return names;
}

const HISTOGRAM_SUFFIXES = ['', '_bucket', '_count', '_sum'] as const;

/** Name of a series, or of its histogram, after metric relabelling -> the names before it. */
function namesOnPage(views: PageViews): (name: string) => readonly string[] {
  const given = new Map<string, Set<string>>();
  for (const { bySeries } of views.values())
    for (const [before, after] of bySeries) {
      if (after === null || typeof after === 'string') continue;
      const names = given.get(after.name) ?? new Set();
      given.set(after.name, names.add(before.name));
    }
  return (name) => {
    for (const suffix of HISTOGRAM_SUFFIXES) {
      const names = given.get(name + suffix);
      if (names !== undefined)
        return [...names].map((one) =>
          one.endsWith(suffix) ? one.slice(0, one.length - suffix.length) : one,
        );
    }
    return [name];
  };
}
