/** A configuration inside of another file: values of a Helm chart, a ConfigMap, a resource of an operator. */
import { KEY_WORD } from './key-spelling.ts';
import type { YamlNode } from './yaml.ts';
import { entriesOf, itemsOf } from './yaml-tree.ts';

/** Levels of a wrapping: `spec: config: |` has two, the values of a chart of charts three. */
const MAX_WRAPPING_DEPTH = 4;

const BEGINNINGS: readonly string[] = ['scrape_configs', 'receivers'];
const OWN_KEYS: ReadonlySet<string> = new Set([
  ...BEGINNINGS,
  'scrape_config',
  'exporters',
  'service',
  'job_name',
  'static_configs',
]);
const TEXT = /^[ \t]*(?:-[ \t]+)?(?:scrape_configs|receivers|job_name)[ \t]*:/m;

/** Why the file cannot be read as it is, where a configuration stands below some keys of it. */
export function describeWrapped(root: YamlNode): string | undefined {
  if (root.kind !== 'mapping' || root.entries.some(({ key }) => OWN_KEYS.has(key))) return undefined;
  const path = pathIn(root, 1);
  if (path === undefined) return undefined;
  const below = path.map((key) => (KEY_WORD.test(key) ? key : '...')).join(': ');
  return `cannot read the document: the configuration is inside of another file; give the part below ${below}`;
}

function pathIn(node: YamlNode, depth: number): readonly string[] | undefined {
  for (const { key, value } of entriesOf(node)) {
    if (isConfiguration(value)) return [key];
    const rest = depth < MAX_WRAPPING_DEPTH ? pathIn(value, depth + 1) : undefined;
    if (rest !== undefined) return [key, ...rest];
  }
  return undefined;
}

function isConfiguration(node: YamlNode): boolean {
  if (node.kind === 'text') return TEXT.test(node.text);
  const has = (keys: readonly string[], of: YamlNode): boolean =>
    entriesOf(of).some(({ key }) => keys.includes(key));
  return has(BEGINNINGS, node) || itemsOf(node).some((item) => has(['job_name'], item));
}
