/** What a target's settings make of each series of a page, step by step. */
import { labelsOf } from './label-builder.ts';
import type { Labels, Target } from '../model.ts';
import { labelsOfTarget } from '../page-view.ts';
import { rulesOf } from '../planning.ts';
import { type RelabelStep, relabelSteps } from './relabel.ts';
import { type ExposedSeries, type SampleRules, mergeTargetLabels, sampleLabels } from './sample-labels.ts';

export interface ExplainedSeries {
  readonly page: ExposedSeries;
  /** With the target's labels, and the name as `__name__`: what the first rule sees. */
  readonly merged: Labels;
  /** Of `metric_relabel_configs`. */
  readonly steps: readonly RelabelStep[];
  readonly outcome: SeriesOutcome;
}

/** `renamed`: the name or a label of the page is not there as it was. */
export type SeriesOutcome =
  | { readonly code: 'kept' | 'renamed'; readonly name: string; readonly labels: Labels }
  /** By a rule, or because no name was left. */
  | { readonly code: 'dropped' }
  /** The whole scrape fails. */
  | { readonly code: 'label_limit'; readonly message: string };

export function sampleRulesOf(target: Target): SampleRules {
  const { honorLabels, metricRelabelConfigs } = target;
  return {
    targetLabels: labelsOfTarget(target),
    honorLabels,
    rules: rulesOf(metricRelabelConfigs),
    limits: target,
  };
}

export function explainSeries(page: ExposedSeries, sampleRules: SampleRules): ExplainedSeries {
  const { targetLabels, honorLabels, rules } = sampleRules;
  const merged = mergeTargetLabels(page, targetLabels, honorLabels);
  const before = labelsOf(merged);
  const steps = relabelSteps(merged, rules);
  return {
    page,
    merged: before,
    steps,
    outcome: outcomeOf(page, sampleRules, steps.at(-1)?.after ?? before),
  };
}

function outcomeOf(page: ExposedSeries, sampleRules: SampleRules, after: Labels): SeriesOutcome {
  const seen = sampleLabels(page, sampleRules);
  if (seen.code !== 'series') return seen;
  const labels = withoutName(after);
  const isWhole = page.labels.every((text, i) => i % 2 === 1 || valueOf(labels, text) === page.labels[i + 1]);
  return { code: seen.name === page.name && isWhole ? 'kept' : 'renamed', name: seen.name, labels };
}

function withoutName(labels: Labels): Labels {
  return labels.filter((_, i) => labels[i - (i % 2)] !== '__name__');
}

function valueOf(labels: Labels, name: string): string | undefined {
  const at = labels.findIndex((text, i) => i % 2 === 0 && text === name);
  return at < 0 ? '' : labels[at + 1];
}
