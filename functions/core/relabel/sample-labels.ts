/**
 * A target's labels meet a scraped sample: merged, relabelled, held against the limits, in Prometheus' order
 * (scrape/scrape.go, mutateSampleLabels and verifyLabelLimits). Memoised per series by whoever reads the page.
 */
import { createLabelBuilder, getLabel, labelsOf, setLabel, type LabelBuilder } from './label-builder.ts';
import type { Labels, Series } from '../model.ts';
import { applyRules, type RelabelRule } from './relabel.ts';
import type { ScrapeSettings } from '../scrape-config.ts';

/** 0: no limit. Lengths in bytes of UTF-8. */
export type LabelLimits = Pick<
  ScrapeSettings,
  'labelLimit' | 'labelNameLengthLimit' | 'labelValueLengthLimit'
>;

/** What happens to every sample of one target. */
export interface SampleRules {
  /** Those without `__` in front, among them `job` and `instance`. */
  readonly targetLabels: Labels;
  readonly honorLabels: boolean;
  /** `metric_relabel_configs`. */
  readonly rules: readonly RelabelRule[];
  readonly limits: LabelLimits;
}

export type SampleLabels =
  | { readonly code: 'series'; readonly name: string; readonly labels: Labels }
  /** By a rule, or because no name was left (for which Prometheus would fail the scrape). */
  | { readonly code: 'dropped' }
  /** The scrape fails as a whole, as in Prometheus. */
  | { readonly code: 'label_limit'; readonly message: string };

/** A series as the page names it. */
export type ExposedSeries = Pick<Series, 'name' | 'labels' | 'emptied'>;

const NAME = '__name__';

/**
 * The name and labels under which a sample is kept. `job` and `instance` are among them only where they differ from the
 * target's: each data point carries its target's identity anyway.
 */
export function sampleLabels(series: ExposedSeries, sampleRules: SampleRules): SampleLabels {
  const { targetLabels, honorLabels, rules, limits } = sampleRules;
  const builder = mergeTargetLabels(series, targetLabels, honorLabels);
  if (!applyRules(builder, rules)) return { code: 'dropped' };
  const name = getLabel(builder, NAME);
  if (name === '') return { code: 'dropped' };
  const exceeded = checkSampleLimits(labelsOf(builder), limits);
  if (exceeded !== undefined) return { code: 'label_limit', message: exceeded };
  setLabel(builder, NAME, '');
  const target = createLabelBuilder(targetLabels);
  for (const identity of ['job', 'instance']) {
    if (getLabel(builder, identity) === getLabel(target, identity)) setLabel(builder, identity, '');
  }
  return { code: 'series', name, labels: labelsOf(builder) };
}

/**
 * The series with its target's labels, and its name as `__name__`: what `metric_relabel_configs` see. Where both bring
 * a label, `honor_labels` lets the scraped one stand, even an empty one, which then is none; else the target's stands
 * and the scraped one is renamed `exported_<name>`, as often as it takes to be free, the shortest names first.
 */
export function mergeTargetLabels(
  series: ExposedSeries,
  targetLabels: Labels,
  honorLabels: boolean,
): LabelBuilder {
  const builder = createLabelBuilder(withName(series));
  const clashes: string[] = [];
  for (let i = 0; i < targetLabels.length; i += 2) {
    const name = targetLabels[i] as string;
    const value = targetLabels[i + 1] as string;
    const scraped = getLabel(builder, name);
    if (honorLabels) {
      if (scraped === '' && series.emptied?.includes(name) !== true) setLabel(builder, name, value);
      continue;
    }
    if (scraped !== '') clashes.push(name, scraped);
    setLabel(builder, name, value);
  }
  for (const { name, value } of shortestFirst(clashes)) {
    let free = `exported_${name}`;
    while (getLabel(builder, free) !== '') free = `exported_${free}`;
    setLabel(builder, free, value);
  }
  return builder;
}

function withName({ name, labels }: ExposedSeries): Labels {
  const after = labels.findIndex((text, i) => i % 2 === 0 && text > NAME);
  const at = after < 0 ? labels.length : after;
  return [...labels.slice(0, at), NAME, name, ...labels.slice(at)];
}

function shortestFirst(labels: Labels): readonly { readonly name: string; readonly value: string }[] {
  const pairs: { readonly name: string; readonly value: string }[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    pairs.push({ name: labels[i] as string, value: labels[i + 1] as string });
  }
  return pairs.sort((a, b) => byteLength(a.name) - byteLength(b.name));
}

/**
 * What is wrong with the labels of a sample, after relabelling, among them `__name__` and the target's: each counts. A
 * value is named by its label only, as it may be a secret.
 */
export function checkSampleLimits(labels: Labels, limits: LabelLimits): string | undefined {
  const { labelLimit, labelNameLengthLimit, labelValueLengthLimit } = limits;
  const count = labels.length / 2;
  if (labelLimit > 0 && count > labelLimit) {
    return exceeded(labels, `it has ${count} labels, label_limit is ${labelLimit}`);
  }
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i] as string;
    const nameLength = labelNameLengthLimit > 0 ? byteLength(name) : 0;
    if (nameLength > labelNameLengthLimit) {
      const limit = `label_name_length_limit is ${labelNameLengthLimit}`;
      return exceeded(labels, `the name of its label ${shortened(name)} has ${nameLength} bytes, ${limit}`);
    }
    const valueLength = labelValueLengthLimit > 0 ? byteLength(labels[i + 1] as string) : 0;
    if (valueLength > labelValueLengthLimit) {
      const limit = `label_value_length_limit is ${labelValueLengthLimit}`;
      return exceeded(labels, `its label ${shortened(name)} has ${valueLength} bytes, ${limit}`);
    }
  }
  return undefined;
}

function exceeded(labels: Labels, cause: string): string {
  const metric = shortened(getLabel(createLabelBuilder(labels), NAME));
  return `cannot take the sample ${metric}: ${cause}; raise the limit, or drop the label or the metric in metric_relabel_configs`;
}

/** 50 characters, as Prometheus prints of a name. */
function shortened(name: string): string {
  return JSON.stringify(name.slice(0, 50));
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
