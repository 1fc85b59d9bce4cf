/** `static_configs` and the relabel rules of a scrape_config. */
import { readKeys, readText } from './config-reading.ts';
import type { Reading } from './config-reading.ts';
import type { RelabelConfig, TargetGroup } from '../scrape-config.ts';
import { MAX_KEY_LENGTH, isHostAndPort, shownAddress } from './address.ts';
import {
  PARAM_LABEL,
  SECRET_QUERY,
  describeSecretParam,
  hasSecretQuery,
  isSecretParamLabel,
} from './secret-param.ts';
import type { YamlList, YamlMapping, YamlNode, YamlPlace, YamlText } from './yaml.ts';

/** `relabelled`: rules may make an address of what is none, so anything goes, as in Prometheus. */
export function readTargetGroup(
  node: YamlNode,
  relabelled: boolean,
  reading: Reading,
): TargetGroup | undefined {
  const read = readKeys(node, 'static_configs', reading);
  if (read === undefined) return undefined;
  const { targets, labels } = read.values;
  return {
    targets: targets === undefined ? [] : readTargets(targets, relabelled, reading),
    labels: labels === undefined ? {} : readLabels(labels, reading),
  };
}

function readTargets(list: YamlList, relabelled: boolean, reading: Reading): readonly string[] {
  return list.items.flatMap((item): readonly string[] => {
    const cause =
      item.kind === 'text'
        ? describeBadTarget(readText(item), relabelled)
        : item.kind === 'list'
          ? 'targets is a list in a list; write targets: ["10.0.1.17:8000"], without a second dash or bracket'
          : `it is a ${item.kind}, not an address; put an address that ends in a colon in quotes, or write host:port`;
    if (cause === undefined) return [readText(item as YamlText)];
    const what =
      item.kind === 'text' && !item.text.includes('@') ? `the target ${shownAddress(item.text)}` : 'a target';
    reading.findings.problem(item.at, `cannot use ${what}: ${cause}`);
    return [];
  });
}

const PLACEHOLDER =
  'it is a placeholder; write the address in its place, or give it to nim-to-dynatrace import by --set NAME=VALUE';

function describeBadTarget(text: string, relabelled: boolean): string | undefined {
  if (text.includes('@')) {
    return 'it holds a user name or password; write host:port, and basic_auth with a reference to the password';
  }
  if (hasSecretQuery(text)) return SECRET_QUERY;
  if (/\$\{|</.test(text) && !relabelled) return PLACEHOLDER;
  if (text.length > MAX_KEY_LENGTH) return `it is longer than ${MAX_KEY_LENGTH} characters; write host:port`;
  if (relabelled) return undefined;
  const [, scheme, address = text, path] = /^(?:(https?):\/\/)?([^/]*)(\/.*)?$/s.exec(text) ?? [];
  if (!isHostAndPort(address)) return 'it is no host and port; write host:port, such as 10.0.1.17:8000';
  if (scheme === undefined && path === undefined) return undefined;
  const keys = [
    ...(scheme === undefined ? [] : [`scheme: ${scheme}`]),
    ...(path === undefined || path === '/' ? [] : ['metrics_path: with its path']),
  ];
  const rest = keys.length === 0 ? '' : `, and ${keys.join(' and ')} beside static_configs`;
  return `it is a URL, not an address; write ${address}${rest}`;
}

function readLabels(node: YamlMapping, reading: Reading): Readonly<Record<string, string>> {
  const { problem } = reading.findings;
  return Object.fromEntries(
    node.entries.flatMap(({ key, at, value }) => {
      if (key === '') problem(at, 'cannot use a label: it has no name; write name: value');
      else if (isSecretParamLabel(key)) refuseSecret(at, key, reading);
      else if (value.kind === 'text') return [[key, readText(value)]];
      else
        problem(value.at, `cannot use a label: its value is a ${value.kind}, not a text; write name: value`);
      return [];
    }),
  );
}

function refuseSecret(at: YamlPlace, label: string, { job, findings, options }: Reading): void {
  findings.problem(at, describeSecretParam(label.slice(PARAM_LABEL.length), job, options.consequence));
}

export function readRelabelConfig(node: YamlNode, reading: Reading): RelabelConfig | undefined {
  const read = readKeys(node, 'relabel_configs', reading);
  if (read === undefined) return undefined;
  const { source_labels: sourceLabels = [], separator, regex, modulus, replacement, action } = read.values;
  const { problem } = reading.findings;
  if (sourceLabels.includes('')) {
    problem(
      read.placeOf('source_labels'),
      'cannot use source_labels: one of them is empty; remove it, or write its name',
    );
  }
  const targetLabel = read.values.target_label;
  if (isSecretParamLabel(targetLabel)) refuseSecret(read.placeOf('target_label'), targetLabel, reading);
  const rule = {
    action,
    sourceLabels,
    separator,
    regex,
    modulus,
    targetLabel,
    replacement,
  };
  const { checkRelabel } = reading.options;
  const cause = checkRelabel?.(rule);
  if (cause !== undefined) {
    // The regex's own, if the rule holds with another one.
    const isRegex = checkRelabel?.({ ...rule, regex: '(.*)' }) === undefined;
    problem(isRegex ? read.placeOf('regex') : node.at, cause);
  }
  return rule;
}
