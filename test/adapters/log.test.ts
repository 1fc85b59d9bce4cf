import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';

const MODULE = new URL('../../functions/adapters/log.ts', import.meta.url).href;

/**
 * Runs the statements with a `log` in a process of its own, as in Lambda: the lines go to the real streams.
 */
async function linesOf(statements: string, options = `{ service: 'scrape' }`, env: NodeJS.ProcessEnv = {}) {
  const script = `import { createLog } from ${JSON.stringify(MODULE)};
    const log = createLog(${options}); ${statements}`;
  const run = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    env: { PATH: process.env['PATH'], ...env },
  });
  const parse = (text: string) =>
    text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]));
  return { out: parse(run.stdout), err: parse(run.stderr), text: run.stdout + run.stderr };
}

describe('log', () => {
  test('one JSON line per call, on standard output or error by level', async () => {
    const { out, err } = await linesOf(`
      log.info('run_finished', { tickMs: 60000, targets: 3, failed: undefined,
        codes: ['a'], drops: { nan: 1 } });
      log.warn('target_failed', { instance: '10.0.0.1:8000', problem: 'two\\nlines' });
      log.error('bug');`);
    const [{ timestamp, ...info } = {}] = out;
    assert.match(String(timestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(info, {
      level: 'INFO',
      message: 'run_finished',
      service: 'scrape',
      tickMs: 60000,
      targets: 3,
      codes: ['a'],
      drops: { nan: 1 },
    });
    assert.deepEqual(
      err.map(({ level, message, problem }) => [level, message, problem]),
      [
        ['WARN', 'target_failed', 'two\nlines'],
        ['ERROR', 'bug', undefined],
      ],
    );
  });

  test('values under names that look like secrets are never printed, at any depth', async () => {
    const { text } = await linesOf(`
      log.info('run_finished', { token: 'hunter2', apiToken: 'hunter2', 'api-key': 'hunter2',
        password: 'hunter2' });
      log.error('bug', { headers: { Authorization: ['hunter2'], 'Set-Cookie': 'hunter2' },
        secret: { a: 'hunter2' } });`);
    assert.doesNotMatch(text, /hunter2/);
    assert.equal(text.match(/\[redacted\]/g)?.length, 7);
  });

  test('the secret part of a Dynatrace token is never printed, wherever it stands', async () => {
    const { out } = await linesOf(
      `log.info('run_finished', { problem: 'Api-Token dt0c01.ABC123.SECRET456 refused, v1.2.3 kept' });`,
    );
    assert.equal(out[0]?.['problem'], 'Api-Token dt0c01.ABC123.[redacted] refused, v1.2.3 kept');
  });

  test('the level is the option, else the environment', async () => {
    const both = `log.info('run_finished'); log.error('bug');`;
    assert.equal((await linesOf(both, `{ service: 's', level: 'ERROR' }`)).out.length, 0);
    assert.equal((await linesOf(both, undefined, { AWS_LAMBDA_LOG_LEVEL: 'ERROR' })).out.length, 0);
    assert.equal((await linesOf(both)).out.length, 1);
  });
});
