/** The documents say what the code says: options, codes, events, bounds. */
import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { MAX_PACKED_BYTES } from '../functions/adapters/packing.ts';
import { EXPLAIN_OPTIONS } from '../functions/cli/explain-options.ts';
import { RUN_OPTIONS } from '../functions/cli/run-options.ts';
import { childOf, itemsOf, textOf } from '../functions/core/config/yaml-tree.ts';
import { type YamlNode, readYaml } from '../functions/core/config/yaml.ts';
import { COUNTS } from '../functions/core/self-facts.ts';
import { MAX_TRACKED_SERIES } from '../functions/core/delta.ts';
import {
  DEFAULT_BODY_SIZE_LIMIT_BYTES,
  DEFAULT_SAMPLE_LIMIT,
  DEFAULT_TIMEOUT_MS,
} from '../functions/core/targets.ts';
import { MAX_SHARD_TARGETS } from '../functions/core/work.ts';
import { CONTEXT_OPTIONS } from '../infra/app.ts';
import { LIST_GROUP, SECRETS_GROUP } from '../infra/discovery.ts';

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
const README = read('README.md');
const WORDS = read('docs/words.md');

test('the option tables of docs/run.md are those of the code', () => {
  const rows = [...RUN_OPTIONS, ...EXPLAIN_OPTIONS].map(({ name, short, value, default: preset, about }) => {
    const long = `--${name}${value === undefined ? '' : ` ${value.replace('|', '\\|')}`}`;
    return `| ${short === undefined ? '' : `\`-${short}\`, `}\`${long}\` | ${preset} | ${about} |`;
  });
  const table = read('docs/run.md')
    .split('\n')
    .filter((line) => /^\| (`-\w`, )?`--/.test(line));
  assert.deepEqual(table, rows);
});

test('docs/deploy.md has the context options of the app, and no other', () => {
  const table = read('docs/deploy.md').split('\n## ')[1] ?? '';
  const rows = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, option]) => option);
  assert.deepEqual(rows, CONTEXT_OPTIONS);
});

test('every link within the documents leads somewhere', () => {
  const documents = [
    'README.md',
    'CHANGELOG.md',
    'SECURITY.md',
    ...readdirSync('docs').map((name) => `docs/${name}`),
  ];
  const slugs = (text: string) =>
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    );
  for (const document of documents) {
    for (const [, link = ''] of read(document).matchAll(/\]\((?!https?:)([^)]+)\)/g)) {
      const [path = '', anchor] = link.split('#');
      const file = path === '' ? document : join(dirname(document), path);
      assert(existsSync(file), `${document} links to ${link}`);
      if (anchor !== undefined) assert(slugs(read(file)).includes(anchor), `${document} links to ${link}`);
    }
  }
});

/** The members of a union of string literals in a source file. */
function union(file: string, name: string): readonly string[] {
  const body = new RegExp(`export type ${name} =([\\s\\S]*?);\\n`).exec(read(file))?.[1] ?? '';
  return [...body.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').matchAll(/'(\w+)'/g)].map(
    ([, word]) => word as string,
  );
}

test('every code, reason, outcome and event stands in docs/words.md, and is used', () => {
  const words = [
    ...union('functions/core/outcome.ts', 'ScrapeFailureCode'),
    ...union('functions/core/outcome.ts', 'DropReason'),
    ...union('functions/core/outcome.ts', 'ExportOutcome'),
    ...union('functions/adapters/log.ts', 'LogEvent'),
  ];
  assert(words.length > 40, `${words.length} words were found`);
  for (const word of words) assert(WORDS.includes(`\`${word}\``), `docs/words.md does not explain ${word}`);
});

test('every state and finding of status stands in docs/words.md', () => {
  const source = read('functions/core/status.ts');
  const codes = [...source.matchAll(/(?:code: |case )'(\w+)'/g)].map(([, code]) => code as string);
  assert(codes.length > 8, `${codes.length} codes were found`);
  for (const word of [...union('functions/core/status.ts', 'TargetState'), ...codes]) {
    assert(WORDS.includes(`\`${word}\``), `docs/words.md does not explain ${word}`);
  }
});

test('every metric that is published stands in docs/words.md', () => {
  const published = ['functions/dispatch/dispatch.ts', 'functions/scrape/work-off.ts'].flatMap((file) =>
    [...read(file).matchAll(/name: '([\w.]+)',\s*unit:/g)].map(([, name]) => name as string),
  );
  const names = new Set(published);
  for (const name of names) assert(WORDS.includes(`\`${name}\``), name);
  assert.equal(names.size, 15);
  assert(WORDS.includes('Fifteen metrics') && WORDS.includes('4.50 $'));
  assert(README.includes('4.50 $ are fifteen CloudWatch metrics'));
  for (const name of Object.keys(COUNTS)) assert(WORDS.includes(`\`nim_to_dynatrace.${name}\``), name);
});

test('the bounds in the documents are those of the code', () => {
  assert(README.includes(`${MAX_SHARD_TARGETS} targets per deployment`));
  assert(README.includes(`a page of ${DEFAULT_BODY_SIZE_LIMIT_BYTES / 1024 / 1024} MiB`));
  assert(README.includes(`${DEFAULT_SAMPLE_LIMIT.toLocaleString('en')} samples`));
  assert(README.includes(`a scrape of ${DEFAULT_TIMEOUT_MS / 1000} s`));
  assert(read('docs/guarantees.md').includes(`up to ${MAX_TRACKED_SERIES.toLocaleString('en')} series`));
  assert(read('docs/state.md').includes(`exceeds ${MAX_PACKED_BYTES / 1024} KB`));
});

test('every test that a document names is there', () => {
  const named = ['docs/threat-model.md', 'docs/upgrade.md', 'docs/state.md'].flatMap((file) =>
    [...read(file).matchAll(/`(test\/[\w./-]+)`/g)].map(([, path]) => path as string),
  );
  assert(named.length > 10);
  for (const path of named) assert(existsSync(new URL(`../${path}`, import.meta.url)), path);
});

/** `verb api/resource` of each rule in the YAML of the README, and the bindings to the groups of the access entries. */
test('the Kubernetes roles of the README grant what is asked for, and nothing else', () => {
  const blocks = README.match(/(?<=```yaml\n)apiVersion[\s\S]*?(?=```)/g) ?? [];
  const objects = blocks.flatMap((block) => block.split('---\n')).map(readObject);
  const rules = objects.flatMap(({ kind, rules: own }) =>
    itemsOf(own).flatMap((rule) =>
      textsIn(rule, 'resources').map(
        (resource) =>
          `${kind}: ${textsIn(rule, 'verbs').join()} ${textsIn(rule, 'apiGroups').join()}/${resource}`,
      ),
    ),
  );
  assert.deepEqual(rules, [
    'ClusterRole: list /pods',
    'ClusterRole: list /services',
    ...['deployments', 'statefulsets', 'daemonsets'].map((what) => `ClusterRole: list apps/${what}`),
    'Role: get /secrets',
    'Role: get /configmaps',
  ]);
  assert.deepEqual(
    objects.flatMap(({ kind, roleRef, subjects }) =>
      itemsOf(subjects).map(
        (subject) =>
          `${kind}: ${textOf(childOf(subject, 'kind'))} ${textOf(childOf(subject, 'name'))} has ${textOf(childOf(roleRef, 'kind'))} ${textOf(childOf(roleRef, 'name'))}`,
      ),
    ),
    [
      `ClusterRoleBinding: Group ${LIST_GROUP} has ClusterRole ${LIST_GROUP}`,
      `RoleBinding: Group ${SECRETS_GROUP} has Role ${SECRETS_GROUP}`,
    ],
  );
});

function readObject(text: string) {
  const yaml = readYaml(text);
  assert(yaml.code !== 'faulty', text);
  const of = (key: string) => childOf(yaml.root, key);
  return { kind: textOf(of('kind')), rules: of('rules'), roleRef: of('roleRef'), subjects: of('subjects') };
}

function textsIn(rule: YamlNode, key: string): readonly string[] {
  return itemsOf(childOf(rule, key)).map((item) => textOf(item) ?? '?');
}
