/** `nim-to-dynatrace dashboard` as a process, and its documentation. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { DASHBOARD_OPTIONS, readDashboardOptions } from '../../functions/cli/dashboard-options.ts';
import { buildDashboard } from '../../functions/core/dashboard/dashboard.ts';
import { describeTiles } from '../../functions/core/dashboard/tiles.ts';
import { serveDocuments } from '../adapters/documents-server.ts';
import { type Ended, cli, startCli, unfolded } from './harness.ts';

const TOKEN = 'dt0s16.PUBLIC.hunter2';
const DEFAULTS = { variant: 'grail', histogramSuffix: '', promptPrice: '0', generationPrice: '0' } as const;

async function uploading(token: string, ...args: readonly string[]): Promise<Ended> {
  const ended = await startCli(['dashboard', '--upload', ...args], { DT_PLATFORM_TOKEN: token }).ended;
  assert(!`${ended.stdout}${ended.stderr}`.includes('hunter2'));
  return ended;
}

describe('printing', () => {
  test('JSON on standard output, nothing beside it', async () => {
    const { code, stdout, stderr } = await cli('dashboard');
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(JSON.parse(stdout), buildDashboard(DEFAULTS));
  });

  test('every option reaches the document', async () => {
    const args = ['--variant', 'summary', '--histogram-suffix', '_bucket', '--prompt-price', '0.15'];
    const { code, stdout } = await cli('dashboard', ...args, '--generation-price', '12');
    const options = { variant: 'summary', histogramSuffix: '_bucket', promptPrice: '0.15' } as const;
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), buildDashboard({ ...options, generationPrice: '12' }));
  });

  test('--help names every option', async () => {
    const { code, stdout } = await cli('dashboard', '--help');
    assert.equal(code, 0);
    for (const { name, about } of DASHBOARD_OPTIONS)
      assert(stdout.includes(`--${name}`) && unfolded(stdout).includes(about));
  });
});

describe('uploading', () => {
  test('created, then updated: its address on standard output', async (t) => {
    const scopes = ['document:documents:read', 'document:documents:write'];
    const server = await serveDocuments(t, { token: TOKEN, scopes });
    const environment = `http://${server.address}`;
    const first = await uploading(`${TOKEN}\n`, '--environment', environment);
    assert.deepEqual([first.code, first.stderr], [0, 'the dashboard was created\n']);
    const address = `${environment}/ui/apps/dynatrace.dashboards/dashboard/nim-to-dynatrace-grail\n`;
    assert.equal(first.stdout, address);
    const second = await uploading(TOKEN, '--environment', environment, '--prompt-price', '0.2');
    assert.deepEqual(
      [second.code, second.stdout, second.stderr],
      [0, address, 'the dashboard was updated\n'],
    );
    const other = await uploading(TOKEN, '--environment', environment, '--variant', 'summary');
    assert.deepEqual([other.code, other.stderr], [0, 'the dashboard was created\n']);
    assert.deepEqual([...server.documents.keys()], ['nim-to-dynatrace-grail', 'nim-to-dynatrace-summary']);
    const content = JSON.parse(server.documents.get('nim-to-dynatrace-grail')?.content ?? '') as unknown;
    assert.deepEqual(content, buildDashboard({ ...DEFAULTS, promptPrice: '0.2' }));
  });

  test('exit code 1 and a message when Dynatrace refuses', async (t) => {
    const server = await serveDocuments(t, { token: TOKEN, scopes: ['document:documents:read'] });
    const { code, stdout, stderr } = await uploading(TOKEN, '--environment', `http://${server.address}`);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /give the token the scope document:documents:write\n$/);
  });

  test('exit code 2 without a usable token; nobody is asked', async (t) => {
    const server = await serveDocuments(t, { token: TOKEN, scopes: [] });
    const environment = ['--environment', `http://${server.address}`];
    for (const [token, cause] of [
      ['', /DT_PLATFORM_TOKEN is not set/],
      ['dt0c01.PUBLIC.hunter2', /classic token/],
      ['hunter2 hunter2', /character that no token has/],
    ] as const) {
      const { code, stderr } = await uploading(token, ...environment);
      assert.equal(code, 2);
      assert.match(stderr, cause);
    }
    assert.equal(server.requests.length, 0);
  });
});

describe('options', () => {
  const wrong: Readonly<Record<string, RegExp>> = {
    '--variant classic': /neither grail nor summary; write --variant grail/,
    '--histogram-suffix .histogram': /neither none nor _bucket/,
    '--prompt-price 1,5': /no decimal number/,
    '--prompt-price 1e3': /no decimal number/,
    '--generation-price=-1': /no decimal number/,
    '--generation-price 1234567890123': /no decimal number/,
    '--upload': /no environment is given; add --environment/,
    '--environment https://abc12345.apps.dynatrace.com': /add --upload/,
    '--upload --environment https://abc12345.live.dynatrace.com':
      /write https:\/\/abc12345\.apps\.dynatrace\.com/,
    '--colour': /see --help/,
    dashboard: /see --help/,
  };
  for (const [args, cause] of Object.entries(wrong)) {
    test(`wrong: ${args}`, () => {
      const read = readDashboardOptions(args.split(' '));
      assert(read.code === 'wrong');
      assert.match(read.problems.join('\n'), cause);
    });
  }

  test('prices at their bound', () => {
    const price = `${'9'.repeat(12)}.${'9'.repeat(12)}`;
    const read = readDashboardOptions(['--prompt-price', price]);
    assert(read.code === 'settings' && read.settings.dashboard.promptPrice === price);
    assert.equal(readDashboardOptions(['--prompt-price', `${price}9`]).code, 'wrong');
  });
});

describe('docs/dashboard.md', () => {
  const lines = readFileSync(new URL('../../docs/dashboard.md', import.meta.url), 'utf8').split('\n');

  test('has the tiles of the code', () => {
    const rows = (variant: 'grail' | 'summary') =>
      describeTiles(variant).flatMap(({ heading, tiles }) =>
        tiles.map(({ title, about }) => `| ${heading} | ${title} | ${about} |`),
      );
    for (const row of [...rows('grail'), ...rows('summary')]) assert(lines.includes(row), row);
    const written = lines.filter(
      (line) => line.split('|').length === 5 && !/^\| (section|option|---|`)/.test(line),
    );
    assert.deepEqual(new Set(written), new Set([...rows('grail'), ...rows('summary')]));
  });

  test('has the options of the code', () => {
    for (const { name, short, value, default: preset, about } of DASHBOARD_OPTIONS) {
      const long = `--${name}${value === undefined ? '' : ` ${value.replace('|', '\\|')}`}`;
      const row = `| ${short === undefined ? '' : `\`-${short}\`, `}\`${long}\` | ${preset} | ${about} |`;
      assert(lines.map((line) => line.replace(/ +/g, ' ')).includes(row), row);
    }
  });
});
