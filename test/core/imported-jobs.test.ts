/** Jobs of public configurations: what is noted once, what is left out, and what is to be filled in. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { checkRelabel } from '../../functions/core/relabel/relabel.ts';
import { configsOf, imported, lines } from './imported.ts';

const job = (name: string, more = "metrics_path: /metrics, static_configs: [{targets: ['a:1']}]") =>
  `- {job_name: ${name}, ${more}}\n`;

function readOne(value: string) {
  return readDocuments([{ name: '/p/targets/nim', value }], { checkRelabel });
}

describe('an absent metrics_path', () => {
  test('is noted once, whatever number of jobs has none; and not where all have one', () => {
    const none = "static_configs: [{targets: ['b:1']}]";
    const all = imported(`scrape_configs:\n${job('a', none)}${job('b', none)}${job('c')}`);
    assert.deepEqual(lines(all.notes), [
      '- no metrics_path: /v1/metrics is tried first, then /metrics, where Prometheus asks /metrics alone',
    ]);
    assert.deepEqual(lines(imported(`scrape_configs:\n${job('c')}`).notes), []);
  });
});

describe('a job without targets', () => {
  const NOTE =
    'cannot find anything to scrape in the job "b": it has neither static_configs nor a discovery; write one';

  test('is valid in a document, and noted', () => {
    const read = readOne(`scrape_configs:\n${job('a')}${job('b', 'scheme: https, file_sd_configs: []')}`);
    assert.deepEqual([read.problems, read.refused], [[], []]);
    assert.deepEqual(
      read.notes.map(({ line, message }) => `${line} ${message}`),
      [`3 ${NOTE}`],
    );
    for (const discovery of [
      'dns_sd_configs: [{names: [a.b], type: A, port: 1}]',
      "http_sd_configs: [{url: 'http://a'}]",
      "kubernetes_sd_configs: [{role: pod, api_server: 'eks://prod'}]",
    ])
      assert.deepEqual(readOne(discovery).notes, []);
  });

  test('is not stored by an import; one with none but such is a problem', () => {
    const some = imported(`scrape_configs:\n${job('a')}${job('b', 'scheme: https')}`);
    assert.deepEqual(lines(some.notes), [`3 ${NOTE}`]);
    assert.deepEqual(
      configsOf(some).map(({ jobName }) => jobName),
      ['a'],
    );
    assert.deepEqual(lines(some.problems), []);
    const none = imported(`scrape_configs:\n${job('b', 'scheme: https')}`);
    assert.match(
      lines(none.problems).join('\n'),
      /^- cannot find anything to scrape: no job has static_configs/,
    );
  });
});

describe('a placeholder in a target', () => {
  const FILE =
    "scrape_configs:\n- {job_name: a, metrics_path: /m, static_configs: [{targets: ['${HOST_IP}:9191']}]}\n";

  test('of a Prometheus file is filled in by --set', () => {
    const { targets } = configsOf(imported(FILE, { HOST_IP: '10.0.0.1' }))[0]?.staticConfigs[0] ?? {};
    assert.deepEqual(targets, ['10.0.0.1:9191']);
    assert.match(
      lines(imported(FILE).problems).join('\n'),
      /^2 cannot fill in an address: \$\{env:HOST_IP\} is not in the file; run again with --set HOST_IP=VALUE/,
    );
  });

  test('of a document is called one', () => {
    assert.match(
      readOne(FILE).problems[0]?.message ?? '',
      /it is a placeholder; .* import by --set NAME=VALUE$/,
    );
    assert.match(
      readOne("static_configs: [{targets: ['a b:1']}]").problems[0]?.message ?? '',
      /it is no host and port/,
    );
  });
});

describe('an interval below the tick', () => {
  const global = 'global: {scrape_interval: 15s}\nscrape_configs:\n';

  test('of global is noted there, once; that of a job at the job', () => {
    const text = `${global}${job('a')}${job('b')}${job('c', "scrape_interval: 5s, metrics_path: /m, static_configs: [{targets: ['c:1']}]")}`;
    const expected = [
      '1 scrape_interval is 15s: the schedule fires every 60s, and jobs without one of their own are scraped once each time',
      '5 scrape_interval is 5s: the schedule fires every 60s, and the job is scraped once each time',
    ];
    assert.deepEqual(lines(imported(text).notes), expected);
    assert.deepEqual(
      readOne(text).notes.map(({ line, message }) => `${line} ${message}`),
      expected,
    );
  });

  test('is not noted of jobs that are refused, or have one of their own', () => {
    const refused = job('a', 'ec2_sd_configs: [{region: eu-central-1}]');
    const own = job('b', "scrape_interval: 2m, metrics_path: /m, static_configs: [{targets: ['c:1']}]");
    assert.deepEqual(lines(imported(global + refused + own).notes), []);
  });
});

describe('one mistake, one message', () => {
  test('a bad regex is reported where it stands, another mistake of a rule at the rule', () => {
    const read = readOne("relabel_configs:\n- action: keep\n  regex: '('\n- regex: a\n  action: hashmod\n");
    assert.deepEqual(
      read.problems.map(({ line, column }) => [line, column]),
      [
        [3, 10],
        [4, 3],
      ],
    );
  });

  test('a file alone is no missing secret beside it; a secret that is not there at all is', () => {
    for (const setting of [
      'basic_auth: {username: a, password_file: /p}',
      'authorization: {credentials_file: /c}',
    ]) {
      assert.equal(readOne(setting).problems.length, 1);
    }
    assert.match(readOne('basic_auth: {username: a}').problems[0]?.message ?? '', /it has no password/);
  });
});
