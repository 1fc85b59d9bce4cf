/** `explain`: what documents mean, target by target and series by series. */
import { strict as assert } from 'node:assert';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, describe, test } from 'node:test';
import { EXPLAIN_OPTIONS, explainHelp, readExplainOptions } from '../../functions/cli/explain-options.ts';
import type { DYNATRACE_KEYS } from '../../functions/core/config/config-keys-dynatrace.ts';
import { FAKE_AWS } from '../fakes/aws-json.ts';
import { startSsm } from '../fakes/ssm.ts';
import { PROMETHEUS, fileOf, jsonOf } from './explained.ts';
import { cli, startCli, temporaryDirectory, unfolded } from './harness.ts';

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
    const keys = 'job url origin labels dropped interval timeout options dynatrace steps'.split(' ');
    assert.deepEqual([Object.keys(first), Object.keys(second)], [keys, keys]);
    const { steps, ...scraped } = first;
    assert.deepEqual(scraped, {
      job: 'nim',
      url: 'http://10.0.1.17:8000/metrics',
      origin: null,
      labels: { instance: '10.0.1.17:8000', job: 'nim', model: 'llama', port: '8000' },
      dropped: false,
      interval: '15s',
      timeout: '10s',
      options: ['3 metric_relabel_configs (see --page)'],
      dynatrace: {},
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
      origin: null,
      labels: gone,
      dropped: true,
      interval: '15s',
      timeout: '10s',
      options: [],
      dynatrace: {},
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
      `vllm  https://nim.example.com/v1/metrics?module=a+b, or /metrics where that is not its page
  scrape  every 1m, timeout 3s, sample_limit 50000, body_size_limit 8388608B, label_limit 30,
          honor_labels, authorization by ssm:/nim-to-dynatrace/secrets/nim-token,
          insecure_skip_verify`,
    );
    assert.doesNotMatch(stdout, /hunter2/);
  });

  describe('options under dynatrace:', { concurrency: 2 }, () => {
    const options: Readonly<Record<keyof typeof DYNATRACE_KEYS, unknown>> = {
      initial_value: 'drop',
      attributes: { 'dt.cost.costcenter': 'genai' },
      metric_names: 'raw',
      preset: 'core',
      include: ['DCGM_*'],
      exclude: ['up'],
      skip_unchanged: true,
      heartbeat_interval: '5m',
      max_buckets: 12,
      points_budget: 200,
    };
    const job = (dynatrace: unknown) => JSON.stringify({ static_configs: [{ targets: ['a:1'] }], dynatrace });

    test('all that are not the default, as they are written', async (context) => {
      const file = await fileOf(context, 'nim.yaml', job(options));
      const { stdout } = await cli('explain', file, '-o', 'json');
      assert.deepEqual(jsonOf(stdout)[0]?.['dynatrace'], options);
      const text = await cli('explain', file);
      assert.match(
        text.stdout,
        /\n {2}sent {4}initial_value: drop, attributes: \{"dt\.cost\.costcenter":"genai"\}, metric_names: raw,\n {10}preset: core, /,
      );
    });

    test('none where each is written as the default is', async (context) => {
      const defaults = {
        initial_value: 'auto',
        metric_names: 'nim',
        include: [],
        skip_unchanged: false,
        heartbeat_interval: '10m',
        points_budget: 1000,
      };
      const file = await fileOf(context, 'nim.yaml', job(defaults));
      assert.deepEqual(jsonOf((await cli('explain', file, '-o', 'json')).stdout)[0]?.['dynatrace'], {});
      assert.doesNotMatch((await cli('explain', file)).stdout, /^ {2}sent /m);
    });
  });

  test('a query parameter that is a secret by its name is masked wherever a rule made it', async (context) => {
    const document = `static_configs: [{targets: ['a:1'], labels: {__meta_param: token, __meta_value: open, __param_module: m}}]
relabel_configs: [{source_labels: [__meta_param, __address__], regex: '(token);(.*)', target_label: '__param_\${1}', replacement: 'PLANTED\${2}'}]
`;
    const file = await fileOf(context, 'vllm.yaml', document);
    const text = await cli('explain', file);
    assert.equal(text.code, 0);
    assert.match(text.stdout, /\?module=m&token=\*\*\*/);
    assert.doesNotMatch(text.stdout, /PLANTEDa/);
    const json = await cli('explain', file, '-o', 'json');
    assert.match(json.stdout, /module=m&token=\*\*\*/);
    assert.doesNotMatch(json.stdout, /PLANTEDa/);
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
    assert.match(stderr, /targets\/nim: nothing of it is used\n/);
  });

  test('the last good version of a broken one is what is explained', async (context) => {
    const name = '/nim-to-dynatrace/targets/nim';
    const { ssm, explain } = await startParameters(context, { [name]: '10.0.1.17:8000' });
    ssm.put(name, 'static_configs: [{targets: [a:1]}]\nnonsense: 1\n');
    const { code, stdout, stderr } = await explain('-o', 'json');
    assert.equal(code, 1);
    assert.match(stderr, /targets\/nim: its last good version stays in force\n/);
    assert.deepEqual(
      jsonOf(stdout).map(({ url }) => url),
      ['http://10.0.1.17:8000/v1/metrics'],
    );
  });

  test('SSM refuses: said, exit code 1', async (context) => {
    const { ssm, explain } = await startParameters(context, {});
    ssm.failNext('AccessDeniedException');
    const { code, stdout, stderr } = await explain();
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^cannot read the parameters below \/nim-to-dynatrace\/targets: AccessDenied/);
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
      assert(stdout.includes(`--${name}`) && unfolded(stdout).includes(about));
  });

  test('nothing named: exit code 2', async () => {
    const { code, stdout } = await cli('explain');
    assert.deepEqual([code, stdout], [2, '']);
  });
});
