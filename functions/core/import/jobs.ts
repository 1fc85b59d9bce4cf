/** What a scrape_config gets from what stands around it: labels of all series, rules, the first value. */
import type { Findings } from '../config/findings.ts';
import { describeOpen, outsideOf } from './environment.ts';
import type { OpenTexts } from './environment.ts';
import type { JobChanges, StaticLabel } from './processors.ts';
import {
  childOf,
  entriesOf,
  itemsOf,
  listAt,
  mapChildren,
  mappingAt,
  textAt,
  withChild,
  withEntry,
} from '../config/yaml-tree.ts';
import type { YamlMapping, YamlNode } from '../config/yaml.ts';

/** With the external labels, which come before what the processors do. */
export function withExternalLabels(
  changes: JobChanges,
  labels: YamlNode | undefined,
  {
    overrides,
    open,
    findings,
  }: { readonly overrides: boolean; readonly open: OpenTexts; readonly findings: Findings },
): JobChanges {
  const external = entriesOf(labels).flatMap(({ key: name, at, value }): readonly StaticLabel[] => {
    if (value.kind !== 'text') {
      return (
        findings.problem(
          value.at,
          'cannot read an external label: its value is no text; write name: value',
        ) ?? []
      );
    }
    const outside = outsideOf(value, open);
    if (outside !== undefined)
      return findings.problem(value.at, describeOpen('an external label', outside)) ?? [];
    // Prometheus itself fills in its environment there.
    if (!overrides && /\$\{?\w/.test(value.text)) {
      const cause = 'it stands for a variable of the environment of Prometheus';
      return findings.problem(value.at, `cannot fill in an external label: ${cause}; write the value`) ?? [];
    }
    return [{ name, at, value, overrides }];
  });
  return { ...changes, labels: [...external, ...changes.labels] };
}

export function withChanges(config: YamlMapping, changes: JobChanges): YamlMapping {
  const labelled = changes.labels.reduce(withLabel, config);
  return withOptions(withRules(labelled, 'metric_relabel_configs', changes.metricRules), changes);
}

/** Options under `dynatrace:`; what the job says itself there stays. */
function withOptions(config: YamlMapping, { attributes, initialValue }: JobChanges): YamlMapping {
  const [first] = attributes;
  const options = {
    initial_value: initialValue,
    attributes:
      first && mappingAt(first.at, Object.fromEntries(attributes.map(({ name, value }) => [name, value]))),
  };
  const written = childOf(config, 'dynatrace') ?? mappingAt(config.at, {});
  if (written.kind !== 'mapping') return config;
  const own = Object.entries(options).reduce(
    (mapping, [key, value]) =>
      value === undefined || childOf(mapping, key) !== undefined ? mapping : withEntry(mapping, key, value),
    written,
  );
  return own.entries.length === 0 ? config : withEntry(config, 'dynatrace', own);
}

/**
 * A label of each target group where the groups are all there is; else a rule behind all others, which knows of every
 * discovery and of what the rules make.
 */
function withLabel(config: YamlMapping, label: StaticLabel): YamlMapping {
  const { name, at, value, overrides } = label;
  const rules = itemsOf(childOf(config, 'relabel_configs'));
  if (rules.length === 0 && childOf(config, 'dns_sd_configs') === undefined) {
    return withChild(config, 'static_configs', (groups) =>
      mapChildren(groups, (group) => (group.kind === 'mapping' ? labelled(group, label) : group)),
    );
  }
  const onlyWithout = overrides
    ? {}
    : { source_labels: listAt(at, [textAt(at, name, true)]), regex: textAt(at, '', true) };
  const replacement = textAt(value.at, value.text.replaceAll('$', '$$$$'), true);
  return withRules(config, 'relabel_configs', [
    mappingAt(at, { ...onlyWithout, target_label: textAt(at, name), replacement }),
  ]);
}

function labelled(group: YamlMapping, { name, at, value, overrides }: StaticLabel): YamlMapping {
  const labels = childOf(group, 'labels') ?? mappingAt(at, {});
  if (labels.kind !== 'mapping') return group;
  const has = labels.entries.some(({ key }) => key === name);
  if (has && !overrides) return group;
  return withEntry(group, 'labels', withEntry(labels, name, value));
}

function withRules(config: YamlMapping, key: string, rules: readonly YamlMapping[]): YamlMapping {
  if (rules.length === 0) return config;
  const written = childOf(config, key);
  // What is no list is the reader's to refuse.
  if (written !== undefined && written.kind !== 'list') return config;
  return withEntry(config, key, listAt(written?.at ?? config.at, [...itemsOf(written), ...rules]));
}

/** `targets: [["10.0.1.17:8000"]]`, as on some pages, without the list in the list. */
export function flattenedTargets(config: YamlMapping): YamlMapping {
  const flat = (node: YamlNode): readonly YamlNode[] =>
    node.kind === 'list' ? node.items.flatMap(flat) : [node];
  return withChild(config, 'static_configs', (groups) =>
    mapChildren(groups, (group) =>
      group.kind !== 'mapping'
        ? group
        : withChild(group, 'targets', (targets) =>
            targets.kind === 'list' ? listAt(targets.at, targets.items.flatMap(flat)) : targets,
          ),
    ),
  );
}
