import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MAX_PRINTED_FINDINGS } from '../../functions/cli/import.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { FLATTENED, REFERENCE, TWO_RECEIVERS } from '../core/written-collectors.ts';
import { cli, temporaryDirectory } from './harness.ts';
import type { Cleaner } from './harness.ts';

const PROGRAM = fileURLToPath(new URL('../../functions/cli/nim-to-dynatrace.js', import.meta.url));

const PROMETHEUS = `global:
  scrape_interval: 2m
scrape_configs:
  - job_name: nim
    basic_auth: {username: metrics, password: hunter2}
    static_configs:
      - targets: ['10.0.1.17:8000', '10.0.1.18:8000']
    metric_relabel_configs:
      - {source_labels: [__name__], regex: '(\\w+)_total|it''s\\$', target_label: base, replacement: '$1'}
  - job_name: dcgm
    scrape_protocols: [PrometheusText0.0.4]
    static_configs:
      - targets: ['10.0.1.17:9400']
`;

async function fileWith(context: Cleaner, text: string, name = 'prometheus.yml'): Promise<string> {
  const file = join(await temporaryDirectory(context), name);
  await writeFile(file, text);
  return file;
}

interface Stored {
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

/** What a shell hands to the AWS CLI, which is one that only writes down its arguments. */
async function runInShell(
  context: Cleaner,
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<readonly Stored[]> {
  const directory = await temporaryDirectory(context);
  const log = join(directory, 'arguments');
  const aws = join(directory, 'aws');
  await writeFile(
    aws,
    '#!/bin/sh\nprintf "%s\\0" "$@" >> "$AWS_ARGUMENTS"\nprintf "\\001\\0" >> "$AWS_ARGUMENTS"\n',
  );
  await chmod(aws, 0o755);
  const parsed = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
  assert.deepEqual([parsed.status, parsed.stderr], [0, '']);
  const path = `${directory}${delimiter}${process.env['PATH'] ?? ''}`;
  const ran = spawnSync('bash', ['-eu'], {
    input: script,
    encoding: 'utf8',
    env: { ...env, PATH: path, AWS_ARGUMENTS: log },
  });
  assert.deepEqual([ran.status, ran.stderr], [0, '']);
  const calls = (await readFile(log, 'utf8')).split('\u0001\0').slice(0, -1);
  return calls.map((call) => {
    const [service, verb, ...rest] = call.split('\0').slice(0, -1);
    assert.deepEqual([service, verb], ['ssm', 'put-parameter']);
    const options = new Map(
      rest.flatMap((word, index) => (index % 2 === 0 ? [[word, rest[index + 1]]] : [])),
    );
    assert.deepEqual([...options.keys()], ['--type', '--name', '--value']);
    const [type = '', name = '', value = ''] = options.values();
    return { type, name, value };
  });
}

describe('commands', { concurrency: 2 }, () => {
  test('a Prometheus file: the shell hands exactly the documents to aws, and they mean the same', async (context) => {
    const file = await fileWith(context, PROMETHEUS);
    const { code, stdout, stderr } = await cli('import', file);
    assert.equal(code, 0);
    assert.equal(
      stderr,
      'no metrics_path: /v1/metrics is tried first, then /metrics, where Prometheus asks /metrics alone\n' +
        'line 11: scrape_protocols has no effect: the text format is asked for, and what comes is read by its content\n',
    );
    assert(!stdout.includes('hunter2'));
    const stored = await runInShell(context, stdout, { NIM_PASSWORD: 'hunter2 $x' });
    assert.deepEqual(stored[0], {
      type: 'SecureString',
      name: '/nim-to-dynatrace/secrets/nim-password',
      value: 'hunter2 $x',
    });
    const documents = stored.slice(1);
    assert.deepEqual(
      documents.map(({ type, name }) => [type, name]),
      [
        ['String', '/nim-to-dynatrace/targets/nim'],
        ['String', '/nim-to-dynatrace/targets/dcgm'],
      ],
    );
    const json = await cli('import', file, '-o', 'json');
    const parsed = JSON.parse(json.stdout) as { documents: unknown; commands: string[]; notes: unknown };
    assert.deepEqual(
      parsed.documents,
      documents.map(({ name, value }) => ({ name, value })),
    );
    assert.deepEqual(
      stdout.replace(/^#.*\n/gm, ''),
      parsed.commands.map((command) => `${command}\n`).join(''),
    );
    const [path, protocols] = stderr.split('\n');
    assert.deepEqual(parsed.notes, [
      { line: null, message: path },
      { line: 11, message: protocols?.slice('line 11: '.length) },
    ]);
    const theirs = PROMETHEUS.replace('hunter2', 'ssm:/nim-to-dynatrace/secrets/nim-password');
    assert.deepEqual(
      readDocuments(documents.map(({ name, value }) => ({ name, value }))).configs,
      readDocuments([{ name: '/x', value: theirs }]).configs,
    );
  });

  test("the example of Dynatrace's documentation, flattened, from standard input", async (context) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, 'import', '-'], {
      input: FLATTENED,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /fill in <NIM-endpoint>/);
    const stored = await runInShell(context, stdout, { DT_ENDPOINT: 'https://a', DT_API_TOKEN: 'dt0c01.x' });
    assert.deepEqual(
      stored.map(({ type, name, value }) => [type, name, value.split('\n')[0]]),
      [
        ['String', '/nim-to-dynatrace/endpoint', 'https://a'],
        ['SecureString', '/nim-to-dynatrace/secrets/dt-api-token', 'dt0c01.x'],
        ['String', '/nim-to-dynatrace/targets/nim-metrics', 'job_name: nim-metrics'],
      ],
    );
  });

  test('--out, --prefix and --set: files, and commands that read them', async (context) => {
    const directory = join(await temporaryDirectory(context), "it's new");
    const file = await fileWith(context, REFERENCE, 'collector.yaml');
    const { code, stdout } = await cli(
      'import',
      file,
      '--out',
      directory,
      '--prefix=/team/nim',
      '--set',
      'NIM-endpoint=10.0.1.17',
    );
    assert.equal(code, 0);
    assert.deepEqual(await readdir(directory), ['nim-metrics.yaml']);
    assert.match(
      await readFile(join(directory, 'nim-metrics.yaml'), 'utf8'),
      /targets: \["?10\.0\.1\.17:8000/,
    );
    const stored = await runInShell(context, stdout, { DT_ENDPOINT: 'https://a', DT_API_TOKEN: 'x' });
    assert.deepEqual(stored.at(-1), {
      type: 'String',
      name: '/team/nim/targets/nim-metrics',
      value: `file://${join(directory, 'nim-metrics.yaml')}`,
    });
    assert(stored.every(({ name }) => name.startsWith('/team/nim/')));
  });

  test('--set of a name that is not in the file: exit code 1, and the rest is printed', async (context) => {
    const file = await fileWith(context, REFERENCE, 'collector.yaml');
    const { code, stdout, stderr } = await cli('import', file, '--set', 'NIM_HOST=10.0.1.17');
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^cannot use --set NIM_HOST: the file has neither \$\{env:NIM_HOST\} nor <NIM_HOST>; check the name$/m,
    );
    assert.match(stderr, /run again with --set 'NIM-endpoint=HOST'/);
    assert.match(stdout, /targets\/nim-metrics/);
    assert.doesNotMatch(stderr, /10\.0\.1\.17/);
  });

  test('what does not carry over: named by line, exit code 1, the rest is printed', async (context) => {
    const { code, stdout, stderr } = await cli('import', await fileWith(context, TWO_RECEIVERS));
    assert.equal(code, 1);
    assert.match(stderr, /^line 37: cannot carry over processor k8sattributes: /);
    assert(!(stdout + stderr).includes('NEVER'));
    const stored = await runInShell(context, stdout, { DT_API_TOKEN: 'x', NIM_TOKEN: 'y' });
    assert.deepEqual(
      stored.map(({ name, value }) => `${name} ${value.split('\n')[0]}`),
      [
        '/nim-to-dynatrace/endpoint https://abc12345.live.dynatrace.com/api/v2/otlp',
        '/nim-to-dynatrace/secrets/dt-api-token x',
        '/nim-to-dynatrace/secrets/nim-token y',
        '/nim-to-dynatrace/targets/nim global:',
        '/nim-to-dynatrace/targets/dcgm job_name: dcgm',
      ],
    );
  });

  test('a job whose name is a shell command is a name', async (context) => {
    const job = `'$(touch x)\`touch y\` "; touch z #\\n'`;
    const { code, stdout } = await cli(
      'import',
      await fileWith(
        context,
        `- job_name: ${job}\n  authorization: {credentials: abc}\n  static_configs: [{targets: ['a:1']}]\n`,
      ),
    );
    assert.equal(code, 0);
    const stored = await runInShell(context, stdout, { TOUCH_X_TOUCH_Y_TOUCH_Z_N_CREDENTIALS: 'abc' });
    assert.deepEqual(
      stored.map(({ name }) => name),
      [
        '/nim-to-dynatrace/secrets/-touch-x-touch-y-touch-z-n-credentials',
        '/nim-to-dynatrace/targets/-touch-x-touch-y-touch-z-n',
      ],
    );
  });
});

describe('wrong usage', { concurrency: 2 }, () => {
  for (const [args, message] of [
    [[], /^cannot import: no file is given; give one, or - for standard input\n$/],
    [['a', 'b'], /^cannot import: 2 files are given/],
    [['missing.yaml'], /^cannot read missing\.yaml: ENOENT/],
    [['.'], /^cannot read \.: EISDIR/],
    [['a', '--prefix', '/aws/x'], /^cannot use --prefix \/aws\/x: it is no path such as \/nim-to-dynatrace/],
    [
      ['a', '--set', 'hunter2'],
      /^cannot use --set: it is no name and value; write --set NIM_HOST=10\.0\.1\.17\n$/,
    ],
    [['a', '-o', 'yaml'], /^cannot use --output yaml: it is neither shell nor json/],
    [['a', '--out', ''], /^cannot use --out: its directory is empty text/],
    [['a', '--outt', 'x'], /^cannot read the options: Unknown option '--outt'/],
  ] as const) {
    test(`import ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await cli('import', ...args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
    });
  }

  test('a file that is no text, or too large', async (context) => {
    const file = join(await temporaryDirectory(context), 'a.yaml');
    await writeFile(file, new Uint8Array([0x61, 0xff]));
    assert.match((await cli('import', file)).stderr, /it is no UTF-8 text/);
    await writeFile(file, '#'.repeat(1024 * 1024));
    assert.match((await cli('import', file)).stderr, /there are no scrape_configs/);
    await writeFile(file, '#'.repeat(1024 * 1024 + 1));
    const { code, stderr } = await cli('import', file);
    assert.equal(code, 2);
    assert.match(stderr, /it is larger than 1 MiB; import a part of it/);
  });

  test('of a hundred findings and more the first hundred are named', async (context) => {
    const jobs = (count: number) => `scrape_configs:\n${'- {}\n'.repeat(count)}`;
    const told = async (count: number) =>
      (await cli('import', await fileWith(context, jobs(count)))).stderr.trim().split('\n');
    assert.equal((await told(MAX_PRINTED_FINDINGS)).at(-1)?.slice(0, 9), 'line 101:');
    assert.deepEqual((await told(MAX_PRINTED_FINDINGS + 1)).slice(MAX_PRINTED_FINDINGS), ['and 1 more']);
  });

  test('--help has every option', async () => {
    const { code, stdout } = await cli('import', '--help');
    assert.equal(code, 0);
    for (const option of ['--prefix', '--set', '--out', '--output', '--help'])
      assert(stdout.includes(option));
    assert.match((await cli('--help')).stdout, /^ {2}import /m);
  });
});
