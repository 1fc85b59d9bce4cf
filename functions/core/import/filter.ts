/** The Collector's filter processor as relabel rules on metric names, where they say the same. */
import type { Findings } from '../config/findings.ts';
import { nameOfComponent } from './collector.ts';
import type { Component } from './collector.ts';
import { outsideOf } from './environment.ts';
import type { OpenTexts } from './environment.ts';
import { childOf, entriesOf, itemsOf, listAt, mappingAt, textAt, textOf } from '../config/yaml-tree.ts';
import type { YamlMapping, YamlNode, YamlPlace } from '../config/yaml.ts';

interface Context {
  readonly findings: Findings;
  readonly open: OpenTexts;
}

/** Rules for the end of `metric_relabel_configs`. */
export function readFilter({ id, node }: Component, context: Context): readonly YamlMapping[] {
  const name = `processor ${nameOfComponent(id)}`;
  return entriesOf(node).flatMap(({ key, at, value }) => {
    if (key === 'metrics') return readMetrics(value, name, context);
    if (key === 'metric_conditions') return dropOf(value, conditionsIn(value, context), name, context);
    // What a filter does to traces and logs concerns nothing here.
    if (/^(?:traces|spans|logs|profiles|error_mode|(?:trace|log|profile)_conditions)$/.test(key)) return [];
    return refuse(at, nameOfComponent(key), name, context.findings);
  });
}

function readMetrics(node: YamlNode, name: string, context: Context): readonly YamlMapping[] {
  return entriesOf(node).flatMap(({ key, at, value }) => {
    if (key === 'metric') return dropOf(value, conditionsIn(value, context), name, context);
    if (key !== 'include' && key !== 'exclude') {
      return refuse(at, nameOfComponent(key), name, context.findings);
    }
    const extra = entriesOf(value).find(
      (entry) => entry.key !== 'match_type' && entry.key !== 'metric_names',
    );
    const matching = textOf(childOf(value, 'match_type'));
    if (extra !== undefined || (matching !== 'strict' && matching !== 'regexp')) {
      return refuse(at, key, name, context.findings);
    }
    const names = itemsOf(childOf(value, 'metric_names')).map((item) =>
      nameRegex(textIn(item, context), matching),
    );
    return ruleOf(at, key === 'include' ? 'keep' : 'drop', names, name, context);
  });
}

/** `name == "x"` and `IsMatch(name, "x")` of the Collector's own language. */
const EQUALS = /^(?:metric\.)?name\s*==\s*"([^"\\]+)"$/;
const IS_MATCH = /^IsMatch\(\s*(?:metric\.)?name\s*,\s*"((?:[^"\\]|\\.)+)"\s*\)$/s;

function conditionsIn(node: YamlNode, context: Context): readonly (string | undefined)[] {
  return itemsOf(node).map((item) => {
    const text = textIn(item, context)?.trim() ?? '';
    const strict = EQUALS.exec(text)?.[1];
    if (strict !== undefined) return nameRegex(strict, 'strict');
    return nameRegex(IS_MATCH.exec(text)?.[1]?.replaceAll('\\\\', '\\'), 'regexp');
  });
}

function textIn(item: YamlNode, { open }: Context): string | undefined {
  return outsideOf(item, open) === undefined ? textOf(item) : undefined;
}

function dropOf(
  node: YamlNode,
  names: readonly (string | undefined)[],
  name: string,
  context: Context,
): readonly YamlMapping[] {
  return ruleOf(node.at, 'drop', names, name, context);
}

function ruleOf(
  at: YamlPlace,
  action: 'keep' | 'drop',
  names: readonly (string | undefined)[],
  name: string,
  { findings }: Context,
): readonly YamlMapping[] {
  if (names.length === 0) return [];
  const whole = names.filter((one) => one !== undefined);
  if (whole.length < names.length) return refuse(at, 'a condition', name, findings);
  findings.note(
    at,
    `${name} becomes a rule of metric_relabel_configs that will ${action} by __name__; up and scrape_* are sent in any case`,
  );
  return [
    mappingAt(at, {
      source_labels: listAt(at, [textAt(at, '__name__')]),
      regex: textAt(at, whole.join('|'), true),
      action: textAt(at, action),
    }),
  ];
}

/** What the samples of a histogram or summary have behind the name of their metric. */
const PARTS = '(?:_bucket|_sum|_count)?';
/** Classes of letters, repetitions and groups: no assertion whose place in the name would matter. */
const PLAIN = /^(?:[\w:.*+?|()-]|\\[.dws]|\[[\w:-]+\])*$/;

/**
 * An anchored regex for the samples of the metrics so named; undefined where there is none for sure. The Collector's
 * are not anchored.
 */
function nameRegex(text: string | undefined, matching: 'strict' | 'regexp'): string | undefined {
  if (text === undefined) return undefined;
  if (matching === 'strict') return /^[\w:.-]+$/.test(text) ? text.replaceAll('.', '\\.') + PARTS : undefined;
  const [, start = '', inner = '', end = ''] = /^(\^?)(.*?)(\$?)$/s.exec(text) ?? [];
  const isAlternative = start + end !== '' && /\|/.test(inner.replace(/\([^()]*\)/g, ''));
  if (!PLAIN.test(inner) || isAlternative) return undefined;
  return `${start === '' ? '.*' : ''}(?:${inner})${end === '' ? '.*' : PARTS}`;
}

function refuse(at: YamlPlace, what: string, name: string, findings: Findings): readonly YamlMapping[] {
  const cause = 'it has no exact counterpart in relabel rules on metric names';
  const remedy = 'write metric_relabel_configs that keep or drop by __name__ or labels';
  findings.problem(at, `cannot carry over ${what} of ${name}: ${cause}; ${remedy}`);
  return [];
}
