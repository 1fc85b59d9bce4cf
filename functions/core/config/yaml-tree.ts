/** Finding and rewriting in a tree of YAML: copies, nothing is changed in place. */
import { isNull } from './yaml.ts';
import type { YamlEntry, YamlList, YamlMapping, YamlNode, YamlPlace, YamlText } from './yaml.ts';

export function textAt(at: YamlPlace, text: string, quoted = false): YamlText {
  return { kind: 'text', at, text, quoted };
}

export function listAt(at: YamlPlace, items: readonly YamlNode[]): YamlList {
  return { kind: 'list', at, items };
}

/** In the order of `values`; what is undefined is left out. */
export function mappingAt(
  at: YamlPlace,
  values: Readonly<Record<string, YamlNode | undefined>>,
): YamlMapping {
  const entries = Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, at: value.at, value }],
  );
  return { kind: 'mapping', at, entries };
}

export function entriesOf(node: YamlNode | undefined): readonly YamlEntry[] {
  return node?.kind === 'mapping' ? node.entries : [];
}

export function itemsOf(node: YamlNode | undefined): readonly YamlNode[] {
  return node?.kind === 'list' ? node.items : [];
}

/** What stands under the key; undefined where nothing does, or null. */
export function childOf(node: YamlNode | undefined, key: string): YamlNode | undefined {
  const value = entriesOf(node).find((entry) => entry.key === key)?.value;
  return value === undefined || isNull(value) ? undefined : value;
}

export function textOf(node: YamlNode | undefined): string | undefined {
  return node?.kind === 'text' && !isNull(node) ? node.text : undefined;
}

/** With `value` under `key`, in the place of what stood there, or as the last entry. */
export function withEntry(mapping: YamlMapping, key: string, value: YamlNode): YamlMapping {
  const entry = { key, at: value.at, value };
  const has = mapping.entries.some((one) => one.key === key);
  const entries = has
    ? mapping.entries.map((one) => (one.key === key ? entry : one))
    : [...mapping.entries, entry];
  return { ...mapping, entries };
}

export function withoutEntry(mapping: YamlMapping, key: string): YamlMapping {
  return { ...mapping, entries: mapping.entries.filter((one) => one.key !== key) };
}

/** `key` with another value, if the key is there. */
export function withChild(
  mapping: YamlMapping,
  key: string,
  change: (child: YamlNode) => YamlNode,
): YamlMapping {
  const child = childOf(mapping, key);
  return child === undefined ? mapping : withEntry(mapping, key, change(child));
}

/** Each value of a mapping, each item of a list changed; a text stays. */
export function mapChildren(node: YamlNode, change: (child: YamlNode) => YamlNode): YamlNode {
  if (node.kind === 'list') return { ...node, items: node.items.map(change) };
  if (node.kind === 'text') return node;
  return { ...node, entries: node.entries.map((entry) => ({ ...entry, value: change(entry.value) })) };
}

/** All texts of the tree. */
export function* textsOf(node: YamlNode): Iterable<YamlText> {
  if (node.kind === 'text') yield node;
  else if (node.kind === 'list') for (const item of node.items) yield* textsOf(item);
  else for (const { value } of node.entries) yield* textsOf(value);
}

/** Characters of all texts and keys with every alias written out, and some for what stands around each. */
export function lengthOf(node: YamlNode): number {
  if (node.kind === 'text') return node.text.length + 2;
  if (node.kind === 'list') return node.items.reduce((sum, item) => sum + lengthOf(item), 2);
  return node.entries.reduce((sum, { key, value }) => sum + key.length + 2 + lengthOf(value), 2);
}
