/**
 * YAML and JSON as a tree of texts, lists and mappings, each with its place. Numbers, truth and null stay texts: what a
 * value means is its key's business. Anchors, aliases and merge keys are resolved; tags are refused. Nothing of the
 * text itself is in a message, since any of it may be a secret.
 */
import {
  Composer,
  CST,
  Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Pair,
  Parser,
  Scalar,
  YAMLMap,
  YAMLSeq,
} from 'yaml';
import type { ErrorCode, Node, ParsedNode } from 'yaml';

/** Both from 1. */
export interface YamlPlace {
  readonly line: number;
  readonly column: number;
}

export interface YamlText {
  readonly kind: 'text';
  readonly at: YamlPlace;
  readonly text: string;
  /** In quotes, or a block: `"null"` is a word, `null` is nothing. */
  readonly quoted: boolean;
}

export interface YamlList {
  readonly kind: 'list';
  readonly at: YamlPlace;
  readonly items: readonly YamlNode[];
}

export interface YamlEntry {
  readonly key: string;
  readonly at: YamlPlace;
  readonly value: YamlNode;
}

export interface YamlMapping {
  readonly kind: 'mapping';
  readonly at: YamlPlace;
  readonly entries: readonly YamlEntry[];
}

export type YamlNode = YamlText | YamlList | YamlMapping;

/** What is wrong with the text, without any of it. */
export interface YamlFault {
  readonly at: YamlPlace;
  readonly message: string;
}

export type ReadYaml =
  | { readonly code: 'read'; readonly root: YamlNode }
  | { readonly code: 'faulty'; readonly faults: readonly YamlFault[] };

/** Levels of nesting: a whole Prometheus file has some 12. The package's composer is recursive: it must not be deep. */
export const MAX_YAML_DEPTH = 32;
/** Words, brackets and line ends of one document: some 150 MB of tree. 1 MiB of scrape_configs has fewer. */
export const MAX_YAML_TOKENS = 600_000;
/** Nodes of one document with every alias written out: what keeps a YAML bomb small. */
export const MAX_YAML_NODES = 300_000;
/** Faults of one text that are worth reading: what follows the first ones mostly follows from them. */
export const MAX_YAML_FAULTS = 20;

const START: YamlPlace = { line: 1, column: 1 };

/** Nothing is written here: `key:`, `~` or `null`. */
export function isNull(node: YamlNode): boolean {
  return node.kind === 'text' && !node.quoted && /^(?:|~|null|Null|NULL)$/.test(node.text);
}

export function readYaml(text: string): ReadYaml {
  const lines = new LineCounter();
  const placeOf = (offset: number): YamlPlace => {
    const { line, col } = lines.linePos(offset);
    return line === 0 ? START : { line, column: col };
  };
  const faults: YamlFault[] = [];
  const fault = (offset: number, message: string): undefined => {
    if (faults.length < MAX_YAML_FAULTS) faults.push({ at: placeOf(offset), message });
  };
  const document = compose(text, lines, fault);
  const root =
    document?.contents == null || faults.length > 0
      ? nothing(START)
      : convert(document.contents, placeOf, fault);
  return faults.length > 0 ? { code: 'faulty', faults } : { code: 'read', root };
}

type Fault = (offset: number, message: string) => undefined;

/** The one document of the text; undefined where there is none. Bounded before the package's recursive half sees it. */
function compose(text: string, lines: LineCounter, fault: Fault): Document.Parsed<ParsedNode> | undefined {
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  const tokens = [];
  let count = 0;
  let previous = '';
  for (const lexeme of new Lexer().lex(text)) {
    const at = parser.offset;
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > MAX_YAML_DEPTH + 2) {
      return fault(
        at,
        `cannot read the document: it is nested deeper than ${MAX_YAML_DEPTH} levels; ${FLATTEN}`,
      );
    }
    if (++count > MAX_YAML_TOKENS) {
      return fault(
        at,
        `cannot read the document: it has more than ${MAX_YAML_TOKENS} words; split it in several`,
      );
    }
    if (previous !== CST.SCALAR && CST.tokenType(lexeme) === 'tag') fault(at, TAGGED);
    previous = lexeme;
  }
  tokens.push(...parser.end());
  let first: Document.Parsed<ParsedNode> | undefined;
  const composer = new Composer({ schema: 'failsafe', uniqueKeys: false });
  for (const document of composer.compose(tokens)) {
    if (first !== undefined) {
      fault(
        document.range[0],
        'cannot read the document: it holds a second YAML document; give it a parameter of its own',
      );
      break;
    }
    first = document;
    for (const { pos, code } of document.errors) fault(pos[0], describeFault(code));
  }
  if (first === undefined)
    for (const { pos, code } of composer.streamInfo().errors) fault(pos[0], describeFault(code));
  return first;
}

const FLATTEN = 'write it flatter';
const TAGGED = 'cannot read a value: it has a YAML tag; remove the tag, and quote the value if it is a text';

/** The package's own messages quote the text, which may be a secret. */
function describeFault(code: ErrorCode): string {
  const { cause, remedy } = FAULTS[code] ?? {
    cause: 'YAML does not allow what stands here',
    remedy:
      'check the indentation of this line and of the one above, and put values with special characters in quotes',
  };
  return `cannot read the document: ${cause}; ${remedy}`;
}

const FAULTS: Partial<Record<ErrorCode, { readonly cause: string; readonly remedy: string }>> = {
  TAB_AS_INDENT: { cause: 'a tab indents this line', remedy: 'indent with spaces' },
  BAD_INDENT: {
    cause: 'this is indented otherwise than what it belongs to, or a [ or { before it is not closed',
    remedy: 'align it with the keys beside it, or close the bracket',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    cause: 'a second key stands on this line',
    remedy: 'put it on a line of its own, or the value in quotes',
  },
  MULTILINE_IMPLICIT_KEY: {
    cause: 'a key has no colon, or a value goes on in the next line',
    remedy: 'write key: value on one line',
  },
  MISSING_CHAR: {
    cause: 'a quote, a bracket, a comma or the blank behind a colon is missing',
    remedy: 'close what is open here or above',
  },
  BAD_DQ_ESCAPE: {
    cause: 'a backslash in double quotes begins no escape that YAML knows',
    remedy: 'use single quotes, in which a backslash is only a backslash',
  },
  BAD_SCALAR_START: {
    cause: 'a value begins with a character that means something else in YAML',
    remedy: 'put the value in quotes',
  },
  BAD_ALIAS: {
    cause: 'an anchor or alias has no usable name',
    remedy: 'put a value that begins with * or & in quotes',
  },
  RESOURCE_EXHAUSTION: { cause: 'it is nested too deeply', remedy: FLATTEN },
};

function nothing(at: YamlPlace): YamlText {
  return { kind: 'text', at, text: '', quoted: false };
}

/** The package's nodes as ours, in the order of the text: an alias means the last anchor of its name before it. */
function convert(contents: ParsedNode, placeOf: (offset: number) => YamlPlace, fault: Fault): YamlNode {
  const anchors = new Map<string, 'open' | { readonly node: YamlNode; readonly nodes: number }>();
  let nodes = 0;

  function grow(by: number, offset: number): boolean {
    const before = nodes;
    nodes += by;
    if (before <= MAX_YAML_NODES && nodes > MAX_YAML_NODES) {
      const size = `more than ${MAX_YAML_NODES} values once its aliases are written out`;
      fault(offset, `cannot read the document: it has ${size}; use fewer aliases, or split it in several`);
    }
    return nodes <= MAX_YAML_NODES;
  }

  function node(source: Node | null, fallback: number): YamlNode {
    const offset = source?.range?.[0] ?? fallback;
    const at = placeOf(offset);
    if (!grow(1, offset) || source === null) return nothing(at);
    if (isAlias(source)) return alias(source.source, offset);
    const { anchor } = source as { readonly anchor?: string };
    const before = nodes;
    if (anchor !== undefined) anchors.set(anchor, 'open');
    const own = plain(source, at, offset);
    if (anchor !== undefined) anchors.set(anchor, { node: own, nodes: nodes - before });
    return own;
  }

  function plain(source: Node, at: YamlPlace, offset: number): YamlNode {
    if (isMap(source)) return mapping(source, at, offset);
    if (isSeq(source)) {
      return { kind: 'list', at, items: (source as YAMLSeq<Node>).items.map((item) => node(item, offset)) };
    }
    const { value, type } = isScalar(source) ? source : { value: '', type: undefined };
    const text = typeof value === 'string' ? value : '';
    if (!text.isWellFormed()) fault(offset, 'cannot read a value: it is no Unicode text; write it again');
    return { kind: 'text', at, text, quoted: type !== 'PLAIN' };
  }

  function alias(name: string, offset: number): YamlNode {
    const anchored = anchors.get(name);
    if (anchored === undefined) {
      fault(
        offset,
        'cannot read an alias: no anchor of its name stands above it; put a value that begins with * in quotes',
      );
    } else if (anchored === 'open') {
      fault(offset, 'cannot read an alias: it stands inside of what it refers to; write the value out');
    } else if (grow(anchored.nodes, offset)) return anchored.node;
    return nothing(placeOf(offset));
  }

  function mapping(source: YAMLMap, at: YamlPlace, start: number): YamlMapping {
    const entries = new Map<string, YamlEntry>();
    const merged: YamlNode[] = [];
    for (const { key, value } of source.items as Pair<Node, Node | null>[]) {
      const offset = key?.range?.[0] ?? start;
      if (!isScalar(key) || typeof key.value !== 'string') {
        fault(offset, 'cannot read a key: it is a list, a mapping or an alias; write it as a text');
        continue;
      }
      const entry = { key: key.value, at: placeOf(offset), value: node(value, offset) };
      if (key.value === '<<' && key.type === 'PLAIN') merged.push(entry.value);
      else if (entries.has(key.value)) {
        const first = entries.get(key.value)?.at.line;
        fault(
          offset,
          `cannot read a key: it stands twice in one mapping, first in line ${first}; remove one of the two`,
        );
      } else entries.set(key.value, entry);
    }
    // What is written here comes before what is merged, and the first merged mapping before the second.
    for (const other of merged.flatMap((one) => (one.kind === 'list' ? one.items : [one]))) {
      if (isNull(other)) continue;
      if (other.kind !== 'mapping') {
        fault(
          start,
          'cannot read the merge key <<: its value is no mapping; write << : *name of a mapping above',
        );
      } else for (const entry of other.entries) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    }
    return { kind: 'mapping', at, entries: [...entries.values()] };
  }

  return node(contents, 0);
}

/** Longest list of texts, in characters, that stands on one line. */
const MAX_FLOW_LENGTH = 60;

/** YAML that `readYaml` reads as the same tree, but for the places. Aliases are written out, comments are gone. */
export function writeYaml(root: YamlNode): string {
  const document = new Document(undefined, { schema: 'failsafe' });
  document.contents = written(root) as never;
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

function written(node: YamlNode): Node {
  // An empty text would vanish from a list on one line.
  if (node.kind === 'text') return writtenText(isNull(node) ? 'null' : node.text, node.quoted);
  if (node.kind === 'list') {
    const list = new YAMLSeq<Node>();
    list.items = node.items.map(written);
    let length = 0;
    for (const item of node.items) length += item.kind === 'text' ? item.text.length + 2 : Infinity;
    list.flow = length <= MAX_FLOW_LENGTH;
    return list;
  }
  const mapping = new YAMLMap<Node, Node>();
  mapping.items = node.entries.map(
    ({ key, value }) => new Pair(writtenText(key, key === '<<' || key === ''), written(value)),
  );
  mapping.flow = node.entries.length === 0;
  return mapping;
}

/** Double quotes where nothing in them needs an escape: a document often stands in single quotes of a shell. */
function writtenText(text: string, quoted: boolean): Scalar {
  const scalar = new Scalar(text);
  scalar.type = !quoted
    ? 'PLAIN'
    : /\n./.test(text)
      ? 'BLOCK_LITERAL'
      : /[\\"]/.test(text)
        ? 'QUOTE_SINGLE'
        : 'QUOTE_DOUBLE';
  return scalar;
}
