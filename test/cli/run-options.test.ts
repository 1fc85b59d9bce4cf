import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import {
  MAX_COUNT,
  MAX_INTERVAL_MS,
  MIN_INTERVAL_MS,
  RUN_OPTIONS,
  type RunSettings,
  readRunOptions,
  runHelp,
} from '../../functions/cli/run-options.ts';
import { MAX_SHARD_TARGETS } from '../../functions/core/work.ts';
import { cli, targetArgs, unfolded } from './harness.ts';

function settingsOf(...args: readonly string[]): RunSettings {
  const read = readRunOptions(args);
  assert(read.code === 'settings', JSON.stringify(read));
  return read.settings;
}

function problemsOf(...args: readonly string[]): readonly string[] {
  const read = readRunOptions(args);
  assert(read.code === 'wrong', JSON.stringify(read));
  return read.problems;
}

function addresses(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `10.0.0.1:${8000 + i}`);
}

describe('options that are understood', () => {
  test('none: two simulated NIMs, the own receiver, 5 s, until Ctrl-C, in memory, a table', () => {
    assert.deepEqual(settingsOf(), {
      targets: [],
      config: undefined,
      endpoint: undefined,
      intervalMs: 5_000,
      count: Infinity,
      once: false,
      stateDirectory: undefined,
      dryRun: false,
      output: 'table',
    });
  });

  test('--target, once or several times; the same one twice is one', () => {
    const targets = ['10.0.1.17:8000', 'https://nim.local/metrics', '[::1]:8000', '10.0.1.17:8000'];
    const urls = settingsOf(...targetArgs(targets)).targets.map(
      ({ scheme, address, path }) => `${scheme}://${address}${path}`,
    );
    assert.deepEqual(urls, ['http://10.0.1.17:8000', 'https://nim.local/metrics', 'http://[::1]:8000']);
  });

  test('as many targets as one run scrapes', () => {
    assert.equal(settingsOf(...targetArgs(addresses(MAX_SHARD_TARGETS))).targets.length, MAX_SHARD_TARGETS);
  });

  test('--endpoint, base or full, of Dynatrace or any receiver', () => {
    for (const endpoint of [
      'https://abc12345.live.dynatrace.com/api/v2/otlp',
      'https://abc12345.live.dynatrace.com/api/v2/otlp/v1/metrics',
      'http://127.0.0.1:4318',
    ]) {
      assert.equal(settingsOf('--endpoint', endpoint).endpoint, endpoint);
    }
  });

  for (const [text, expected] of [
    ['100ms', MIN_INTERVAL_MS],
    ['1s', 1_000],
    ['1m30s', 90_000],
    ['1h', MAX_INTERVAL_MS],
  ] as const) {
    test(`--interval ${text}`, () => assert.equal(settingsOf('--interval', text).intervalMs, expected));
  }

  test('--count from 1 to the most, and --once', () => {
    assert.equal(settingsOf('--count', '1').count, 1);
    assert.equal(settingsOf('--count', String(MAX_COUNT)).count, MAX_COUNT);
    assert.deepEqual([settingsOf('--once').count, settingsOf('--once').once], [1, true]);
  });

  test('--state, --dry-run, --output and its short form', () => {
    assert.equal(settingsOf('--state', './state').stateDirectory, './state');
    assert.equal(settingsOf('--dry-run').dryRun, true);
    assert.equal(settingsOf('--output', 'json').output, 'json');
    assert.equal(settingsOf('-o', 'table').output, 'table');
  });
});

describe('options that are wrong: each names what to write instead', () => {
  for (const [remedy, ...args] of [
    [/host:port/, '--target', ''],
    [/host:port/, '--target', 'http://'],
    [/host:port/, '--target', 'nim.local:65536'],
    [/host:port/, '--target', 'ftp://nim.local/metrics'],
    [/user name or password; write host:port/, '--target', 'user:secret@nim.local:8000'],
    [/live\.dynatrace\.com\/api\/v2\/otlp/, '--endpoint', ''],
    [/live\.dynatrace\.com\/api\/v2\/otlp/, '--endpoint', 'ftp://abc12345'],
    [
      /https:\/\/abc12345\.live\.dynatrace\.com\/api\/v2\/otlp/,
      '--endpoint',
      'https://abc12345.apps.dynatrace.com',
    ],
    [/abc12345\.live\.dynatrace\.com\/api\/v2\/otlp/, '--endpoint', 'https://abc12345.live.dynatrace.com'],
    [/write 5s/, '--interval', '99ms'],
    [/write 5s/, '--interval', '1h1ms'],
    [/write 5s/, '--interval', '5'],
    [/write 5s/, '--interval', 's5'],
    [/write 5s/, '--interval', ''],
    [/--count 3/, '--count', '0'],
    [/--count 3/, '--count', String(MAX_COUNT + 1)],
    [/--count 3/, '--count', '1.5'],
    [/--count 3/, '--count=-1'],
    [/give one of them/, '--once', '--count', '2'],
    [/--state \.\/state/, '--state', ''],
    [/-o table or -o json/, '-o', 'xml'],
    [/see --help/, '--state'],
    [/see --help/, '--dry-run=1'],
    [/see --help/, '--frobnicate'],
    [/see --help/, '10.0.1.17:8000'],
  ] as const) {
    test(args.join(' ') || '(none)', () => {
      const problems = problemsOf(...args);
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? '', /^cannot /);
      assert.match(problems[0] ?? '', remedy);
    });
  }

  test('a password in an address or endpoint is not repeated', () => {
    const problems = problemsOf('--target', 'u:hunter2@h:1', '--endpoint', 'https://u:hunter2@h/x');
    assert.equal(problems.length, 2);
    assert.doesNotMatch(problems.join('\n'), /hunter2/);
  });

  test('one target more than a run scrapes', () => {
    assert.match(
      problemsOf(...targetArgs(addresses(MAX_SHARD_TARGETS + 1))).join(),
      /151 targets.*up to 150; give fewer/,
    );
  });

  test('all that is wrong is said at once', () => {
    assert.equal(problemsOf('--interval', '5', '--count', '0', '-o', 'xml').length, 3);
  });
});

test('help is the table of options, each with its default, in lines of its own and 100 columns', () => {
  const help = runHelp();
  const table = help.slice(help.indexOf('\n      --'), help.indexOf('Exit code'));
  const entries = table.split(/\n(?= {2}-| {6}--)/).slice(1);
  assert.equal(entries.length, RUN_OPTIONS.length);
  for (const [i, { name, short, default: preset, about }] of RUN_OPTIONS.entries()) {
    const entry = unfolded(entries[i] ?? '').trim();
    assert(entry.includes(`--${name}`) && entry.endsWith(`${about} (default: ${preset})`), entry);
    if (short !== undefined) assert(entry.startsWith(`-${short},`), entry);
  }
  assert(table.split('\n').every(({ length }) => length <= 100));
});

describe('the process', { concurrency: 2 }, () => {
  test('--help of the program and of the command are data: standard output, exit code 0', async () => {
    for (const args of [['--help'], ['help']]) {
      const { code, stdout, stderr } = await cli(...args);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^nim-to-dynatrace <command>[^]*\n {2}run /);
    }
    const { code, stdout, stderr } = await cli('run', '--help');
    assert.deepEqual([code, stdout, stderr], [0, `${runHelp()}\n`, '']);
  });

  test('a wrong option is one line on standard error, exit code 2', async () => {
    const { code, stdout, stderr } = await cli('run', ...targetArgs(addresses(MAX_SHARD_TARGETS + 1)));
    assert.deepEqual([code, stdout], [2, '']);
    assert.equal(stderr.trimEnd().split('\n').length, 1);
    assert.match(stderr, /^cannot scrape 151 targets: /);
  });

  test('a state directory that is a file: said, exit code 1, and the process ends', async () => {
    const { code, stdout, stderr } = await cli('run', '--once', '--state', import.meta.filename);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^cannot open the store in .*; .*choose another directory\n$/);
  });
});
