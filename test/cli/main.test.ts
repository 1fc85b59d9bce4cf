/** The command line before a command is known. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { cli } from './harness.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

describe('no command', { concurrency: 2 }, () => {
  test('--version and -v say the release that a report of a mistake should name', async () => {
    for (const option of ['--version', '-v']) {
      const { code, stdout, stderr } = await cli(option);
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${version}\n`, stderr: '' });
    }
  });

  test('--help and -h list the commands in at most 100 columns', async () => {
    for (const option of ['--help', '-h']) {
      const { code, stdout } = await cli(option);
      assert.equal(code, 0);
      assert.match(stdout, /^ {2}run /m);
      assert(stdout.split('\n').every(({ length }) => length <= 100));
    }
  });

  test('none, or one that is not there: the commands, exit code 2, nothing on standard output', async () => {
    for (const [args, cause] of [
      [[], 'no command is given'],
      [['toString'], '"toString" is no command'],
    ] as const) {
      const { code, stdout, stderr } = await cli(...args);
      assert.deepEqual([code, stdout], [2, '']);
      assert(stderr.startsWith(`cannot start: ${cause}; the commands are:\n`), stderr);
      assert.match(stderr, /\n {2}run /);
    }
  });
});
