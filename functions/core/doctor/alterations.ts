/** What is sent otherwise than the page has it, so that Dynatrace neither refuses it nor changes it without a word. */
import * as dynatrace from '../dynatrace.ts';
import type { Metadata } from '../exposition.ts';
import type { Families } from '../families.ts';
import type { Labels, Series, Target } from '../model.ts';
import { type Memory, type SeriesNames, namesOf } from '../point-names.ts';
import { exampleOf } from './drop-record.ts';
import type { Alteration } from './forecast-model.ts';

/** One of each kind, `from` and `to`, in the order in which they are met. */
export function alterationsOf(families: Families, target: Target, memory: Memory): readonly Alteration[] {
  const met = new Map<string, Alteration>();
  const add = (kind: Alteration['kind'], from: string, to: string, { key }: Series): void => {
    const id = JSON.stringify([kind, from, to]);
    if (!met.has(id))
      met.set(id, { kind, from: exampleOf(from), to: exampleOf(to), example: exampleOf(key) });
  };
  const known = namesOf(memory, target);
  const { maxBuckets } = target.output;
  const look = (series: Series, about: Metadata | undefined, bounds: readonly number[] = []): void => {
    const names = known?.get(series);
    if (names === undefined || names.code === 'left_out') return;
    if (names.code === 'alone' && names.name.name !== series.name)
      add('metric_name', series.name, names.name.name, series);
    for (const [kind, from, to] of labelAlterations(series.labels, names)) add(kind, from, to, series);
    for (const [kind, from, to] of textAlterations(about, names)) add(kind, from, to, series);
    const sent = bounds.filter((bound) => bound >= 0);
    if (sent.length < bounds.length)
      add('negative_bounds', `le ${bounds.join(', ')}`, `le ${sent.join(', ')}`, series);
    if (maxBuckets > 0 && sent.length + 1 > maxBuckets)
      add('buckets', `${sent.length + 1} buckets`, `${maxBuckets} buckets`, series);
  };
  for (const { series, bounds, metadata } of families.cumulative) look(series, metadata, bounds);
  for (const { series, metadata } of families.gauges) look(series, metadata);
  return [...met.values()];
}

type Change = readonly [kind: Alteration['kind'], from: string, to: string];
type Named = Exclude<SeriesNames, { readonly code: 'left_out' }>;

/** Of `# UNIT` and `# HELP`; what engines are summed to has texts of its own. */
function textAlterations(about: Metadata | undefined, { code }: Named): readonly Change[] {
  if (about === undefined || code === 'bundled') return [];
  const changes: Change[] = [];
  const { unit, help } = about;
  if (unit !== '' && dynatrace.unit(unit) === '') changes.push(['unit', unit, '']);
  if (help.length > dynatrace.MAX_DESCRIPTION_LENGTH)
    changes.push(['description', help, `its first ${dynatrace.MAX_DESCRIPTION_LENGTH} characters`]);
  return changes;
}

function labelAlterations(labels: Labels, names: Named): readonly Change[] {
  const changes: Change[] = [];
  const clash = dynatrace.clashingLabels(labels);
  if (clash !== undefined) changes.push(['dimension_clash', clash[1], dynatrace.dimensionKey(clash[0])]);
  const [first] = names.code === 'alone' ? [names.name] : names.names;
  for (let i = 0; i < labels.length; i += 2) {
    const [label, value] = [labels[i] as string, labels[i + 1] as string];
    const key = dynatrace.dimensionKey(label);
    const sent = first?.attributes[key];
    // `job` and `instance` are the point's identity; what engines are summed over is not sent.
    if (sent === undefined) continue;
    if (key !== label) changes.push(['dimension_key', label, key]);
    if (value.length > dynatrace.MAX_DIMENSION_VALUE_LENGTH && label !== clash?.[1])
      changes.push(['dimension_value', value, sent]);
  }
  return changes;
}
