/** Target documents: lists of addresses, merging, contradictions, bounds, and what stays in force. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  MAX_ALL_DOCUMENTS_BYTES,
  MAX_DNS_NAMES,
  MAX_DOCUMENT_BYTES,
  MAX_DOCUMENTS,
  MAX_GROUP_LABELS,
  MAX_HEADERS,
  MAX_JOB_NAME_LENGTH,
  MAX_JOBS,
  MAX_NAMED_FINDINGS,
  MAX_PARAMS,
  MAX_RELABEL_RULES,
  MAX_SOURCE_LABELS,
  MAX_STATIC_TARGETS,
  MAX_TEXT_LENGTH,
} from '../../functions/core/config/config-bounds.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';
import type { ReadDocuments } from '../../functions/core/config/documents.ts';
import type { ScrapeConfig } from '../../functions/core/scrape-config.ts';
import type { TargetDocument } from '../../functions/core/config/documents.ts';

type Written = readonly [name: string, value: string, modifiedAtMs?: number];

function read(...documents: readonly Written[]): ReadDocuments {
  return readDocuments(
    documents.map(([name, value, modifiedAtMs]) => ({
      name: `/p/targets/${name}`,
      value,
      ...(modifiedAtMs !== undefined && { modifiedAtMs }),
    })),
  );
}

/** `job {labels} address address` of each group. */
function groupsOf(configs: readonly ScrapeConfig[]): readonly string[] {
  return configs.flatMap(({ jobName, params, staticConfigs }) =>
    staticConfigs.map(({ targets, labels }) =>
      [
        jobName,
        ...Object.entries({ ...params, ...labels }).map(([name, value]) => `${name}=${value.toString()}`),
        ...targets,
      ].join(' '),
    ),
  );
}

const messages = ({ problems }: ReadDocuments): readonly string[] => problems.map(({ message }) => message);
const times = (count: number, one: (index: number) => string, between = '\n'): string =>
  Array.from({ length: count }, (_, index) => one(index)).join(between);

describe('a list of addresses', () => {
  for (const [text, ...groups] of [
    ['10.0.1.17:8000 10.0.1.18:8000', 'nim 10.0.1.17:8000 10.0.1.18:8000'],
    ['\uFEFFa:1,b:2\r\n\tc:3,,', 'nim a:1 b:2 c:3'],
    [
      'https://a:1/m?x=1&y=2 b:2',
      'nim __scheme__=https __metrics_path__=/m __param_x=1 __param_y=2 a:1',
      'nim b:2',
    ],
    ['a:1?x=1 b:2?x=1', 'nim __param_x=1 a:1 b:2'],
    ['a:1/federate?m=1&m=2&n=3 b:2', 'nim m=1,2 n=3 __metrics_path__=/federate a:1', 'nim b:2'],
    ['a:1 # the first: of all\n# b:2\nc:3', 'nim a:1 c:3'],
    ['a:1 http://a:1 a:1/', 'nim a:1'],
    ['[::1]:8000', 'nim [::1]:8000'],
  ] as const) {
    test(JSON.stringify(text), () => {
      const { configs, problems, refused } = read(['nim', text]);
      assert.deepEqual([groupsOf(configs), problems, refused], [groups, [], []]);
    });
  }

  test('is a scrape_config with nothing but defaults', () => {
    const [list] = read(['nim', 'a:1']).configs;
    const [yaml] = read(['nim', 'static_configs: [{targets: ["a:1"]}]']).configs;
    assert.deepEqual(list, yaml);
  });

  test('may be empty, or all comments: nothing is wrong with it', () => {
    for (const text of ['', ' \n,', '# a:1', '# - targets: [a]', '---', '---\n# nothing\n', '{}'.slice(2)]) {
      assert.deepEqual(read(['nim', text]), { configs: [], problems: [], notes: [], refused: [] });
    }
  });

  test('keeps what it can: one bad address never stops the others', () => {
    const { configs, problems, refused } = read(['nim', 'a:1 b:0 c:3'], ['good', 'd:4']);
    assert.deepEqual(groupsOf(configs), ['nim a:1 c:3', 'good d:4']);
    assert.deepEqual(problems, [
      {
        document: '/p/targets/nim',
        message:
          'cannot read the address "b:0": it is no host and port; write host:port, or http(s)://host:port/path',
      },
    ]);
    assert.deepEqual(refused, []);
  });

  test('of which nothing can be read is refused: its last good version stays in force', () => {
    assert.deepEqual(read(['nim', '???'], ['good', 'd:4']).refused, ['/p/targets/nim']);
  });

  test(`names up to ${MAX_NAMED_FINDINGS} problems, and counts the rest`, () => {
    const { problems } = read(['nim', times(MAX_NAMED_FINDINGS + 1, (index) => `x:${70_000 + index}`, ' ')]);
    assert.equal(problems.length, MAX_NAMED_FINDINGS + 1);
    assert.equal(problems.at(-1)?.message, 'and 1 more problems');
  });

  test('may not name the same instance twice with another path, scheme or query', () => {
    for (const other of ['a:1/metrics', 'https://a:1', 'a:1?x=1']) {
      for (const found of [
        read(['nim', `a:1 ${other} b:2`]),
        read(['x/nim', 'a:1'], ['y/nim', `${other} b:2`]),
      ]) {
        assert.deepEqual(groupsOf(found.configs).join(' ').match(/a:1/g), ['a:1']);
        assert.match(
          messages(found).join(),
          /^cannot scrape a:1 twice in the job nim: .+; give one of them a document of its own$/,
        );
        assert.deepEqual(found.refused, []);
      }
    }
    assert.deepEqual(messages(read(['one', 'a:1'], ['two', 'a:1/metrics'])), []);
  });

  test('never prints user information', () => {
    const found = read(['nim', 'http://user:planted@a:1 planted@b:2 c:3']);
    assert.doesNotMatch(JSON.stringify(found), /planted/);
    assert.deepEqual([messages(found).length, groupsOf(found.configs)], [1, ['nim c:3']]);
  });
});

test('a SecureString is cipher text: one message, no target, nothing of it printed', () => {
  const secure: TargetDocument = { name: '/p/targets/nim', value: 'AQICAHplanted', type: 'SecureString' };
  assert.deepEqual(readDocuments([secure]), {
    configs: [],
    problems: [
      {
        document: secure.name,
        message:
          'cannot read the document: it is a SecureString; store it as a String, addresses are no secret',
      },
    ],
    notes: [],
    refused: [secure.name],
  });
});

describe('documents of the same job', () => {
  const YAML = 'job_name: nim\nscrape_interval: 2m\nrelabel_configs: [{regex: tmp, action: labeldrop}]\n';

  test('are merged if all but their targets is the same, in whatever words', () => {
    const { configs, problems } = read(
      ['a', `${YAML}static_configs: [{targets: ["a:1"]}]\ndns_sd_configs: [{names: [x]}]`],
      [
        'b',
        `dns_sd_configs: [{names: [y]}, {names: [x], type: srv}]\nstatic_configs: [{targets: ["b:1", "c:1"]}]\n${YAML.replace('2m', '120s')}`,
      ],
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(groupsOf(configs), ['nim a:1', 'nim b:1 c:1']);
    assert.deepEqual(
      configs.flatMap(({ dnsSdConfigs }) => dnsSdConfigs.flatMap(({ names }) => names)),
      ['x', 'y'],
    );
    assert.equal(configs.length, 1);
  });

  test('may be a list and YAML with defaults', () => {
    const { configs } = read(
      ['nim', 'a:1'],
      ['x/nim', 'https://b:1'],
      ['other', 'job_name: nim\nstatic_configs: [{targets: ["c:1"]}]'],
    );
    assert.deepEqual(groupsOf(configs), ['nim a:1', 'nim __scheme__=https b:1', 'nim c:1']);
    assert.equal(configs.length, 1);
  });

  test('that contradict each other are an error that names both, and what differs', () => {
    const found = read(
      ['a', YAML],
      ['b', `- ${YAML.replace('2m', '3m').replaceAll('\n', '\n  ')}\n`],
      ['c', 'd:1'],
    );
    assert.deepEqual(found.problems, [
      {
        document: '/p/targets/b',
        line: 1,
        column: 3,
        message:
          'cannot use the job "nim" of /p/targets/b: /p/targets/a has the same job with another scrape_interval; ' +
          'write the same in both, or give one of the two jobs another job_name',
      },
    ]);
    assert.deepEqual(found.refused, ['/p/targets/b']);
    assert.deepEqual(
      found.configs.map(({ jobName }) => jobName),
      ['nim', 'c'],
    );
    assert.match(
      messages(read(['nim', 'a:1'], ['x', YAML]))[0] ?? '',
      /another scrape_interval, relabel_configs; /,
    );
  });

  test('the one that was changed last is refused, whichever comes first', () => {
    assert.deepEqual(read(['a', YAML, 2], ['b', YAML.replace('2m', '3m'), 1]).refused, ['/p/targets/a']);
    assert.deepEqual(read(['a', YAML, 1], ['b', YAML.replace('2m', '3m'), 2]).refused, ['/p/targets/b']);
  });

  test('a refused document does not stand in the way of others', () => {
    const { refused } = read(['a', `${YAML}nonsense: 1`], ['b', YAML.replace('2m', '3m')]);
    assert.deepEqual(refused, ['/p/targets/a']);
  });
});

describe('a bound', () => {
  /** Read at the bound, refused one past it. */
  function bounded(document: (count: number) => string, max: number, message: RegExp): void {
    assert.deepEqual(messages(read(['nim', document(max)])), []);
    const over = read(['nim', document(max + 1)]);
    assert.match(messages(over).join('\n'), message);
    assert.deepEqual(over.refused, ['/p/targets/nim']);
  }
  const inList = (key: string, entry: (index: number) => string) => (count: number) =>
    `${key}: [${times(count, entry, ', ')}]`;
  const inMapping = (key: string, entry: (index: number) => string) => (count: number) =>
    `${key}: {${times(count, entry, ', ')}}`;

  for (const [name, max, document] of [
    ['relabel_configs', MAX_RELABEL_RULES, inList('relabel_configs', () => '{target_label: a}')],
    [
      'metric_relabel_configs',
      MAX_RELABEL_RULES,
      inList('metric_relabel_configs', () => '{target_label: a}'),
    ],
    [
      'source_labels',
      MAX_SOURCE_LABELS,
      (count) => `relabel_configs: [{${inList('source_labels', () => 'a')(count)}}]`,
    ],
    [
      'names',
      MAX_DNS_NAMES,
      (count) => `dns_sd_configs: [{${inList('names', (index) => `a${index}`)(count)}}]`,
    ],
    [
      'labels',
      MAX_GROUP_LABELS,
      (count) => `static_configs: [{${inMapping('labels', (index) => `a${index}: b`)(count)}}]`,
    ],
    ['params', MAX_PARAMS, inMapping('params', (index) => `a${index}: [b]`)],
    ['http_headers', MAX_HEADERS, inMapping('http_headers', (index) => `a${index}: {}`)],
  ] as readonly (readonly [string, number, (count: number) => string])[]) {
    test(`of ${name} is ${max} entries`, () => {
      bounded(
        document,
        max,
        new RegExp(`^cannot use ${name}: it has ${max + 1} entries, and ${max} are the most`),
      );
    });
  }

  test('of the values of a parameter', () => {
    bounded(
      (count) => `params: {a: [${times(count, () => 'b', ',')}]}`,
      MAX_PARAMS,
      /^cannot use params: a parameter has 65 values/,
    );
  });

  test('of a text', () => {
    const regex = (count: number): string =>
      `relabel_configs: [{regex: "${'a'.repeat(count)}", target_label: a}]`;
    bounded(regex, MAX_TEXT_LENGTH, /^cannot use regex: it is longer than 8192 characters/);
    bounded(
      (count) => `job_name: ${'a'.repeat(count)}`,
      MAX_JOB_NAME_LENGTH,
      /^cannot use job_name: it is longer than 256/,
    );
  });

  test('of jobs in one document, and in all', () => {
    bounded(
      (count) => times(count, (index) => `- job_name: a${index}`),
      MAX_JOBS,
      /it has 1001 scrape_configs, and 1000 jobs are the most/,
    );
    const full = times(MAX_JOBS, (index) => `- job_name: a${index}`);
    assert.deepEqual(read(['a', full], ['a1', 'x:1']).refused, []);
    const over = read(['a', full], ['b', 'x:1']);
    assert.deepEqual(messages(over), [
      'cannot use the document: with it all documents together have 1001 jobs, and 1000 are the most; ' +
        'remove some, or deploy a second stack with its own parameter prefix',
    ]);
    assert.deepEqual(over.refused, ['/p/targets/b']);
  });

  test('of targets in all documents', () => {
    const list = (count: number, host: string): string =>
      times(count, (index) => `${host}:${index + 1}`, ' ');
    const half = MAX_STATIC_TARGETS / 2;
    assert.deepEqual(read(['a', list(half, 'a')], ['b', list(half, 'b')]).refused, []);
    const over = read(['a', list(half, 'a')], ['b', list(half + 1, 'b')], ['c', list(half, 'c')]);
    assert.deepEqual(over.refused, ['/p/targets/b']);
    assert.match(messages(over)[0] ?? '', /have 10001 targets, and 10000 are the most/);
  });

  test('of documents', () => {
    const many = (count: number): readonly Written[] =>
      Array.from({ length: count }, (_, index) => [`x/${index}/nim`, '']);
    assert.deepEqual(read(...many(MAX_DOCUMENTS)).refused, []);
    assert.deepEqual(read(...many(MAX_DOCUMENTS + 1)).refused, [`/p/targets/x/${MAX_DOCUMENTS}/nim`]);
  });

  test('of bytes, which are not characters', () => {
    const comment = (bytes: number): string => `#${'ä'.repeat((bytes - 2) / 2)}\n`;
    bounded(
      (count) => comment(MAX_DOCUMENT_BYTES + (count === MAX_DOCUMENT_BYTES ? 0 : 2)),
      MAX_DOCUMENT_BYTES,
      /larger than 1 MiB/,
    );
    const full: readonly Written[] = Array.from(
      { length: MAX_ALL_DOCUMENTS_BYTES / MAX_DOCUMENT_BYTES },
      (_, index) => [`full-${index}`, comment(MAX_DOCUMENT_BYTES)],
    );
    assert.deepEqual(read(...full).refused, []);
    assert.deepEqual(read(...full, ['one', 'a:1']).refused, ['/p/targets/one']);
  });
});
