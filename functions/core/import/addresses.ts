/** Addresses that the file leaves open: `${env:NIM_HOST}:8000` of a Collector, `<NIM-endpoint>:8000` of an example. */
import type { Findings } from '../config/findings.ts';
import { describePart, partsOf } from './environment.ts';
import type { OpenTexts, Part } from './environment.ts';
import { mapChildren, textAt, withChild } from '../config/yaml-tree.ts';
import type { YamlMapping, YamlNode, YamlText } from '../config/yaml.ts';

interface Context {
  readonly findings: Findings;
  readonly open: OpenTexts;
  /** Values by name. */
  readonly given: ReadonlyMap<string, string>;
}

/**
 * With a host that no DNS knows (RFC 6761, .invalid) in the place of each address that is not in the file: the document
 * can be stored and read, and shows what is to be filled in.
 */
export function withPlaceholders(config: YamlMapping, context: Context): YamlMapping {
  const fill = (node: YamlNode): YamlNode =>
    node.kind === 'text' ? filled(node, context) : mapChildren(node, fill);
  const within = (key: string) => (groups: YamlNode) =>
    mapChildren(groups, (group) => (group.kind === 'mapping' ? withChild(group, key, fill) : group));
  const own = withChild(config, 'static_configs', within('targets'));
  return withChild(own, 'dns_sd_configs', within('names'));
}

const PLACEHOLDER = /<([A-Za-z][\w .-]{0,62})>/g;

function filled(node: YamlText, { findings, open, given }: Context): YamlText {
  const names: string[] = [];
  // A host never has a `$`: a Prometheus file, too, means what somebody is to fill in.
  const written = node.text.includes('${') ? partsOf(node.text, given) : [node.text];
  const parts = (open.get(node) ?? written).map((part: Part) => {
    if (typeof part === 'object') return part;
    return part.replace(PLACEHOLDER, (whole, name: string) => {
      const value = given.get(name);
      if (value === undefined) names.push(name);
      return value ?? whole;
    });
  });
  const outside = parts.filter((part) => typeof part === 'object');
  const text = parts.map((part) => (typeof part === 'string' ? part : `<${part.name}>`)).join('');
  if (outside.length + names.length === 0)
    return text === node.text ? node : textAt(node.at, text, node.quoted);
  const hosts = [...names, ...outside.map(({ source, name }) => (source === 'env' ? name : 'file'))];
  const host = `${slugOf(hosts[0] ?? '')}.invalid`;
  const port = /:\d{1,5}$/.exec(text)?.[0] ?? '';
  for (const part of outside) {
    const set = part.source === 'env' ? ` run again with --set ${part.name}=VALUE, or` : '';
    findings.problem(
      node.at,
      `cannot fill in an address: ${describePart(part)} is not in the file;${set} edit the document, which has ${host} in its place`,
    );
  }
  for (const name of names) {
    findings.note(
      node.at,
      `fill in <${name}>: run again with --set '${name}=HOST', or edit the document, which has ${host} in its place`,
    );
  }
  return textAt(node.at, host + port);
}

function slugOf(name: string): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63);
  return slug.replace(/^-+|-+$/g, '') || 'address';
}
