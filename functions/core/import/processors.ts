/** What a Collector's processors mean for the jobs whose metrics go through them. */
import { parseDuration } from '../duration.ts';
import type { Findings } from '../config/findings.ts';
import { attributeProblem } from '../config/static-attributes.ts';
import { MAX_DIMENSION_VALUE_LENGTH, dimensionKey } from '../dynatrace.ts';
import { nameOfComponent } from './collector.ts';
import type { Component } from './collector.ts';
import { describeOpen, outsideOf } from './environment.ts';
import type { OpenTexts } from './environment.ts';
import { readFilter } from './filter.ts';
import { childOf, entriesOf, itemsOf, textOf } from '../config/yaml-tree.ts';
import type { YamlMapping, YamlNode, YamlPlace, YamlText } from '../config/yaml.ts';

/** A label that all series of a job get. */
export interface StaticLabel {
  readonly name: string;
  readonly at: YamlPlace;
  readonly value: YamlText;
  /** Whether it wins over a label of the same name. */
  readonly overrides: boolean;
}

/** A dimension that all points of a job get, where no label says otherwise. */
export interface StaticAttribute extends StaticLabel {
  /** On the data point, which wins over the resource. */
  readonly ofPoint: boolean;
}

export interface JobChanges {
  readonly labels: readonly StaticLabel[];
  /** One of each name. */
  readonly attributes: readonly StaticAttribute[];
  /** For the end of `metric_relabel_configs`. */
  readonly metricRules: readonly YamlMapping[];
  readonly initialValue?: YamlText;
}

interface Context {
  readonly findings: Findings;
  readonly open: OpenTexts;
}

export function changesOf(processors: readonly Component[], context: Context): JobChanges {
  return processors.map((processor) => changesOfOne(processor, context)).reduce(joined, NONE);
}

export const NONE: JobChanges = { labels: [], attributes: [], metricRules: [] };

function joined(one: JobChanges, other: JobChanges): JobChanges {
  return {
    ...one,
    ...other,
    labels: [...one.labels, ...other.labels],
    attributes: strongest([...one.attributes, ...other.attributes]),
    metricRules: [...one.metricRules, ...other.metricRules],
  };
}

/** In the order of the processors: what is inserted stays behind what is there, what is upserted replaces it. */
function strongest(attributes: readonly StaticAttribute[]): readonly StaticAttribute[] {
  const byName = new Map<string, StaticAttribute>();
  for (const next of attributes) {
    const old = byName.get(next.name);
    const wins = old === undefined || (old.ofPoint === next.ofPoint ? next.overrides : next.ofPoint);
    if (wins) byName.set(next.name, next);
  }
  return [...byName.values()];
}

function changesOfOne(processor: Component, context: Context): JobChanges {
  const { at, type, id, node } = processor;
  const { findings } = context;
  const name = `processor ${nameOfComponent(id)}`;
  switch (type) {
    case 'cumulativetodelta':
      return readCumulativeToDelta(node, context);
    case 'metricstarttime':
      findings.note(at, `${name} is not needed: restarts are known by process_start_time_seconds`);
      return NONE;
    case 'batch':
      findings.note(at, `${name} is not needed: bodies are as large as Dynatrace takes them`);
      return NONE;
    case 'memorylimiter':
      findings.note(at, `${name} is not needed: what a page may take is bounded`);
      return NONE;
    case 'filter':
      return { ...NONE, metricRules: readFilter(processor, context) };
    case 'attributes':
    case 'resource':
      return readActions(processor, context);
    default:
      findings.problem(
        at,
        `cannot carry over ${name}: there is nothing like it here; write what it changes as metric_relabel_configs or labels of the documents`,
      );
      return NONE;
  }
}

/** The default of the deployment (D9). */
const MAX_STALENESS_MS = 25 * 3_600_000;

function readCumulativeToDelta(node: YamlNode, { findings, open }: Context): JobChanges {
  let initialValue: YamlText | undefined;
  for (const { key, at, value } of entriesOf(node)) {
    if (key === 'max_staleness') noteMaxStaleness(value, findings);
    else if (key === 'include' || key === 'exclude' || key === 'metrics') {
      findings.note(
        at,
        `${key} has no effect: metrics that were not converted were refused by Dynatrace, and are sent now; to leave them out, drop them by metric_relabel_configs`,
      );
    } else if (key === 'initial_value' && value.kind === 'text') {
      const outside = outsideOf(value, open);
      if (outside !== undefined) findings.problem(value.at, describeOpen('initial_value', outside));
      else if (value.text !== 'auto') initialValue = value;
    } else findings.note(at, `${nameOfComponent(key)} has no effect: the deltas are made otherwise`);
  }
  return initialValue === undefined ? NONE : { ...NONE, initialValue };
}

function noteMaxStaleness(node: YamlNode, findings: Findings): void {
  const { at } = node;
  const staleMs = parseDuration((textOf(node) ?? '').replace(/(?<=\D)0[ms]/g, ''));
  if (staleMs === MAX_STALENESS_MS) {
    findings.note(at, 'max_staleness is 25h, which is the default');
    return;
  }
  // The context option takes minutes, hours and days.
  const value = staleMs === undefined || staleMs % 60_000 !== 0 ? '<duration>' : minutesOrHours(staleMs);
  findings.note(
    at,
    `max_staleness belongs to the deployment, not to a document: deploy with -c maxStaleness=${value}; the default is 25h`,
  );
}

function minutesOrHours(durationMs: number): string {
  return durationMs % 3_600_000 === 0 ? `${durationMs / 3_600_000}h` : `${durationMs / 60_000}m`;
}

/** Labels that say which job and target a series is of: the product's own business. */
const IDENTITY = /^(?:job|instance|service\.name|service\.instance\.id|__.*|)$/;

/** A label that a page in Prometheus' classic notation may have itself. */
const LABEL = /^[a-zA-Z_]\w*$/;

/**
 * Actions of `attributes` and `resource` processors. Where a label of the page may stay as it is, each is an attribute
 * of the job's points, which changes no series; what is to win over the page is a label of the target.
 */
function readActions(processor: Component, { findings, open }: Context): JobChanges {
  const { node, id, at, type } = processor;
  const name = `processor ${nameOfComponent(id)}`;
  const refuse = (place: YamlPlace, what: string, cause: string): JobChanges => {
    const remedy = 'write it as attributes, labels or relabel rules of the documents, if it is needed';
    findings.problem(place, `cannot carry over ${what} of ${name}: ${cause}; ${remedy}`);
    return NONE;
  };
  const selected = ['include', 'exclude'].find((key) => childOf(node, key) !== undefined);
  if (selected !== undefined) return refuse(at, selected, 'an attribute is for all series of a job');
  const list = childOf(node, type === 'resource' ? 'attributes' : 'actions');
  const read = itemsOf(list).map((action): JobChanges => {
    const verb = textOf(childOf(action, 'action'));
    const key = textOf(childOf(action, 'key')) ?? '';
    const value = childOf(action, 'value');
    if ((verb !== 'insert' && verb !== 'upsert') || value?.kind !== 'text')
      return refuse(action.at, 'an action', 'only insert and upsert of a value are constant');
    const attribute = dimensionKey(key);
    if (IDENTITY.test(key) || attributeProblem(attribute) !== undefined)
      return refuse(action.at, 'an action', 'which series a point is of is told by job_name and the address');
    const outside = outsideOf(value, open);
    if (outside !== undefined) {
      findings.problem(value.at, describeOpen('a value', outside));
      return NONE;
    }
    const said = { name: key, at: action.at, value, overrides: verb === 'upsert' };
    if (type === 'attributes' && said.overrides && LABEL.test(key)) return { ...NONE, labels: [said] };
    if (value.text === '' || value.text.length > MAX_DIMENSION_VALUE_LENGTH)
      return refuse(action.at, 'an action', 'Dynatrace takes no such value, as it is empty or too long');
    return { ...NONE, attributes: [{ ...said, name: attribute, ofPoint: type === 'attributes' }] };
  });
  return read.reduce(joined, NONE);
}
