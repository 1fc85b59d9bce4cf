/** Under which names the samples of one page go out: the same stages as in a run, without values. */
import type { Page } from './exposition.ts';
import { groupFamilies } from './families.ts';
import type { Labels, Target } from './model.ts';
import { viewPage } from './page-view.ts';
import { type SeriesNames, createMemory, createNaming } from './point-names.ts';
import { displacedOn, partName } from './points.ts';
import { createRoles } from './sample-roles.ts';
import { type SeriesTable, internSeries } from './series.ts';

/** Metric keys of a sample with this name and these labels after relabelling; none: it is not sent. */
export type SentNames = (name: string, labels: Labels) => readonly string[];

/** `page` as it was parsed into `table`. Of one that fails as a whole, by a limit, nothing is sent. */
export function createSentNames(page: Page, target: Target, table: SeriesTable): SentNames {
  const viewed = viewPage(page, target, table, new Map());
  if (viewed.code !== 'page') return () => [];
  const families = groupFamilies(viewed.page, table, new Map());
  const naming = createNaming(target, displacedOn(target, [], families), { ...createMemory(), table });
  const roleOf = createRoles(viewed.page, new Map());
  return (name, labels) => {
    const { part, family, kind, ...role } = roleOf(name);
    switch (part) {
      case 'gauge':
        return keysOf(naming(internSeries(table, role.name, labels), 'gauge'));
      case 'counter':
        return keysOf(naming(internSeries(table, role.name, labels), 'counter'));
      case 'bucket':
        return keysOf(naming(internSeries(table, family, withoutBound(labels)), kind));
      case 'count':
      case 'sum': {
        const keys = keysOf(naming(internSeries(table, family, labels), kind));
        return kind === 'summary' ? keys.map((key) => partName(key, `_${part}`)) : keys;
      }
      case 'created':
        // It tells when another began, and is no metric.
        return [];
    }
  };
}

function keysOf(names: SeriesNames): readonly string[] {
  switch (names.code) {
    case 'left_out':
      return [];
    case 'alone':
      return [names.name.name];
    case 'bundled':
      return names.names.map(({ name }) => name);
  }
}

/** A bucket's bound is no label of its histogram. */
function withoutBound(labels: Labels): Labels {
  return labels.filter((_, i) => labels[i - (i % 2)] !== 'le');
}
