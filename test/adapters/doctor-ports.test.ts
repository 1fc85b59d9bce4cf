/** The doctor's ports, and its diagnoses through them, against real servers and the strict receiver. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { createDoctorPorts } from '../../functions/adapters/doctor-ports.ts';
import { type ReceiverOptions, startReceiver } from '../../functions/cli/world/receiver.ts';
import type { Check } from '../../functions/core/doctor/checks.ts';
import { diagnoseDynatrace, diagnoseTarget } from '../../functions/core/doctor/diagnosing.ts';
import { secretsIn } from '../fakes/secrets.ts';
import { type Answer, serveHttp } from './local-servers.ts';
import { soon, target } from './scraping.ts';

const PUBLIC = 'ST2EY72KQINMH574WMNVI7YN';
const SECRET = 'G3DFPBEJYMODIDAEX454M7YWBUVEFOWKPRVMWFASS64NFH52PX6BNDVFFM572RZM';
const TOKEN = `dt0c01.${PUBLIC}.${SECRET}`;
const REFERENCE = 'ssm:/nim-to-dynatrace/secrets/nim';
const PAGE = '# TYPE requests counter\nrequests_total 1\nprocess_start_time_seconds 1.7e9\n';
const HTML = { 'content-type': 'text/html' };

function portsFor(endpoint?: string, token?: string) {
  return createDoctorPorts({ clock, secrets: secretsIn(new Map([[REFERENCE, SECRET]])), endpoint, token });
}

/** Each path's body; a number: that status. */
function answering(paths: Readonly<Record<string, string | number>>): Answer {
  return ({ url }, response) => {
    const body = paths[url] ?? 404;
    if (typeof body === 'number') response.writeHead(body).end();
    else response.writeHead(200, { 'content-type': 'text/plain' }).end(body);
  };
}

function find(checks: readonly Check[], name: Check['name']): string {
  const check = checks.find((one) => one.name === name);
  return `${check?.status}: ${check?.message} -> ${check?.remedy ?? ''}`;
}

describe('a target', { concurrency: true }, () => {
  const failing: readonly (readonly [what: string, answer: Answer, check: Check['name'], says: RegExp])[] = [
    [
      'an HTML page as text',
      answering({ '/v1/metrics': '<html></html>' }),
      'format',
      /^failed: .*HTML.*-> .+/,
    ],
    [
      'a web application',
      (_, response) => void response.writeHead(200, HTML).end('<html></html>'),
      'http',
      /^failed: .*a page in HTML.*-> .+/,
    ],
    [
      'credentials wanted',
      answering({ '/v1/metrics': 401, '/metrics': 403 }),
      'http',
      /^failed: .*status 401.*authorization/,
    ],
    ['no page anywhere', answering({}), 'http', /^failed: .*both answered status 404 -> check the port/],
    [
      'a model that loads',
      answering({ '/v1/metrics': 503, '/v1/health/ready': 503 }),
      'ready',
      /^warning: .*not loaded yet -> wait/,
    ],
    ['a line that is none', answering({ '/v1/metrics': `${PAGE}b{ 1\n` }), 'format', /^warning: line 4/],
  ];
  for (const [what, answer, name, says] of failing) {
    test(`${what}: ${name}`, async (t) => {
      const server = await serveHttp(t, answer);
      const { checks } = await diagnoseTarget(target(server.address, { path: '' }), portsFor(), soon());
      assert.match(find(checks, name), says);
      assert(!checks.some((check) => check.name === 'ready' && check.status === 'ok'));
    });
  }

  test('each look has a connection of its own', async (t) => {
    const server = await serveHttp(t, answering({ '/metrics': PAGE }));
    const { checks } = await diagnoseTarget(target(server.address), portsFor(), soon());
    assert.match(find(checks, 'process'), /^ok: 4 looks/);
    const requests = server.requests.length;
    // The connection of the check `tcp` carries no request.
    assert.equal(server.connections(), requests + 1);
  });

  test('the credentials of the job go to its own host and nowhere else', async (t) => {
    const other = await serveHttp(t, answering({ '/': '{"data":[{"id":"foreign"}]}' }));
    const server = await serveHttp(t, ({ url }, response) => {
      if (url === '/metrics') response.end(PAGE);
      else response.writeHead(302, { location: `http://${other.address}/` }).end();
    });
    const authorization = { type: 'Bearer', credentials: REFERENCE };
    const found = await diagnoseTarget(target(server.address, { authorization }), portsFor(), soon());
    assert(server.requests.every(({ headers }) => headers.authorization === `Bearer ${SECRET}`));
    assert.deepEqual([other.requests.length, found.generation?.models], [0, []]);
    assert(!JSON.stringify(found).includes(SECRET));
  });
});

describe('Dynatrace', { concurrency: true }, () => {
  const envelope = (status: number) => ({
    status,
    contentType: 'application/json',
    body: JSON.stringify({ error: { code: status, message: `no ${TOKEN}` } }),
  });
  interface Given extends ReceiverOptions {
    readonly path?: string;
    /** Presented; null: none. */
    readonly presented?: string | null;
  }
  const cases: readonly (readonly [what: string, given: Given, says: RegExp])[] = [
    ['the right token', {}, /^ok: an empty request was accepted; inferred/],
    ['another token', { token: `${TOKEN.slice(0, -1)}A` }, /^failed: .*status 401.*made in this environment/],
    ['no token', { presented: null }, /^failed: .*status 401/],
    ['a scope is missing', { scopes: ['logs.ingest'] }, /^failed: .*status 403.*metrics\.ingest/],
    ['another path', { path: '/v1/traces' }, /^failed: .*status 404.*environment id and path/],
    ['405', { answer: () => envelope(405) }, /^failed: .*status 405.*another kind of server/],
    ['415', { answer: () => envelope(415) }, /^failed: .*status 415.*another kind of server/],
    ['busy', { requestsPerMinute: 0 }, /^warning: .*status 429/],
    ['400', { answer: () => envelope(400) }, /^warning: .*answered 400; inferred/],
    ['a server error', { answer: () => envelope(500) }, /^failed: .*status 500/],
    [
      'a login page',
      { answer: () => ({ status: 200, contentType: 'text/html', body: '<html></html>' }) },
      /^warning: .*a web page/,
    ],
    ['an OAuth client', { presented: `dt0s02.${PUBLIC}.${SECRET}` }, /^skipped: .*no usable token/],
  ];
  for (const [what, { path = '', presented = TOKEN, ...options }, says] of cases) {
    test(what, async (t) => {
      const receiver = await startReceiver({ token: TOKEN, ...options });
      t.after(receiver.close);
      const endpoint = `${receiver.endpoint}${path}`;
      const token = presented ?? undefined;
      const found = await diagnoseDynatrace({ endpoint, token }, portsFor(endpoint, token), soon());
      assert.match(find(found.checks, 'ingest'), says);
      for (const part of [SECRET, PUBLIC]) assert(!JSON.stringify(found).includes(part));
      // Once, whatever the answer; a refused token is not presented again.
      assert.equal(receiver.requests.length, says.source.startsWith('^skipped') ? 0 : 1);
      assert.equal(receiver.points.length, 0);
    });
  }
});
