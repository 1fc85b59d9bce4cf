/** The tree of a YAML or JSON text: its places, anchors and bounds. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  isNull,
  MAX_YAML_DEPTH,
  MAX_YAML_FAULTS,
  MAX_YAML_NODES,
  MAX_YAML_TOKENS,
  readYaml,
} from '../../functions/core/config/yaml.ts';
import type { YamlNode } from '../../functions/core/config/yaml.ts';

/** The tree as JSON; null where nothing is written. */
function plain(node: YamlNode): unknown {
  if (node.kind === 'list') return node.items.map(plain);
  if (node.kind === 'mapping')
    return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
  return isNull(node) ? null : node.text;
}

function read(text: string): unknown {
  const yaml = readYaml(text);
  assert.equal(yaml.code, 'read', JSON.stringify(yaml));
  return yaml.code === 'read' ? plain(yaml.root) : undefined;
}

function faultsOf(text: string): readonly string[] {
  const yaml = readYaml(text);
  return yaml.code === 'read'
    ? []
    : yaml.faults.map(({ at, message }) => `${at.line}:${at.column} ${message}`);
}

describe('a text', () => {
  for (const [text, tree] of [
    ['', null],
    ['# nothing\n', null],
    ['a: 1\nb: [x, "y"]\n', { a: '1', b: ['x', 'y'] }],
    ['{"a": {"b": null, "c": "null"}}', { a: { b: null, c: 'null' } }],
    ['a:\nb: ~\nc: Null\nd: ""\n', { a: null, b: null, c: null, d: '' }],
    ['{a, b: }', { a: null, b: null }],
    ['? a\n', { a: null }],
    ['a: &x 1\nb: *x\nc: &x 2\nd: *x\n', { a: '1', b: '1', c: '2', d: '2' }],
    ['a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n', { a: { x: '1', y: '2' }, b: { y: '3', x: '1' } }],
    [
      'a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*a, *b]}\n',
      { a: { x: '1' }, b: { x: '2', z: '3' }, c: { x: '1', z: '3' } },
    ],
    ['"<<": 1\n', { '<<': '1' }],
    ['%YAML 1.1\n---\na: yes\n', { a: 'yes' }],
    ['\uFEFFa: 1\r\nb: 2\r\n', { a: '1', b: '2' }],
    ['a: "\\u00e4 \\x41"\n', { a: 'ä A' }],
    ['a: !not a tag'.replace('!', "'!") + "'", { a: '!not a tag' }],
    ['a: |\n  !x\n  # y\n', { a: '!x\n# y\n' }],
  ] as const) {
    test(JSON.stringify(text), () => assert.deepEqual(read(text), tree));
  }

  test('__proto__ is a key like any other', () => {
    const yaml = readYaml('__proto__: {a: b}\n');
    assert(yaml.code === 'read' && yaml.root.kind === 'mapping');
    assert.equal(yaml.root.entries[0]?.key, '__proto__');
  });

  test('every node knows its line and column, from 1', () => {
    const yaml = readYaml('a:\n  - b: c\n  - {d: "e"}\n');
    assert(yaml.code === 'read' && yaml.root.kind === 'mapping');
    const [a] = yaml.root.entries;
    assert(a?.value.kind === 'list');
    const places = a.value.items.flatMap((item) =>
      item.kind === 'mapping' ? item.entries.flatMap(({ at, value }) => [at, value.at]) : [],
    );
    assert.deepEqual(
      [a.at, a.value.at, ...places].map(({ line, column }) => `${line}:${column}`),
      ['1:1', '2:3', '2:5', '2:8', '3:6', '3:9'],
    );
  });
});

describe('a fault', () => {
  for (const [text, ...starts] of [
    ['a: 1\na: 2\n', '2:1 cannot read a key: it stands twice in one mapping, first in line 1'],
    ['{"a": 1, "a": 2}', '1:10 cannot read a key: it stands twice'],
    ['a: *x\n', '1:4 cannot read an alias: no anchor of its name'],
    ['a: &a [*a]\n', '1:8 cannot read an alias: it stands inside of what it refers to'],
    ['a: &a\n  <<: *a\n', '2:7 cannot read an alias: it stands inside'],
    ['a: {<<: 1}\n', '1:4 cannot read the merge key <<: its value is no mapping'],
    ['[a]: b\n', '1:1 cannot read a key: it is a list'],
    ['a: &x b\n*x : c\n', '2:1 cannot read a key: it is a list, a mapping or an alias'],
    [
      'a: !!int 1\nb: !x {c: d}\n',
      '1:4 cannot read a value: it has a YAML tag',
      '2:4 cannot read a value: it has a YAML tag',
    ],
    ['a: "\\ud800"\n', '1:4 cannot read a value: it is no Unicode text'],
    ['--- a\n--- b\n', '2:1 cannot read the document: it holds a second YAML document'],
    ['a: "b\n', '2:1 cannot read the document: a quote, a bracket'],
    ['a: b: c\n', '1:4 cannot read the document: a second key stands on this line'],
    ['a: @b\n', '1:4 cannot read the document: a value begins with a character'],
    ['%TAG\n', '1:1 cannot read the document: '],
  ] as const) {
    test(JSON.stringify(text), () => {
      const faults = faultsOf(text);
      assert.equal(faults.length, starts.length, faults.join('\n'));
      starts.forEach((start, index) => assert(faults[index]?.startsWith(start), faults[index]));
    });
  }

  test(`is named up to ${MAX_YAML_FAULTS} times`, () => {
    assert.equal(
      faultsOf('a: *x\n'.repeat(1) + Array.from({ length: 100 }, (_, i) => `b${i}: *x\n`).join('')).length,
      MAX_YAML_FAULTS,
    );
  });
});

describe('a bound', () => {
  test(`of ${MAX_YAML_DEPTH} levels, in every writing`, () => {
    const deep = (levels: number): readonly string[] => [
      `${'['.repeat(levels)}x${']'.repeat(levels)}`,
      `${'{a: '.repeat(levels)}x${'}'.repeat(levels)}`,
      `${'- '.repeat(levels)}x`,
      Array.from({ length: levels }, (_, level) => `${' '.repeat(level)}a:`).join('\n'),
    ];
    for (const text of deep(MAX_YAML_DEPTH)) assert.deepEqual(faultsOf(text), []);
    for (const text of deep(MAX_YAML_DEPTH + 2))
      assert.match(faultsOf(text)[0] ?? '', /nested deeper than 32 levels/);
  });

  test('of depth is met before the package is called', () => {
    for (const open of ['[', '{', '{a: ', '- ', '? ', ': ']) {
      assert.match(faultsOf(open.repeat(100_000))[0] ?? '', /nested deeper than 32 levels/);
    }
  });

  test(`of ${MAX_YAML_TOKENS} words`, () => {
    assert.match(faultsOf('\n'.repeat(MAX_YAML_TOKENS + 1))[0] ?? '', /more than 600000 words/);
    assert.deepEqual(faultsOf('\n'.repeat(MAX_YAML_TOKENS)), []);
  });

  test(`of ${MAX_YAML_NODES} values with every alias written out`, () => {
    // 1 list, 2 lists of it with 10 texts each at the first level: what is written out counts, not what is stored.
    const bomb = (levels: number): string =>
      `a0: &a0 [${Array(10).fill('x').join()}]\n` +
      Array.from(
        { length: levels },
        (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join()}]\n`,
      ).join('');
    assert.deepEqual(faultsOf(bomb(3)), []);
    assert.match(
      faultsOf(bomb(5))[0] ?? '',
      /^\d+:\d+ cannot read the document: it has more than 300000 values once its aliases/,
    );
    assert.equal(faultsOf(bomb(300)).length, 1);
    const flat = (values: number): string =>
      `a: &a [${Array(998).fill('x').join()}]\nb: [${'*a,'.repeat(values)}]\n`;
    // The alias itself, and the list of 998 behind it; the mapping, `a` and `b` are 1,001 more.
    assert.deepEqual(faultsOf(flat(298)), []);
    assert.match(faultsOf(flat(300))[0] ?? '', /more than 300000 values/);
  });
});
