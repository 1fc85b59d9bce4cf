/** `explain`: what documents mean, target by target and series by series. */
import { strict as assert } from 'node:assert';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, describe, test } from 'node:test';
import { EXPLAIN_OPTIONS, explainHelp, readExplainOptions } from '../../functions/cli/explain-options.ts';
import { FAKE_AWS } from '../fakes/aws-json.ts';
import { startSsm } from '../fakes/ssm.ts';
import { cli, startCli, temporaryDirectory } from './harness.ts';
import { startPageServer } from './page-server.ts';

const PROMETHEUS = `global: {scrape_interval: 15s, evaluation_interval: 15s}
scrape_configs:
  - job_name: nim
    metrics_path: /metrics
    static_configs:
      - targets: ['10.0.1.17:8000', '10.0.1.18:8000']
        labels: {model: llama}
    relabel_configs:
      - {source_labels: [__address__], regex: '.*\\.18:.*', action: drop}
      - {source_labels: [__address__], regex: '([^:]+):(\\d+)', target_label: port, replacement: '\${2}'}
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'python_.*', action: drop}
      - {source_labels: [__name__], regex: 'vllm:(.*)', target_label: __name__}
      - {regex: pod, action: labeldrop}
`;

const PAGE = `# TYPE vllm:prompt_tokens counter
vllm:prompt_tokens_total{engine="0"} 5
vllm:prompt_tokens_total{engine="1"} 7
running{job="inner",pod="p-1"} 3
python_gc{generation="0"} 1
python_gc{generation="1"} 1
`;

async function fileOf(context: TestContext, name: string, text: string): Promise<string> {
  const file = join(await temporaryDirectory(context), name);
  await writeFile(file, text);
  return file;
}

function jsonOf(stdout: string): readonly Readonly<Record<string, unknown>>[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('targets', { concurrency: 2 }, () => {
  test('a Prometheus file: each step, what was dropped and by which rule', async (context) => {
    const file = await fileOf(context, 'prometheus.yml', PROMETHEUS);
    const { code, stdout, stderr } = await cli('explain', file);
    assert.equal(code, 0, stderr);
    assert.equal(
      stdout,
      `nim  http://10.0.1.17:8000/metrics
  scrape  every 15s, timeout 10s, sample_limit 50000, body_size_limit 8388608B,
          3 metric_relabel_configs (see --page)
  found   __address__="10.0.1.17:8000" __metrics_path__="/metrics" __scheme__="http"
          __scrape_interval__="15s" __scrape_timeout__="10s" job="nim" model="llama"
  rule 1  drop source_labels: [__address__], regex: '.*\\.18:.*'
            no change
  rule 2  replace source_labels: [__address__], regex: '([^:]+):(\\d+)', target_label: port,
          replacement: '\${2}'
            + port="8000"
  labels  instance="10.0.1.17:8000" job="nim" model="llama" port="8000"

nim  10.0.1.18:8000  dropped by rule 1
  found   __address__="10.0.1.18:8000" __metrics_path__="/metrics" __scheme__="http"
          __scrape_interval__="15s" __scrape_timeout__="10s" job="nim" model="llama"
  rule 1  drop source_labels: [__address__], regex: '.*\\.18:.*'
            dropped

targets: 1, dropped: 1, not scraped: 0
`,
    );
    assert.match(stderr, /^note: .*prometheus\.yml:1:32: evaluation_interval has no effect: /m);
  });

  test('-o json: one line per target with exactly these keys', async (context) => {
    const file = await fileOf(context, 'prometheus.yml', PROMETHEUS);
    const { code, stdout } = await cli('explain', file, '-o', 'json');
    const [first = {}, second = {}, ...others] = jsonOf(stdout);
    assert.deepEqual([code, others], [0, []]);
    const keys = ['job', 'url', 'labels', 'dropped', 'interval', 'timeout', 'steps'];
    assert.deepEqual([Object.keys(first), Object.keys(second)], [keys, keys]);
    const { steps, ...scraped } = first;
    assert.deepEqual(scraped, {
      job: 'nim',
      url: 'http://10.0.1.17:8000/metrics',
      labels: { instance: '10.0.1.17:8000', job: 'nim', model: 'llama', port: '8000' },
      dropped: false,
      interval: '15s',
      timeout: '10s',
    });
    const before = {
      __address__: '10.0.1.17:8000',
      __metrics_path__: '/metrics',
      __scheme__: 'http',
      __scrape_interval__: '15s',
      __scrape_timeout__: '10s',
      job: 'nim',
      model: 'llama',
    };
    const rule = String.raw`source_labels: [__address__], regex: '.*\.18:.*'`;
    const replaced = String.raw`source_labels: [__address__], regex: '([^:]+):(\d+)', target_label: port, replacement: '${'${2}'}'`;
    assert.deepEqual(steps, [
      { action: 'drop', rule, before, after: before },
      { action: 'replace', rule: replaced, before, after: { ...before, port: '8000' } },
    ]);
    const gone = { ...before, __address__: '10.0.1.18:8000' };
    assert.deepEqual(second, {
      job: 'nim',
      url: null,
      labels: gone,
      dropped: true,
      interval: '15s',
      timeout: '10s',
      steps: [{ action: 'drop', rule, before: gone, after: null }],
    });
  });

  test('no path is two; options, limits and references of secrets, but no secret', async (context) => {
    const document = `scrape_timeout: 3s
scheme: https
params: {module: [a b]}
label_limit: 30
honor_labels: true
authorization: {credentials: 'ssm:/nim-to-dynatrace/secrets/nim-token'}
tls_config: {insecure_skip_verify: true}
static_configs: [{targets: [nim.example.com]}]
`;
    const file = await fileOf(context, 'vllm.yaml', document);
    const { code, stdout } = await startCli(['explain', file], { NIM_TOKEN: 'hunter2' }).ended;
    assert.equal(code, 0);
    assert.equal(
      stdout.split('\n  found')[0],
      `vllm  https://nim.example.com/v1/metrics?module=a+b, or /metrics where that answers 404
  scrape  every 1m, timeout 3s, sample_limit 50000, body_size_limit 8388608B, label_limit 30,
          honor_labels, authorization by ssm:/nim-to-dynatrace/secrets/nim-token,
          insecure_skip_verify`,
    );
    assert.doesNotMatch(stdout, /hunter2/);
  });

  test('all that is wrong is said with its place, exit code 1; what is right is explained', async (context) => {
    const directory = await temporaryDirectory(context);
    await writeFile(join(directory, 'bad.yaml'), 'scheme: ftp\nstatic_config: []\n');
    await writeFile(
      join(directory, 'wrong.yaml'),
      'static_configs: [{targets: ["a:1", "b:2"]}]\nrelabel_configs: [{source_labels: [__address__], regex: "a.*", target_label: __address__, replacement: "a b"}]\n',
    );
    const { code, stdout, stderr } = await cli('explain', directory, '-o', 'json');
    assert.equal(code, 1);
    assert.match(stderr, /bad\.yaml:1:9: cannot use scheme/);
    assert.match(stderr, /bad\.yaml:2:1: .*static_configs/);
    assert.match(stderr, /^cannot scrape "a b" of the job wrong: __address__ is no host and port/m);
    assert.deepEqual(
      jsonOf(stdout).map(({ job, url, dropped }) => [job, url, dropped]),
      [
        ['wrong', null, false],
        ['wrong', 'http://b:2/v1/metrics', false],
      ],
    );
  });

  test('--job: that one only; a job that is not there: the jobs are named, exit code 2', async (context) => {
    const file = await fileOf(
      context,
      'prometheus.yml',
      `scrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}]}, {job_name: b, static_configs: [{targets: ['b:1']}]}]`,
    );
    const { stdout } = await cli('explain', file, '--job', 'b', '-o', 'json');
    assert.deepEqual(
      jsonOf(stdout).map(({ job }) => job),
      ['b'],
    );
    const ended = await cli('explain', file, '--job', 'c');
    assert.deepEqual([ended.code, ended.stdout], [2, '']);
    assert.match(ended.stderr, /the jobs are: a, b\n$/);
  });

  test('the reader of the pipe leaves (`| head -1`): the end comes without a word', async (context) => {
    const targets = Array.from({ length: 120 }, (_, i) => `10.0.0.${i + 1}:8000`).join(' ');
    const child = startCli(['explain', await fileOf(context, 'nim', targets)]);
    child.stdout.once('data', () => child.stdout.destroy());
    const { code, stderr } = await child.ended;
    assert.deepEqual([code, stderr], [0, '']);
  });
});

describe('ssm', { concurrency: 2 }, () => {
  async function startParameters(context: TestContext, parameters: Readonly<Record<string, string>>) {
    const ssm = await startSsm({ parameters });
    context.after(ssm.close);
    const env = {
      AWS_ENDPOINT_URL_SSM: ssm.endpoint,
      AWS_REGION: FAKE_AWS.region,
      AWS_ACCESS_KEY_ID: 'fake',
      AWS_SECRET_ACCESS_KEY: 'fake',
      AWS_MAX_ATTEMPTS: '1',
    };
    return { ssm, explain: (...args: readonly string[]) => startCli(['explain', 'ssm', ...args], env).ended };
  }

  test('the documents below the prefix; nothing else is read', async (context) => {
    const { ssm, explain } = await startParameters(context, {
      '/nim-to-dynatrace/targets/nim': '10.0.1.17:8000',
      '/stage/targets/vllm': '10.0.1.18:8000',
      '/stage/secrets/token': 'hunter2',
    });
    const { stdout, stderr, code } = await explain('-o', 'json');
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      jsonOf(stdout).map(({ job, url }) => [job, url]),
      [['nim', 'http://10.0.1.17:8000/v1/metrics']],
    );
    const stage = await explain('--prefix', '/stage', '-o', 'json');
    assert.deepEqual(
      jsonOf(stage.stdout).map(({ job }) => job),
      ['vllm'],
    );
    assert(ssm.calls.every(({ operation }) => operation === 'GetParametersByPath'));
  });

  test('a broken one is named by its parameter, exit code 1', async (context) => {
    const { explain } = await startParameters(context, {
      '/nim-to-dynatrace/targets/nim': 'static_configs: [{targets: [a:1]}]\nnonsense: 1\n',
    });
    const { code, stderr } = await explain();
    assert.equal(code, 1);
    assert.match(stderr, /^\/nim-to-dynatrace\/targets\/nim:2:1: /);
  });

  test('SSM refuses: said, exit code 1', async (context) => {
    const { ssm, explain } = await startParameters(context, {});
    ssm.failNext('AccessDeniedException');
    const { code, stdout, stderr } = await explain();
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^cannot read the parameters below \/nim-to-dynatrace\/targets: AccessDenied/);
  });
});

describe('a page', { concurrency: 2 }, () => {
  test('a recorded one: which series are kept, renamed or dropped, and by which rule', async (context) => {
    const file = await fileOf(context, 'prometheus.yml', PROMETHEUS);
    const page = await fileOf(context, 'nim.prom', PAGE);
    const { code, stdout, stderr } = await cli('explain', file, '--page', page);
    assert.equal(code, 0, stderr);
    assert.equal(
      stdout.replace(page, 'nim.prom'),
      `nim.prom  as 10.0.1.17:8000 of the job nim
  target labels  instance="10.0.1.17:8000" job="nim" model="llama" port="8000"
  rule 1  drop source_labels: [__name__], regex: 'python_.*'
          2 dropped, 0 changed
  rule 2  replace source_labels: [__name__], regex: 'vllm:(.*)', target_label: __name__
          0 dropped, 2 changed
  rule 3  labeldrop regex: 'pod'
          0 dropped, 1 changed

renamed          2  vllm:prompt_tokens_total -> prompt_tokens_total
renamed          1  running
                      + exported_job="inner"
                      rule 3 - pod="p-1"
dropped          2  python_gc by rule 1

0 series kept, 3 renamed, 2 dropped
`,
    );
  });

  test('-o json: every series, its labels as Prometheus would store them, and each step', async (context) => {
    const file = await fileOf(context, 'prometheus.yml', PROMETHEUS);
    const page = await fileOf(context, 'nim.prom', PAGE);
    const { stdout } = await cli('explain', file, '--page', page, '-o', 'json');
    const lines = jsonOf(stdout);
    assert.deepEqual(
      lines.map(({ series, outcome, name }) => [series, outcome, name]),
      [
        ['vllm:prompt_tokens_total{engine="0"}', 'renamed', 'prompt_tokens_total'],
        ['vllm:prompt_tokens_total{engine="1"}', 'renamed', 'prompt_tokens_total'],
        ['running{job="inner",pod="p-1"}', 'renamed', 'running'],
        ['python_gc{generation="0"}', 'dropped', null],
        ['python_gc{generation="1"}', 'dropped', null],
      ],
    );
    const { labels, steps } = lines[2] ?? {};
    const target = { instance: '10.0.1.17:8000', model: 'llama', port: '8000' };
    assert.deepEqual(labels, { ...target, job: 'nim', exported_job: 'inner' });
    assert.equal((steps as readonly unknown[]).length, 3);
  });

  test('a live one is fetched as it would be scraped; honor_labels keeps its own', async (context) => {
    const server = await startPageServer(() => PAGE);
    context.after(server.close);
    const file = await fileOf(
      context,
      'nim.yaml',
      `honor_labels: true\nstatic_configs: [{targets: ['${server.address}', 'other:1']}]`,
    );
    const { code, stdout } = await cli('explain', file, '--page', `http://${server.address}`);
    assert.deepEqual([code, server.scrapes()], [0, 1]);
    assert.match(stdout, / as 127\.0\.0\.1:\d+ of the job nim\n/);
    assert.match(stdout, /^kept {12} 1 {2}running$/m);
    assert.match(stdout, /^5 series kept, 0 renamed, 0 dropped$/m);
  });

  test('what no one would take: a limit, two series of one name, a line, a page that is none', async (context) => {
    const page = await fileOf(context, 'nim.prom', `${PAGE}bad{ 1\n`);
    const limited = await fileOf(
      context,
      'nim.yaml',
      `static_configs: [{targets: [a:1]}]\nsample_limit: 3\n`,
    );
    const tooMany = await cli('explain', limited, '--page', page);
    assert.equal(tooMany.code, 1);
    assert.match(tooMany.stderr, /^cannot read line 7 of the page: /m);
    assert.match(tooMany.stderr, /5 samples, and sample_limit is 3; raise sample_limit/);
    const rule = 'metric_relabel_configs: [{regex: engine, action: labeldrop}]';
    const same = await fileOf(context, 'nim.yaml', `static_configs: [{targets: [a:1]}]\n${rule}\n`);
    const twice = await cli('explain', same, '--page', page);
    assert.match(twice.stderr, /^cannot keep 1 series: .*; keep a label that tells them apart$/m);
    const none = await cli('explain', same, '--page', await fileOf(context, 'nim.html', '<html></html>'));
    assert.deepEqual([none.code, none.stdout], [1, '']);
    assert.match(none.stderr, /^cannot read /);
    const absent = await cli('explain', same, '--page', `${page}x`);
    assert.deepEqual([absent.code, absent.stdout], [1, '']);
    assert.match(absent.stderr, /nim\.promx: there is no such file/);
  });

  test('no secret is read for it: the page is to be saved', async (context) => {
    const server = await startPageServer(() => PAGE);
    context.after(server.close);
    const file = await fileOf(
      context,
      'nim.yaml',
      `authorization: {credentials: 'ssm:/nim-to-dynatrace/secrets/t'}\nstatic_configs: [{targets: ['${server.address}']}]`,
    );
    const { code, stderr } = await startCli(['explain', file, '--page', `http://${server.address}`], {
      T: 'hunter2',
    }).ended;
    assert.deepEqual([code, server.scrapes()], [1, 0]);
    assert.match(stderr, /is not read by explain; save the page/);
  });

  test('several jobs: one is to be chosen, exit code 2; the address of a target chooses', async (context) => {
    const server = await startPageServer(() => PAGE);
    context.after(server.close);
    const document = `scrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}]}, {job_name: b, static_configs: [{targets: ['${server.address}']}]}]`;
    const file = await fileOf(context, 'prometheus.yml', document);
    const page = await fileOf(context, 'nim.prom', PAGE);
    const ended = await cli('explain', file, '--page', page);
    assert.deepEqual([ended.code, ended.stdout], [2, '']);
    assert.match(ended.stderr, /choose by --job: a, b\n$/);
    assert.match((await cli('explain', file, '--page', page, '--job', 'a')).stdout, / of the job a\n/);
    const live = await cli('explain', file, '--page', `http://${server.address}/v1/metrics`);
    assert.match(live.stdout, / of the job b\n/);
  });
});

describe('options that are wrong: each names what to write instead', () => {
  for (const [remedy, ...args] of [
    [/one file, one directory, or ssm/],
    [/one file, one directory, or ssm/, 'a', 'b'],
    [/write explain ssm --prefix PATH/, 'a', '--prefix', '/x'],
    [/it is no path of parameters; write \/nim-to-dynatrace/, 'ssm', '--prefix', 'x'],
    [/--page page\.prom/, 'a', '--page', ''],
    [/-o table or -o json/, 'a', '-o', 'xml'],
    [/see --help/, 'a', '--frobnicate'],
  ] as const) {
    test(args.join(' ') || '(none)', () => {
      const read = readExplainOptions(args);
      assert(read.code === 'wrong');
      assert.equal(read.problems.length, 1);
      assert.match(read.problems[0] ?? '', /^cannot /);
      assert.match(read.problems[0] ?? '', remedy);
    });
  }

  test('help is the table of options: standard output, exit code 0', async () => {
    const { code, stdout, stderr } = await cli('explain', '--help');
    assert.deepEqual([code, stdout, stderr], [0, `${explainHelp()}\n`, '']);
    for (const { name, about } of EXPLAIN_OPTIONS)
      assert(stdout.includes(`--${name}`) && stdout.includes(about));
  });

  test('nothing named: exit code 2', async () => {
    const { code, stdout } = await cli('explain');
    assert.deepEqual([code, stdout], [2, '']);
  });
});
