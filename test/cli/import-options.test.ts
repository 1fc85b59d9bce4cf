/** The options of `import`, in the process and in the documents. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { IMPORT_OPTIONS, importHelp, readImportOptions } from '../../functions/cli/import-options.ts';
import { unfolded } from './harness.ts';

test('the option table of docs/targets.md is that of the code', () => {
  const rows = IMPORT_OPTIONS.map(({ name, short, value, default: preset, about }) => {
    const long = `--${name}${value === undefined ? '' : ` ${value.replace('|', '\\|')}`}`;
    return `| ${short === undefined ? '' : `\`-${short}\`, `}\`${long}\` | ${preset} | ${about.replaceAll('<', '&lt;')} |`;
  });
  const docs = readFileSync(new URL('../../docs/targets.md', import.meta.url), 'utf8');
  assert.deepEqual(
    docs.split('\n').filter((line) => /^\| (`-\w`, )?`--/.test(line)),
    rows,
  );
});

test('--help has every option with its default', () => {
  const help = unfolded(importHelp());
  for (const { name, about, default: preset } of IMPORT_OPTIONS) {
    assert(help.includes(`--${name}`) && help.includes(`${about} (default: ${preset})`));
  }
});

function settingsOf(...args: readonly string[]) {
  const read = readImportOptions(args);
  assert(read.code === 'settings', JSON.stringify(read));
  return read.settings;
}

test('a job without a name has that of the file', () => {
  assert.equal(settingsOf('dir/my.nim.yaml').job, 'my.nim');
  assert.equal(settingsOf('-').job, 'nim');
  assert.equal(settingsOf('.yaml').job, 'nim');
});

test('--set: several, with = and nothing in the value', () => {
  const { given } = settingsOf('a', '--set', 'A=b=c', '--set', 'NIM-endpoint=', '--set=B=d');
  assert.deepEqual(
    [...given],
    [
      ['A', 'b=c'],
      ['NIM-endpoint', ''],
      ['B', 'd'],
    ],
  );
});

test('--prefix: what the construct takes, and nothing else', () => {
  assert.equal(settingsOf('a').prefix, '/nim-to-dynatrace');
  for (const good of ['/a', '/a/b.c/d_e-f', '/a'.repeat(13), `/${'a'.repeat(499)}`]) {
    assert.equal(settingsOf('a', '--prefix', good).prefix, good);
  }
  for (const bad of [
    '',
    '/',
    'a',
    '/a/',
    '/aws',
    '/SSM/x',
    '/a b',
    "/a'",
    '/a'.repeat(14),
    `/${'a'.repeat(500)}`,
  ]) {
    assert.equal(readImportOptions(['a', '--prefix', bad]).code, 'wrong', bad);
  }
});
