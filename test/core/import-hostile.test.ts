/** Whatever is imported: no crash, no secret in any output, and every document is one that the reader takes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { scriptOf } from '../../functions/core/import/commands.ts';
import { importConfiguration } from '../../functions/core/import/importing.ts';
import type { Imported } from '../../functions/core/import/importing.ts';
import { checkRelabel } from '../../functions/core/relabel/relabel.ts';
import { isNull, readYaml, writeYaml } from '../../functions/core/config/yaml.ts';
import type { YamlNode } from '../../functions/core/config/yaml.ts';
import { FLATTENED, REFERENCE, TWO_RECEIVERS } from './written-collectors.ts';
import { WRITTEN } from './written-documents.ts';

function imported(text: string): Imported {
  return importConfiguration(text, { prefix: '/nim-to-dynatrace', job: 'nim', given: new Map() });
}

/** All that leaves the program. */
function printed({ documents, stored, problems, notes }: Imported): string {
  return JSON.stringify([documents, scriptOf(stored), problems, notes]);
}

function assertReadable({ documents }: Imported): void {
  const read = readDocuments(documents, { checkRelabel });
  assert.deepEqual([read.problems, read.refused], [[], []]);
}

const SECRET = 'hunter2-dt0c01-NEVER';

/** Where Prometheus and the Collector hold secrets, each alone in its job. */
const PLACES: Readonly<Record<string, string>> = {
  credentials: `authorization: {credentials: ${SECRET}}`,
  'credentials of a type': `authorization: {type: Token, credentials: "${SECRET}"}`,
  password: `basic_auth: {username: me, password: ${SECRET}}`,
  bearer_token: `bearer_token: ${SECRET}`,
  'a key': `tls_config: {cert: "ssm:/c", key: "-----BEGIN PRIVATE KEY-----\\n${SECRET}\\n"}`,
  'a header': `http_headers: {X-Api-Key: {values: [${SECRET}, two]}}`,
  'a secret of a header': `http_headers: {X-Any: {values: [open], secrets: [${SECRET}]}}`,
  'the user of a target': `static_configs: [{targets: ["me:${SECRET}@10.0.0.1:8000"]}]`,
};
const REFUSED: Readonly<Record<string, string>> = {
  'two users of targets': `static_configs: [{targets: ["me:${SECRET}@a:1", "b:2"]}]`,
  'a URL as a target': `static_configs: [{targets: ["http://me:${SECRET}@a:1/metrics"]}]`,
  'a query parameter': `params: {api_key: [${SECRET}]}`,
  'a query parameter as a label': `static_configs: [{targets: ["a:1"], labels: {__param_token: ${SECRET}}}]`,
  'a query parameter by a rule': `relabel_configs: [{target_label: __param_sig, replacement: ${SECRET}}]`,
  'a proxy': `proxy_url: http://me:${SECRET}@proxy:3128`,
  'a misspelt key': `passwort: ${SECRET}`,
  oauth2: `oauth2: {client_id: a, client_secret: ${SECRET}}`,
  'the Authorization header': `http_headers: {Authorization: {values: [${SECRET}]}}`,
  'credentials beside a password': `authorization: {credentials: ${SECRET}}\n  basic_auth: {username: a, password: ${SECRET}}`,
  'a token beside a password': `bearer_token: ${SECRET}\n  basic_auth: {username: a, password: ${SECRET}}`,
};

function fileWith(setting: string): string {
  const targets = setting.includes('static_configs')
    ? ''
    : "  static_configs: [{targets: ['10.0.0.1:8000']}]\n";
  return `scrape_configs:\n- job_name: nim\n${targets}  ${setting}\n`;
}

describe('secrets are never printed', () => {
  for (const [name, setting] of Object.entries(PLACES)) {
    test(`${name}: a reference in the document, and a command that asks for it`, () => {
      for (const text of [
        fileWith(setting),
        `remote_write: [{url: "http://a:${SECRET}@b"}]\n${fileWith(setting)}`,
      ]) {
        const all = imported(text);
        assert.deepEqual(all.problems, []);
        assert(!printed(all).includes(SECRET));
        assertReadable(all);
        assert(all.stored.length >= 1);
        for (const { parameter, type } of all.stored) {
          assert.equal(type, 'SecureString');
          assert(all.documents[0]?.value.includes(`ssm:${parameter}`));
        }
      }
    });
  }

  for (const [name, setting] of Object.entries(REFUSED)) {
    test(`${name}: refused, without it`, () => {
      const all = imported(fileWith(setting));
      assert(all.problems.length > 0 && all.documents.length === 0);
      assert(!printed(all).includes(SECRET));
      assert.deepEqual(all.stored, [], 'of a job that does not carry over no secret is stored');
    });
  }

  test('no two secrets share a parameter or a variable', () => {
    const jobs = ['a b', 'a-b', 'a.b', 'dt-api', '1'].map(
      (job) =>
        `- {job_name: ${job}, http_headers: {token: {secrets: [${SECRET}]}}, static_configs: [{targets: ['${job.replace(' ', '')}:1']}]}\n`,
    );
    const prometheus = imported(`scrape_configs:\n${jobs.join('')}`);
    const collector = imported(
      `receivers: {prometheus: {config: {scrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}], basic_auth: {password: ${SECRET}}}, {job_name: b, static_configs: [{targets: ['b:1']}], basic_auth: {password: $A_PASSWORD}}]}}}`,
    );
    for (const { problems, stored } of [prometheus, collector]) {
      assert.deepEqual(problems, []);
      const values = stored.map(({ value }) => JSON.stringify(value));
      assert.deepEqual(
        [new Set(values).size, new Set(stored.map(({ parameter }) => parameter)).size],
        [stored.length, stored.length],
      );
      assert(!stored.some(({ parameter }) => parameter === '/nim-to-dynatrace/secrets/dt-api-token'));
    }
    assert.deepEqual([prometheus.stored.length, collector.stored.length], [5, 2]);
  });

  test('of exporters', () => {
    for (const header of [`Api-Token ${SECRET}`, SECRET, `Bearer ${SECRET}`, `\${env:A}${SECRET}`]) {
      const text = REFERENCE.replace('Api-Token ${env:DT_API_TOKEN}', header);
      assert(!printed(imported(text)).includes(SECRET));
    }
    for (const endpoint of [
      `https://me:${SECRET}@a.live.dynatrace.com/api/v2/otlp`,
      `https://a/?api-token=${SECRET}`,
    ]) {
      const all = imported(REFERENCE.replace('${env:DT_ENDPOINT}', endpoint));
      assert(!printed(all).includes(SECRET));
      assert.match(scriptOf(all.stored), /endpoint --value "\$DT_ENDPOINT"/);
    }
  });

  test('files with secrets are read by the command', () => {
    const all = imported(fileWith("authorization: {credentials_file: /etc/nim/it's}"));
    assert.deepEqual(all.problems, []);
    assert.match(scriptOf(all.stored), /nim-credentials --value "\$\(cat -- '\/etc\/nim\/it'\\''s'\)"\n$/);
    assertReadable(all);
  });
});

/** Lines taken out, doubled, exchanged, and characters that mean something put in. */
const damaged = fc
  .tuple(
    fc.constantFrom(
      REFERENCE,
      FLATTENED,
      TWO_RECEIVERS,
      ...Object.values(WRITTEN),
      ...Object.values(PLACES).map(fileWith),
    ),
    fc.array(
      fc.tuple(
        fc.nat(200),
        fc.constantFrom('drop', 'double', 'indent', 'flat', 'insert'),
        fc.constantFrom(
          '-',
          ':',
          '{',
          ']',
          '"',
          '$',
          '${env:A}',
          '*a',
          '&a ',
          '\t',
          '!',
          '<<: ',
          '\u0000',
          '\u2028',
          ',',
        ),
      ),
      { maxLength: 6 },
    ),
  )
  .map(([text, edits]) =>
    edits.reduce((lines, [at, kind, word]) => {
      const index = at % Math.max(1, lines.length);
      const line = lines[index] ?? '';
      const changed = {
        drop: [],
        double: [line, line],
        indent: [`  ${line}`],
        flat: [line.trim()],
        insert: [line.slice(0, at % 20) + word + line.slice(at % 20)],
      }[kind];
      return lines.toSpliced(index, 1, ...changed);
    }, text.split('\n')),
  )
  .map((lines) => lines.join('\n'));

test('damaged configurations: what is printed is readable, and has no secret', () => {
  fc.assert(
    fc.property(damaged, (text) => {
      const all = imported(text);
      assertReadable(all);
      assert(!/NEVER/.test(printed(all)), text);
    }),
    { numRuns: 400 },
  );
});

test('a bomb of aliases is refused, not written out', () => {
  const labels = Array.from({ length: 200 }, (_, index) => `l${index}: *big`).join(', ');
  const text = `rule_files: &big ${'a'.repeat(8_000)}\nscrape_configs:\n- job_name: nim\n  static_configs: [{targets: ['a:1'], labels: {${labels}}}]\n`;
  const all = imported(text);
  assert.deepEqual(all.documents, []);
  assert(all.problems.length > 0);
});

test('8 MiB with aliases written out are read, and not more', () => {
  const withAliases = (count: number): string =>
    `rule_files: [&a ${'a'.repeat(8_190)}${', *a'.repeat(count - 1)}]\nscrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}]}]`;
  assert.deepEqual(imported(withAliases(1_023)).problems, []);
  assert.match(
    imported(withAliases(1_024)).problems[0]?.message ?? '',
    /larger than 8 MiB; use fewer aliases$/,
  );
});

/** Trees as documents have them: without places. */
const trees = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.record({ text: fc.string({ unit: 'grapheme' }), quoted: fc.boolean() }),
    fc.array(tie('node'), { maxLength: 4 }).map((items) => ({ items })),
    fc
      .uniqueArray(fc.tuple(fc.string({ unit: 'grapheme' }), tie('node')), {
        maxLength: 4,
        selector: ([key]) => key,
      })
      .map((entries) => ({ entries })),
  ),
})).node;

const AT = { line: 1, column: 1 };

function nodeOf(tree: unknown): YamlNode {
  const { text, quoted, items, entries } = tree as Readonly<Record<string, unknown>>;
  if (items !== undefined) return { kind: 'list', at: AT, items: (items as unknown[]).map(nodeOf) };
  if (entries !== undefined) {
    const pairs = entries as readonly (readonly [string, unknown])[];
    return {
      kind: 'mapping',
      at: AT,
      entries: pairs.map(([key, value]) => ({ key, at: AT, value: nodeOf(value) })),
    };
  }
  return { kind: 'text', at: AT, text: text as string, quoted: quoted as boolean };
}

/** Values only: a text without quotes may need some, unless it is a null. */
function valueOf(node: YamlNode): unknown {
  if (node.kind === 'text') return isNull(node) ? null : node.text;
  if (node.kind === 'list') return node.items.map(valueOf);
  return new Map(node.entries.map(({ key, value }) => [key, valueOf(value)]));
}

test('a tree that is written is read as the same', () => {
  fc.assert(
    fc.property(trees, (tree) => {
      const node = nodeOf(tree);
      const text = writeYaml(node);
      const read = readYaml(text);
      assert(read.code === 'read', `${JSON.stringify(text)}: ${JSON.stringify(read)}`);
      assert.deepEqual(valueOf(read.root), valueOf(node), JSON.stringify(text));
    }),
    { numRuns: 1_000 },
  );
});
