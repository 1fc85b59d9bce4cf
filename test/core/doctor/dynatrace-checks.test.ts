/** Endpoint, token and answer: what is wrong, and the fix. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { checkEndpoint, checkIngest, checkToken } from '../../../functions/core/doctor/dynatrace-checks.ts';

const PUBLIC = 'ST2EY72KQINMH574WMNVI7YN';
const SECRET = 'G3DFPBEJYMODIDAEX454M7YWBUVEFOWKPRVMWFASS64NFH52PX6BNDVFFM572RZM';
const SAAS = 'https://abc.live.dynatrace.com/api/v2/otlp';

describe('the endpoint', () => {
  const cases: readonly (readonly [endpoint: string, status: string, says: RegExp])[] = [
    [SAAS, 'ok', /metrics go to https:\/\/abc\.live\.dynatrace\.com\/api\/v2\/otlp\/v1\/metrics$/],
    [`${SAAS}/v1/metrics/`, 'ok', /otlp\/v1\/metrics$/],
    ['https://gate:9999/e/abc/api/v2/otlp', 'ok', /metrics go to https:\/\/gate:9999\/e\/abc\/api/],
    ['https://gate:9999/e/abc', 'failed', /-> store https:\/\/gate:9999\/e\/abc\/api\/v2\/otlp$/],
    ['https://gate:9999/e/abc/api/v2', 'failed', /-> store https:\/\/gate:9999\/e\/abc\/api\/v2\/otlp$/],
    ['http://127.0.0.1:4318', 'ok', /127\.0\.0\.1/],
    [
      'https://abc.apps.dynatrace.com',
      'failed',
      /web interface.*-> store https:\/\/abc\.live\.dynatrace\.com\/api\/v2\/otlp$/,
    ],
    [
      'https://abc.live.dynatrace.com',
      'failed',
      /-> store https:\/\/abc\.live\.dynatrace\.com\/api\/v2\/otlp$/,
    ],
    ['http://abc.live.dynatrace.com/api/v2/otlp', 'failed', /unencrypted.*-> store https:/],
    ['http://gate:9999/e/abc/api/v2/otlp', 'warning', /unencrypted.*-> use https:\/\/gate:9999/],
    [
      'https://gate:9999/',
      'warning',
      /not the form.*-> .*https:\/\/gate:9999\/e\/<environment>\/api\/v2\/otlp/,
    ],
    [
      `${SAAS}?api-token=dt0c01.${PUBLIC}.${SECRET}`,
      'failed',
      /looks like an API token.*-> store the URL alone/,
    ],
    [`${SAAS}/dt0c01.${PUBLIC}.${SECRET}`, 'failed', /looks like an API token/],
    [`dt0c01.${PUBLIC}.${SECRET}`, 'failed', /looks like an API token/],
    ['', 'failed', /not an http or https URL/],
  ];
  for (const [endpoint, status, says] of cases) {
    test(`${endpoint.replace(/dt0c01.*/, 'dt0c01...') || 'empty text'}: ${status}`, () => {
      const { check, url } = checkEndpoint(endpoint);
      assert.equal(check.status, status);
      assert.match(`${check.message} -> ${check.remedy ?? ''}`.replace(/ -> $/, ''), says);
      assert.equal(url === undefined, status === 'failed');
      assert(!JSON.stringify(check).includes(SECRET));
    });
  }
});

describe('the token, by its form', () => {
  const cases: readonly (readonly [what: string, token: string | undefined, status: string, says: RegExp])[] =
    [
      [
        'classic',
        `dt0c01.${PUBLIC}.${SECRET}`,
        'ok',
        /^a classic access token \(dt0c01\), sent as Api-Token$/,
      ],
      ['with the newline of echo', `dt0c01.${PUBLIC}.${SECRET}\n`, 'ok', /classic/],
      ['platform', `dt0s16.${PUBLIC}.${SECRET}`, 'ok', /^a platform token \(dt0s16\), sent as Bearer$/],
      ['cut off', `dt0c01.${PUBLIC}.${SECRET.slice(1)}`, 'warning', /not of its length/],
      [
        'of an OAuth client',
        `dt0s02.${PUBLIC}.${SECRET}`,
        'failed',
        /^dt0s02 is the secret of an OAuth client/,
      ],
      ['of SCIM', `dt0s01.${PUBLIC}.${SECRET}`, 'failed', /SCIM/],
      ['of a kind unknown', `dt0x99.${PUBLIC}.${SECRET}`, 'failed', /another kind/],
      ['without a prefix', SECRET, 'warning', /no prefix of a Dynatrace token/],
      ['with its scheme', `Api-Token dt0c01.${PUBLIC}.${SECRET}`, 'failed', /begins with a scheme/],
      ['in quotes', `"dt0c01.${PUBLIC}.${SECRET}"`, 'failed', /in quotes/],
      ['with a line break inside', `dt0c01.${PUBLIC}.\n${SECRET}`, 'failed', /a line break/],
      ['the endpoint instead', SAAS, 'failed', /is a URL/],
      ['empty', ' \n', 'failed', /no API token is given/],
      ['absent', undefined, 'failed', /no API token is given/],
    ];
  for (const [what, token, status, says] of cases) {
    test(`${what}: ${status}`, () => {
      for (const url of [undefined, `${SAAS}/v1/metrics`, 'https://gate:9999/e/abc/api/v2/otlp/v1/metrics']) {
        const { check, usable } = checkToken(token, url);
        assert.equal(check.status, status);
        assert.match(check.message, says);
        assert.equal(usable, status !== 'failed');
        assert.equal(check.remedy === undefined, status === 'ok');
        for (const part of [SECRET, PUBLIC, SECRET.slice(1)]) assert(!JSON.stringify(check).includes(part));
      }
    });
  }

  test('another receiver may need none, or one of any form', () => {
    const url = 'https://collector:4318/v1/metrics';
    assert.deepEqual(
      [checkToken(undefined, url).check.status, checkToken(undefined, url).usable],
      ['skipped', true],
    );
    assert.equal(checkToken('hunter2', url).check.status, 'ok');
  });
});

describe('what an empty request is answered', () => {
  const message = 'cannot export to https://x/v1/metrics: it answered status N; check the endpoint';
  test('accepted: what follows is said to be inferred', () => {
    const check = checkIngest({ code: 'accepted' }, 'classic', 12);
    assert.deepEqual([check.status, check.latencyMs], ['ok', 12]);
    assert.match(check.message, /^an empty request was accepted; inferred: the token may send metrics$/);
    const warned = checkIngest(
      { code: 'accepted', warning: 'cannot tell: a web page; store another' },
      'classic',
      1,
    );
    assert.deepEqual(
      [warned.status, warned.message, warned.remedy],
      ['warning', 'cannot tell: a web page', 'store another'],
    );
  });

  test('400: nothing is sure', () => {
    const check = checkIngest({ code: 'malformed', message }, 'classic', 1);
    assert.deepEqual([check.status, /inferred/.test(check.message)], ['warning', true]);
  });

  const refusals: readonly (readonly [status: number, kind: 'classic' | 'platform', remedy: RegExp])[] = [
    [401, 'classic', /made in this environment.*metrics\.ingest/],
    [403, 'classic', /lacks the scope metrics\.ingest/],
    [403, 'platform', /openpipeline:metrics:ingest and storage:metrics:write/],
    [404, 'classic', /environment id and path/],
    [405, 'classic', /another kind of server/],
    [415, 'classic', /another kind of server/],
    [418, 'classic', /^check the endpoint$/],
  ];
  for (const [status, kind, remedy] of refusals) {
    test(`${status} to a ${kind} token`, () => {
      const check = checkIngest({ code: 'refused', status, message }, kind, 1);
      assert.equal(check.status, 'failed');
      assert.equal(check.message, 'cannot export to https://x/v1/metrics: it answered status N');
      assert.match(check.remedy ?? '', remedy);
    });
  }

  test('busy is a warning, a lost answer a failure', () => {
    assert.equal(checkIngest({ code: 'retry', message }, 'classic', 1).status, 'warning');
    for (const code of ['unknown', 'too_large', 'waiting_for_token', 'waiting_for_endpoint'] as const)
      assert.equal(checkIngest({ code, message }, 'classic', 1).status, 'failed');
  });
});
