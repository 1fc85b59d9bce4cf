/** `explain --page`: what becomes of each series. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { PROMETHEUS, fileOf, jsonOf } from './explained.ts';
import { cli, startCli } from './harness.ts';
import { startPageServer } from './page-server.ts';

const PAGE = `# TYPE vllm:prompt_tokens counter
vllm:prompt_tokens_total{engine="0"} 5
vllm:prompt_tokens_total{engine="1"} 7
running{job="inner",pod="p-1"} 3
python_gc{generation="0"} 1
python_gc{generation="1"} 1
`;

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

  test('under which names Dynatrace gets it, and what preset, include and exclude leave out', async (context) => {
    const document = `static_configs: [{targets: ['a:1']}]\ndynatrace: {exclude: [running]}\n`;
    const file = await fileOf(context, 'nim.yaml', document);
    const page = await fileOf(context, 'nim.prom', PAGE);
    const { code, stdout } = await cli('explain', file, '--page', page);
    assert.equal(code, 0);
    assert.equal(
      stdout.slice(stdout.indexOf('\nkept')),
      `
kept             2  vllm:prompt_tokens_total  sent as prompt_tokens_total
renamed          1  running  not sent
                      + exported_job="inner"
kept             2  python_gc  not sent

4 series kept, 1 renamed, 0 dropped
3 of those kept are not sent: by preset, include and exclude
`,
    );
    const json = await cli('explain', file, '--page', page, '-o', 'json');
    assert.deepEqual(
      jsonOf(json.stdout).map(({ sent }) => sent),
      [['prompt_tokens_total'], ['prompt_tokens_total'], [], [], []],
    );
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
