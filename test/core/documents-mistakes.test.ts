/** What people get wrong in a document, and what they are told. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_NAMED_FINDINGS } from '../../functions/core/config/config-bounds.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';

/** `line:column message` of each problem of one document; such a document is refused whole. */
function problemsOf(value: string): readonly string[] {
  const name = '/nim-to-dynatrace/targets/nim';
  const { configs, problems, refused } = readDocuments([{ name, value }]);
  if (problems.length > 0) assert.deepEqual([configs, refused], [[], [name]]);
  return problems.map(({ document, line, column, message }) => {
    assert.equal(document, name);
    return `${line}:${column} ${message}`;
  });
}

describe('ten mistakes of newcomers', () => {
  const MISTAKES: Readonly<Record<string, readonly [document: string, ...messages: string[]]>> = {
    'a misspelt key': [
      'scrape_configs:\n  - job_name: nim\n    static_config:\n      - targets: ["10.0.1.17:8000"]\n',
      '3:5 cannot use static_config: it is no key of a scrape_config; write static_configs',
    ],
    'a duration without its unit': [
      'job_name: nim\nscrape_interval: 30\n',
      '2:18 cannot use scrape_interval: "30" is no duration; write scrape_interval: 30s if seconds are meant',
    ],
    'targets without a list': [
      'job_name: nim\nstatic_configs:\n  - targets: 10.0.1.17:8000\n',
      '3:14 cannot use targets: it is a single text, not a list; write targets: ["10.0.1.17:8000"]',
    ],
    'targets in a list in a list': [
      'job_name: nim\nstatic_configs:\n  - targets:\n    - ["10.0.1.17:8000"]\n',
      '4:7 cannot use a target: targets is a list in a list; write targets: ["10.0.1.17:8000"], without a second dash or bracket',
    ],
    'a URL as a target': [
      'job_name: nim\nstatic_configs:\n  - targets: ["https://nim.example.com/v1/metrics"]\n',
      '3:15 cannot use the target "https://nim.example.com/v1/metrics": it is a URL, not an address; ' +
        'write nim.example.com, and scheme: https and metrics_path: with its path beside static_configs',
    ],
    'targets without static_configs': [
      '- targets: ["10.0.1.17:8000"]\n',
      '1:3 cannot use targets: it is a key of an entry of static_configs, not of a scrape_config; move it there',
    ],
    'a token in the document': [
      'job_name: nim\nauthorization:\n  credentials: planted-token\n',
      '3:16 cannot use credentials: a secret never stands in a document; store it with ' +
        'aws ssm put-parameter --type SecureString --name /nim-to-dynatrace/secrets/nim-credentials --value "$SECRET" ' +
        'and write credentials: ssm:/nim-to-dynatrace/secrets/nim-credentials',
    ],
    'a file': [
      'job_name: nim\ntls_config:\n  ca_file: ca.pem\n',
      '3:3 cannot use ca_file: there are no files beside a document; write the PEM text itself as ca, or a reference',
    ],
    'a discovery that is not there': [
      'job_name: nim\nkubernetes_sd_configs:\n  - role: pod\n',
      '2:1 cannot use kubernetes_sd_configs: this discovery is not there yet; ' +
        'use dns_sd_configs on a headless service, or static_configs, until it is',
    ],
    'a tab': [
      'job_name: nim\nstatic_configs:\n\t- targets: ["10.0.1.17:8000"]\n',
      '3:1 cannot read the document: a tab indents this line; indent with spaces',
    ],
    'a regular expression in double quotes': [
      'job_name: nim\nrelabel_configs:\n  - {source_labels: [__address__], regex: "(.*):\\d+", target_label: host}\n',
      '3:49 cannot read the document: a backslash in double quotes begins no escape that YAML knows; ' +
        'use single quotes, in which a backslash is only a backslash',
    ],
    'a query in the path': [
      'job_name: nim\nmetrics_path: /metrics?format=prometheus\n',
      '2:15 cannot use metrics_path "/metrics": it holds a query; write the path alone, and the query as params: {name: [value]}',
    ],
  };
  for (const [name, [document, ...messages]] of Object.entries(MISTAKES)) {
    test(name, () => assert.deepEqual(problemsOf(document), messages));
  }
});

describe('every mistake has its place and its remedy', () => {
  const job = (lines: string): string => `job_name: nim\n${lines}\n`;
  for (const [document, start] of [
    [job('scrape_timeout: 2m'), '2:17 cannot use scrape_timeout: it is longer than scrape_interval; shorten'],
    [
      'global: {scrape_interval: 5s, scrape_timeout: 6s}',
      '1:47 cannot use scrape_timeout: it is longer than',
    ],
    [
      job('honor_labels: maybe'),
      '2:15 cannot use honor_labels: "maybe" is neither true nor false; write true or false',
    ],
    [job('scheme: HTTPS'), '2:9 cannot use scheme: "HTTPS" is none of its values; write one of http, https'],
    [
      job('sample_limit: lots'),
      '2:15 cannot use sample_limit: "lots" is no whole number from 0 up; write digits only',
    ],
    [job('sample_limit: -1'), '2:15 cannot use sample_limit: "-1" is no whole number'],
    [
      job('sample_limit: 50001'),
      '2:15 cannot use sample_limit: "50001" is more than the maximum; write 50000 at most',
    ],
    [
      job('body_size_limit: 10MB'),
      '2:18 cannot use body_size_limit: "10MB" is more than the maximum; write 8MiB at most',
    ],
    [
      job('body_size_limit: 1000'),
      '2:18 cannot use body_size_limit: "1000" is no size; write a number and its unit, such as 1000B',
    ],
    [
      job('label_limit: [1]'),
      '2:14 cannot use label_limit: it is a list, not a single value; write label_limit: and the value',
    ],
    [
      job('params: {module: http_2xx}'),
      '2:18 cannot use params: a value is a single text, not a list; write params: {name: [value]}',
    ],
    [job('params: [a]'), '2:9 cannot use params: it is a list, not a mapping; write params: {name: [value]}'],
    [
      job('metrics_path: http://nim/metrics'),
      '2:15 cannot use metrics_path "http://nim/metrics": it is no path',
    ],
    [
      job('static_configs: [{labels: [a]}]'),
      '2:27 cannot use labels: it is a list, not a mapping; write labels:',
    ],
    [job('static_configs: [{labels: {a: [b]}}]'), '2:31 cannot use a label: its value is a list, not a text'],
    [job('static_configs: [{labels: {"": b}}]'), '2:28 cannot use a label: it has no name'],
    [
      job('static_configs: [a]'),
      '2:18 cannot read an entry of static_configs: it is a single text, not a mapping',
    ],
    [job('static_configs: [~]'), '2:18 cannot read an entry of static_configs: it is empty, not a mapping'],
    [
      job('static_configs: [{targets: [10.0.0.1:]}]'),
      '2:29 cannot use a target: it is a mapping, not an address',
    ],
    [
      job('static_configs: [{targets: ["a:99999"]}]'),
      '2:29 cannot use the target "a:99999": it is no host and port',
    ],
    [
      job('static_configs: [{targets: ["$HOST:80"]}]'),
      '2:29 cannot use the target "$HOST:80": it is no host and port',
    ],
    [job('static_configs: [{targets: [""]}]'), '2:29 cannot use the target "": it is no host and port'],
    [job('dns_sd_configs: [{}]'), '2:18 cannot use dns_sd_configs: there is no name to look up'],
    [
      job('dns_sd_configs: [{names: [a], type: A}]'),
      '2:37 cannot use the type A: its records bring no port; write port',
    ],
    [
      job('dns_sd_configs: [{names: ["a:80"]}]'),
      '2:26 cannot use the name "a:80": it is no DNS name; write the port as port',
    ],
    [
      job('dns_sd_configs: [{names: [a], type: CNAME}]'),
      '2:37 cannot use type: "CNAME" is none of its values; write one of SRV',
    ],
    [
      job('dns_sd_configs: [{names: [a], port: 65536}]'),
      '2:37 cannot use port: "65536" is more than the maximum; write 65535',
    ],
    [
      job('dns_sd_configs: [{names: [a], refresh_interval: 0s}]'),
      '2:49 cannot use refresh_interval: it is 0',
    ],
    [
      job('relabel_configs: [{action: rename}]'),
      '2:28 cannot use action: "rename" is none of its values; write one of replace, keep',
    ],
    [
      job('relabel_configs: [{source_labels: a}]'),
      '2:35 cannot use source_labels: it is a single text, not a list; write source_labels: [__address__]',
    ],
    [job('relabel_configs: [{source_labels: [""]}]'), '2:35 cannot use source_labels: one of them is empty'],
    [
      job('relabel_configs: [{source_labels: [[a]]}]'),
      '2:36 cannot use an entry of source_labels: it is a list, not a text',
    ],
    [job('relabel_configs: [~]'), '2:19 cannot read a relabel rule: it is empty, not a mapping'],
    [
      job('authorization: {type: Basic, credentials: "ssm:/a"}'),
      '2:23 cannot use the type basic: it has a key of its own; write basic_auth',
    ],
    [
      job('authorization: {type: Bearer}'),
      '2:16 cannot use authorization: it has no credentials; store the secret with aws ssm',
    ],
    [
      job('basic_auth: {username: a}'),
      '2:13 cannot use basic_auth: it has no password; store the secret with aws ssm',
    ],
    [
      job('tls_config: {cert: "ssm:/c"}'),
      '2:20 cannot use cert: a client certificate needs both cert and key; write key too',
    ],
    [
      job('tls_config: {key: "ssm:/c"}'),
      '2:19 cannot use key: a client certificate needs both cert and key; write cert too',
    ],
    [
      job('tls_config: {min_version: TLS13, max_version: TLS12}'),
      '2:47 cannot use max_version: TLS12 is older than min_version TLS13',
    ],
    [
      job('tls_config: {ca: pem}'),
      '2:18 cannot use ca: it is neither PEM text nor a reference; write ca: | and the PEM text',
    ],
    [
      job('http_headers: {Host: {values: [a]}}'),
      '2:16 cannot use the header Host: the scrape sets it itself; remove it',
    ],
    [
      job('http_headers: {authorization: {values: [a]}}'),
      '2:16 cannot use the header authorization: the scrape sets it itself; use authorization or',
    ],
    [job('http_headers: {"X Y": {values: [a]}}'), '2:16 cannot use a header: its name is not one word'],
    [
      job('http_headers: {X-Y: {values: ["a\\nb"]}}'),
      '2:30 cannot use the values of the header X-Y: HTTP does not carry them',
    ],
    [
      job('http_headers: {X-Y: {files: [a]}}'),
      '2:22 cannot use files: there are no files beside a document; store the value as a secret',
    ],
    [
      job('http_headers: {X-Y: {secrets: [[a]]}}'),
      '2:32 cannot use the secrets of the header X-Y: an entry is a list',
    ],
    [
      job('bearer_token_file: /a'),
      '2:1 cannot use bearer_token_file: there are no files beside a document; store the token',
    ],
    [
      job('http_sd_configs: [{url: "http://a"}]'),
      '2:1 cannot use http_sd_configs: this discovery is not there yet; use static_configs',
    ],
    [
      job('proxy_url: http://a'),
      '2:1 cannot use proxy_url: pages are fetched directly; give the functions a way',
    ],
    [
      job('dynatrace: {initial_value: never}'),
      '2:28 cannot use initial_value: "never" is none of its values; write one of auto, keep, drop',
    ],
    [
      job('dynatrace: {attributes: {Cost-Center: a}}'),
      '2:26 cannot use the attribute "Cost-Center": Dynatrace takes lower case letters, digits, dots, hyphens and underscores; write cost-center',
    ],
    [
      job('dynatrace: {attributes: {"": a}}'),
      '2:26 cannot use the attribute "": Dynatrace takes lower case letters, digits, dots, hyphens and underscores; begin with a letter from a to z',
    ],
    [
      job('dynatrace: {attributes: {service.name: a}}'),
      '2:26 cannot use the attribute "service.name": it says which series a point is of; job_name and the address set it',
    ],
    [
      job('dynatrace: {attributes: {team: ""}}'),
      '2:32 cannot use the attribute "team": its value is empty, and Dynatrace refuses that; write a value, or remove it',
    ],
    [
      job('dynatrace: {attributes: {team: [a]}}'),
      '2:32 cannot use the attribute "team": its value is a list; write one text',
    ],
    [
      job(`dynatrace: {attributes: {team: ${'x'.repeat(256)}}}`),
      '2:32 cannot use the attribute "team": its value is longer than 255 characters; shorten it',
    ],
    [job('timeout: 5s'), '2:1 cannot use timeout: it is no key of a scrape_config; write scrape_timeout'],
    [
      job('metricsPath: /a'),
      '2:1 cannot use metricsPath: it is no key of a scrape_config; write metrics_path',
    ],
    [
      job('credentials: a'),
      '2:1 cannot use credentials: it is a key of authorization, not of a scrape_config; move it there',
    ],
    [
      job('constructor: a'),
      '2:1 cannot use constructor: it is no key of a scrape_config; docs/targets.md lists the keys',
    ],
    [job('"not a word": a'), '2:1 cannot use a key: it is no key of a scrape_config; docs'],
    [
      'global: {external_labels: {a: b}}',
      '1:10 cannot use external_labels: labels added on the way out would change every series; set them per group',
    ],
    [
      'scrape_config_files: [a.yml]',
      '1:1 cannot use scrape_config_files: there are no files beside a document; put the content of each file into a parameter of its own under /nim-to-dynatrace/targets',
    ],
    [
      'scrape_configs: {job_name: a}',
      '1:17 cannot use scrape_configs: it is a mapping, not a list; write scrape_configs: [{',
    ],
    ['scrape_configs: [~]', '1:18 cannot read a scrape_config: it is empty, not a mapping'],
    [
      '- job_name: a\n- job_name: a\n',
      '2:3 cannot use the job "a": it stands twice in the document, first in line 1; put',
    ],
    [
      '- scheme: http\n- job_name: a\n',
      '1:3 cannot read a scrape_config: it has no job_name, and the document holds several',
    ],
    [
      'apiVersion: v1\nkind: PodMonitor\n',
      '1:1 cannot read the document: it is a Kubernetes object; write a scrape_config',
    ],
    [
      'receivers:\n  prometheus: {}\n',
      '1:1 cannot read the document: it is a Collector configuration; run: nim-to-dynatrace import',
    ],
    ['--- a\n', '1:5 cannot read the document: it is a single text; write addresses alone'],
  ] as const) {
    test(start, () => {
      const problems = problemsOf(document);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert(problems[0]?.startsWith(start), problems[0]);
      assert.match(problems[0] ?? '', /^\d+:\d+ cannot (?:use|read) .+: .+; .+/s);
    });
  }

  test('all of them at once, in the order of the document', () => {
    assert.deepEqual(
      problemsOf('scheme: ftp\njob: x\nstatic_configs:\n- targets: [":"]\n- {}\nparams: 3\n').map(
        (text) => text.split(' ')[0],
      ),
      ['1:9', '2:1', '4:13', '6:9'],
    );
  });

  test(`up to ${MAX_NAMED_FINDINGS} of them by name, the rest counted`, () => {
    const wrong = (count: number): string =>
      Array.from({ length: count }, (_, index) => `k${index}: 1\n`).join('');
    assert.equal(problemsOf(wrong(MAX_NAMED_FINDINGS)).length, MAX_NAMED_FINDINGS);
    const more = problemsOf(wrong(MAX_NAMED_FINDINGS + 2));
    assert.equal(more.length, MAX_NAMED_FINDINGS + 1);
    assert.equal(more.at(-1), 'undefined:undefined and 2 more problems');
  });

  test('an alias shows a mistake once', () => {
    const rules =
      '- job_name: a\n  relabel_configs: &r [{action: x}]\n- job_name: b\n  relabel_configs: *r\n';
    assert.equal(problemsOf(rules).length, 1);
  });

  test('a refused key that says nothing is none', () => {
    const nothing =
      'proxy_from_environment: false\nfile_sd_configs: []\noauth2:\nbearer_token: ""\nno_proxy: ~\n';
    assert.deepEqual(problemsOf(nothing), []);
  });

  test('what is wrong with a relabel rule is said by who compiles it', () => {
    const document = { name: '/p/targets/nim', value: 'metric_relabel_configs:\n- regex: (\n- regex: a\n' };
    const { problems } = readDocuments([document], {
      checkRelabel: ({ regex }) => (regex === '(' ? 'cannot use the regex: it is open; close it' : undefined),
    });
    assert.deepEqual(problems, [
      { document: document.name, line: 2, column: 10, message: 'cannot use the regex: it is open; close it' },
    ]);
  });
});

describe('a secret', () => {
  for (const [what, document] of [
    ['as credentials', 'authorization: {credentials: PLANTED}'],
    ['as the type of authorization', 'authorization: {type: Bearer PLANTED, credentials: "ssm:/a"}'],
    ['as a password', 'basic_auth: {username: a, password: PLANTED}'],
    ['in a user name', 'basic_auth: {username: "a:PLANTED", password: "ssm:/a"}'],
    ['as bearer_token', 'bearer_token: PLANTED'],
    ['as bearer_token of another kind', 'bearer_token: [PLANTED]'],
    ['as a key', 'tls_config: {key: PLANTED, cert: "ssm:/a"}'],
    ['as a key in the place of a certificate', 'tls_config: {ca: "-----BEGIN PRIVATE KEY-----\\nPLANTED"}'],
    ['in a header', 'http_headers: {X-Api-Key: {values: [PLANTED]}}'],
    ['in a header that is no header', 'http_headers: {"X-Api-Key: PLANTED": }'],
    ['in a header without values', 'http_headers: {X-Api-Key: PLANTED}'],
    ['among the secrets of a header', 'http_headers: {X-Y: {secrets: [PLANTED]}}'],
    ['in a target', 'static_configs: [{targets: ["http://user:PLANTED@a:80/m"]}]'],
    ['in a proxy', 'proxy_url: http://user:PLANTED@proxy'],
    ['in oauth2', 'oauth2: {client_id: a, client_secret: PLANTED}'],
    ['in a reference that is none', 'authorization: {credentials: "ssm:PLANTED"}'],
    ['behind a key that is none', 'pasword: PLANTED'],
    ['as a key that is none', '"Bearer PLANTED": 1'],
    ['under a tag', 'basic_auth: {password: !secret PLANTED}'],
    ['behind a quote that is not closed', 'basic_auth: {password: "PLANTED'],
    ['in a line that is no YAML', 'basic_auth:\n  password: PLANTED\n PLANTED\n'],
    ['as a path with a query', 'metrics_path: /metrics?token=PLANTED'],
    ['in remote_write', 'scrape_configs:\nremote_write: [{basic_auth: {password: PLANTED}}]'],
  ] as const) {
    test(`${what} is never printed`, () => {
      const read = readDocuments([{ name: '/p/targets/nim', value: document }]);
      assert(read.problems.length + read.notes.length > 0, JSON.stringify(read));
      assert.doesNotMatch(JSON.stringify(read), /PLANTED/);
    });
  }
});
