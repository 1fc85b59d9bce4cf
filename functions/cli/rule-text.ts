/** Labels and relabel rules as text, in the words of a Prometheus file. */
import { isSecretParam, isSecretParamLabel } from '../core/config/secret-param.ts';
import type { Labels } from '../core/model.ts';
import { DEFAULT_RELABEL_CONFIG, type RelabelStep } from '../core/relabel/relabel.ts';
import type { RelabelConfig } from '../core/scrape-config.ts';

/** Everything of a rule that is not as by default, but its action. */
export function ruleText(config: RelabelConfig): string {
  const { sourceLabels, separator, regex, modulus, targetLabel, replacement } = config;
  const given = (name: 'separator' | 'regex' | 'replacement', value: string): readonly string[] =>
    value === DEFAULT_RELABEL_CONFIG[name] ? [] : [`${name}: ${quoted(value)}`];
  return [
    ...(sourceLabels.length === 0 ? [] : [`source_labels: [${sourceLabels.map(word).join(', ')}]`]),
    ...given('separator', separator),
    ...given('regex', regex),
    ...(modulus === 0 ? [] : [`modulus: ${modulus}`]),
    ...(targetLabel === '' ? [] : [`target_label: ${word(targetLabel)}`]),
    ...given('replacement', replacement),
  ].join(', ');
}

function word(text: string): string {
  return /^\w+$/.test(text) ? text : quoted(text);
}

/** YAML's single quotes, in which a backslash is one; other characters than printable ones need JSON's. */
function quoted(text: string): string {
  return /^\P{C}*$/u.test(text) ? `'${text.replaceAll("'", "''")}'` : JSON.stringify(text);
}

/** In the place of a secret. */
const MASK = '***';

/** As it is shown: the value of a query parameter that is a secret by its name is not. */
export function shownParam(name: string, value: string): string {
  return isSecretParam(name) ? MASK : value;
}

/** A whole manifest, with whatever somebody wrote into it. */
const MANIFEST = /_annotation_kubectl_kubernetes_io_last_applied_configuration$/;

/** As they are shown. */
export function pairsOf(labels: Labels): readonly (readonly [name: string, value: string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i] as string;
    pairs.push([name, isSecretParamLabel(name) || MANIFEST.test(name) ? MASK : (labels[i + 1] as string)]);
  }
  return pairs;
}

/** `name="value"`, one word each. */
export function labelWords(labels: Labels): readonly string[] {
  return pairsOf(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
}

/** `name{a="b"}`, as on a page. */
export function seriesText(name: string, labels: Labels): string {
  return labels.length === 0 ? name : `${name}{${labelWords(labels).join(',')}}`;
}

/** What a rule did: `- a="x"`, `+ a="y"`. */
export function changesOf({ before, after = [] }: RelabelStep): readonly string[] {
  const old = new Set(labelWords(before));
  const now = new Set(labelWords(after));
  return [
    ...[...old].filter((label) => !now.has(label)).map((label) => `- ${label}`),
    ...[...now].filter((label) => !old.has(label)).map((label) => `+ ${label}`),
  ];
}

/** One step as JSON; `rule` counts from 1, as in the file. */
export function stepJson({ config, before, after }: RelabelStep) {
  return {
    action: config.action,
    rule: ruleText(config),
    before: Object.fromEntries(pairsOf(before)),
    after: after === undefined ? null : Object.fromEntries(pairsOf(after)),
  };
}

const WIDTH = 96;

/** Words in lines, the first behind `head`, the others below its end. */
export function paragraph(head: string, words: readonly string[]): readonly string[] {
  const indent = ' '.repeat(head.length);
  const lines: string[] = [];
  let line = head;
  for (const one of words) {
    const isEmpty = line === head || line === indent;
    if (!isEmpty && line.length + 1 + one.length > WIDTH) {
      lines.push(line);
      line = indent;
    }
    line += line === head || line === indent ? one : ` ${one}`;
  }
  return [...lines, line.trimEnd()];
}
