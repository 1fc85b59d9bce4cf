/** What others say is printed, and never drives the terminal; what was typed by mistake is not repeated. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, describe, test } from 'node:test';
import { printable } from '../../functions/cli/output.ts';
import { respond, startLoopback } from '../../functions/cli/world/loopback.ts';
import { cli } from './harness.ts';
import { startPageServer } from './page-server.ts';

/** Sets the title, clears the screen, and goes a line up by the one character that stands for `ESC [`. */
const EVIL = '\u001b]0;owned\u0007\u001b[2J\u009b1A';
const SHOWN = String.raw`\u001b]0;owned\u0007\u001b[2J\u009b1A`;

const CONTROL = /[^\P{Cc}\n\t]/u;
const TOKEN = 'dt0c01.PUBLIC.PLANTED';

async function nimThatSays(context: TestContext, text: string): Promise<string> {
  const server = await startPageServer(
    () => `# TYPE num_requests_waiting gauge\nnum_requests_waiting{b="${text}"} 1\n`,
  );
  context.after(() => server.close());
  return server.address;
}

async function documentOf(context: TestContext, job: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'terminal-test-'));
  context.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'nim.yaml');
  await writeFile(file, `job_name: ${JSON.stringify(job)}\nstatic_configs: [{targets: ['127.0.0.1:1']}]\n`);
  return file;
}

test('control characters are written as in JSON, but line ends and tabs', () => {
  assert.equal(printable('a\tb\nc ü €\r\u0000\u007f\u009f'), 'a\tb\nc ü €\\u000d\\u0000\\u007f\\u009f');
  const json = JSON.stringify({ text: EVIL });
  assert.doesNotMatch(printable(json), CONTROL);
  assert.deepEqual(JSON.parse(printable(json)), { text: EVIL });
});

describe('drives no terminal', { concurrency: 2 }, () => {
  test('a page, told by run as a table and as JSON', async (context) => {
    const address = await nimThatSays(context, EVIL);
    const table = await cli('run', '--target', address, '--once');
    assert(table.stdout.includes(`num_requests_waiting{b="${SHOWN}"}`), table.stdout);
    assert.doesNotMatch(table.stdout + table.stderr, CONTROL);
    const json = await cli('run', '--target', address, '--once', '-o', 'json');
    assert.doesNotMatch(json.stdout, CONTROL);
    const first = json.stdout.split('\n').find((line) => line.includes('"num_requests_waiting"')) ?? '';
    assert.equal((JSON.parse(first) as { attributes: { b: string } }).attributes.b, EVIL);
  });

  test('what is sent to, told by run', async (context) => {
    const address = await nimThatSays(context, 'c');
    const body = JSON.stringify({ error: { code: 403, message: EVIL } });
    const endpoint = await startLoopback(async (request, response) => {
      await request.resume().toArray();
      respond(response, { status: 403, contentType: 'application/json', body });
    }, 0);
    context.after(() => endpoint.close());
    const url = `http://127.0.0.1:${endpoint.port}`;
    const { stderr } = await cli('run', '--target', address, '--once', '--endpoint', url);
    assert(stderr.includes(SHOWN), stderr);
    assert.doesNotMatch(stderr, CONTROL);
  });

  test('a document, told by explain', async (context) => {
    const { stdout } = await cli('explain', await documentOf(context, `nim${EVIL}`));
    assert(stdout.includes(`nim${SHOWN}  http://127.0.0.1:1`), stdout);
    assert.doesNotMatch(stdout, CONTROL);
  });
});

test('a token that was typed in the wrong place is not repeated', async () => {
  for (const args of [
    ['run', TOKEN],
    ['explain', TOKEN],
    ['import', TOKEN],
    ['doctor', '--to', TOKEN],
    [TOKEN],
  ]) {
    const { code, stdout, stderr } = await cli(...args);
    assert.notEqual(code, 0);
    assert.doesNotMatch(stdout + stderr, /PLANTED/, args[0]);
  }
});
