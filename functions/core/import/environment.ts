/**
 * The Collector's `$`: `$$` is a dollar, `${env:NAME}`, `${NAME}` and `$NAME` stand for what its environment holds, and
 * `${file:PATH}` for a file beside it. A `$1` is left as it is, as by the Collector (confmap, v0.159).
 */
import { mapChildren, textAt } from '../config/yaml-tree.ts';
import type { YamlNode, YamlText } from '../config/yaml.ts';

/** A part of a text that is not in the file. */
export interface Outside {
  /** `other`: a provider such as http. */
  readonly source: 'env' | 'file' | 'other';
  /** Of the variable, or the path of the file. */
  readonly name: string;
}
export type Part = string | Outside;

/** Texts of which a part is outside of the file. */
export type OpenTexts = ReadonlyMap<YamlNode, readonly Part[]>;

export interface Expanded {
  readonly root: YamlNode;
  readonly open: OpenTexts;
}

/** `given`: values of variables, by name. */
export function expandReferences(root: YamlNode, given: ReadonlyMap<string, string>): Expanded {
  const open = new Map<YamlNode, readonly Part[]>();
  const expand = (node: YamlNode): YamlNode => {
    if (node.kind !== 'text') return mapChildren(node, expand);
    if (!node.text.includes('$')) return node;
    const parts = partsOf(node.text, given);
    const text = parts.map((part) => (typeof part === 'string' ? part : describePart(part))).join('');
    const expanded: YamlText = textAt(node.at, text, node.quoted);
    if (parts.some((part) => typeof part !== 'string')) open.set(expanded, parts);
    return expanded;
  };
  return { root: expand(root), open };
}

/** Lower-case names without braces are left: they are groups of a regex. */
const REFERENCE = /\$\$|\$\{([^{}]*)\}|\$([A-Z_][A-Z0-9_]*)/g;
const NAMED = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

export function partsOf(text: string, given: ReadonlyMap<string, string>): readonly Part[] {
  const parts: Part[] = [];
  let end = 0;
  const add = (part: Part): void => {
    const last = parts.at(-1);
    if (typeof part === 'string' && typeof last === 'string') parts[parts.length - 1] = last + part;
    else if (part !== '') parts.push(part);
  };
  for (const match of text.matchAll(REFERENCE)) {
    add(text.slice(end, match.index));
    add(partOf(match[0], match[1], match[2], given));
    end = match.index + match[0].length;
  }
  add(text.slice(end));
  return parts;
}

function partOf(
  whole: string,
  braced: string | undefined,
  bare: string | undefined,
  given: ReadonlyMap<string, string>,
): Part {
  if (whole === '$$') return '$';
  const [, name = bare, fallback] = NAMED.exec(braced ?? '') ?? [];
  if (name !== undefined) return given.get(name) ?? fallback ?? { source: 'env', name };
  const path = /^file:(.+)$/s.exec(braced ?? '')?.[1];
  if (path !== undefined) return { source: 'file', name: path };
  return /^[a-z][a-z0-9+.-]+:/.test(braced ?? '') ? { source: 'other', name: '' } : whole;
}

/** As it may stand in a message: a variable's name is no secret, all else may be one. */
export function describePart({ source, name }: Outside): string {
  return source === 'env' ? `\${env:${name}}` : source === 'file' ? '${file:...}' : '${...}';
}

/** The first thing outside of the file that a text depends on. */
export function outsideOf(node: YamlNode, open: OpenTexts): Outside | undefined {
  return open.get(node)?.find((part) => typeof part !== 'string');
}

/** Why a text that is not whole cannot be carried over, and what to do about it. */
export function describeOpen(what: string, outside: Outside): string {
  const cause = `cannot fill in ${what}: ${describePart(outside)} is not in the file`;
  return outside.source === 'env'
    ? `${cause}; run again with --set ${outside.name}=VALUE`
    : `${cause}; write the value in its place`;
}
