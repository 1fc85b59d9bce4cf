/** Access to an EKS cluster: what is asked of AWS at the wire, and the token, its signature computed anew by the rules. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { systemClock } from '../../functions/adapters/clock.ts';
import { type EksDeps, MAX_ANSWER_BYTES, createEks } from '../../functions/adapters/eks.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import { PKI, type SeenRequest, closedPort, serveHttp } from './local-servers.ts';

const START_MS = Date.parse('2026-01-02T03:04:05Z');
const CREDENTIALS = {
  accessKeyId: 'AKIAEXAMPLE',
  secretAccessKey: 'planted/secret+key',
  sessionToken: 'planted//session+token==',
};
const MINUTE_MS = 60_000;

const clusterOf = (more: object = {}) => ({
  cluster: {
    name: 'prod',
    status: 'ACTIVE',
    endpoint: 'https://ABCDEF.gr7.eu-central-1.eks.amazonaws.com',
    certificateAuthority: { data: Buffer.from(PKI.ca).toString('base64') },
    ...more,
  },
});

async function setUp(t: TestContext, more: Partial<EksDeps> = {}) {
  const eksApi: { answer: (response: ServerResponse) => void } = {
    answer: (response) => response.end(JSON.stringify(clusterOf())),
  };
  const server = await serveHttp(t, (_, response) => eksApi.answer(response));
  const http = createHttp({ clock: systemClock });
  t.after(http.close);
  let wallMs = START_MS;
  const eks = createEks({
    http,
    clock: { ...systemClock, wallMs: () => wallMs },
    region: () => Promise.resolve('eu-central-1'),
    credentials: CREDENTIALS,
    eksUrl: `http://${server.address}`,
    ...more,
  });
  const ask = (fresh = false, cluster = 'prod') => eks(cluster, systemClock.monotonicMs() + 10_000, fresh);
  const access = async (fresh = false) => {
    const answer = await ask(fresh);
    assert.ok(answer.code === 'access', 'message' in answer ? answer.message : '');
    return answer;
  };
  return { ask, access, server, eksApi, passMs: (ms: number) => (wallMs += ms) };
}

const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

interface Signed {
  readonly method: string;
  readonly url: URL;
  /** Those that are signed. */
  readonly headers: Readonly<Record<string, string>>;
  readonly service: string;
  /** As AWS writes it, without punctuation. */
  readonly date: string;
}

/** AWS Signature Version 4 (IAM user guide, "Create a signed AWS API request"), of a request without a body. */
function signatureOf({ method, url, headers, service, date }: Signed): string {
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...url.searchParams]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .toSorted();
  const names = Object.keys(headers).toSorted();
  const canonical = [
    method,
    url.pathname,
    query.join('&'),
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    sha256(''),
  ].join('\n');
  const scope = `${date.slice(0, 8)}/eu-central-1/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${CREDENTIALS.secretAccessKey}`);
  return hmac(key, toSign).toString('hex');
}

function urlIn(token: string): URL {
  const [version, text = ''] = token.split('.');
  assert.equal(version, 'k8s-aws-v1');
  assert.match(text, /^[\w-]+$/, 'base64url, without padding');
  return new URL(Buffer.from(text, 'base64url').toString());
}

describe('the token', () => {
  test('is GetCallerIdentity, presigned for a minute, the cluster a signed header that is not in the query', async (t) => {
    const { access } = await setUp(t);
    const url = urlIn((await access()).token);
    assert.equal(url.origin + url.pathname, 'https://sts.eu-central-1.amazonaws.com/');
    const { 'X-Amz-Signature': signature, ...query } = Object.fromEntries(url.searchParams);
    assert.deepEqual(query, {
      Action: 'GetCallerIdentity',
      Version: '2011-06-15',
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Credential': 'AKIAEXAMPLE/20260102/eu-central-1/sts/aws4_request',
      'X-Amz-Date': '20260102T030405Z',
      'X-Amz-Expires': '60',
      'X-Amz-SignedHeaders': 'host;x-k8s-aws-id',
      'X-Amz-Security-Token': CREDENTIALS.sessionToken,
    });
    const headers = { host: 'sts.eu-central-1.amazonaws.com', 'x-k8s-aws-id': 'prod' };
    assert.equal(
      signature,
      signatureOf({ method: 'GET', url, headers, service: 'sts', date: '20260102T030405Z' }),
    );
  });

  // `aws eks get-token` of aws-cli 1.44.6 with these credentials, at this second.
  for (const [region, host, signature] of [
    [
      'eu-central-1',
      'sts.eu-central-1.amazonaws.com',
      'aecceab6a59d1f131510616731fc957613e384ea9f2781cadfa607e92c628478',
    ],
    [
      'cn-north-1',
      'sts.cn-north-1.amazonaws.com.cn',
      'a1bde3c91686ebb90046999628c89b54f00b4556398a7d5bc84a8513e6ff325d',
    ],
  ] as const)
    test(`is the one that the AWS command line makes in ${region}`, async (t) => {
      const { access } = await setUp(t, { region: () => Promise.resolve(region) });
      const url = urlIn((await access()).token);
      assert.deepEqual([url.host, url.searchParams.get('X-Amz-Signature')], [host, signature]);
    });

  test('without a session has no session in it', async (t) => {
    const { sessionToken: _, ...credentials } = CREDENTIALS;
    const { access } = await setUp(t, { credentials });
    assert.equal(urlIn((await access()).token).searchParams.get('X-Amz-Security-Token'), null);
  });

  test('is used for 14 minutes, and made anew once the cluster refused it, or the clock went back', async (t) => {
    const { access, passMs } = await setUp(t);
    const { token } = await access();
    passMs(14 * MINUTE_MS - 1);
    assert.equal((await access()).token, token);
    passMs(1);
    const second = (await access()).token;
    assert.notEqual(second, token);
    passMs(1_000);
    const third = (await access(true)).token;
    assert.notEqual(third, second);
    assert.equal((await access()).token, third);
    passMs(-2_000);
    assert.notEqual((await access()).token, third);
  });
});

describe('the cluster', () => {
  function assertSigned({ method, url, headers }: SeenRequest): void {
    const {
      host = '',
      authorization = '',
      'x-amz-date': date,
      'x-amz-security-token': session,
      'x-amz-content-sha256': hash,
    } = headers as Readonly<Record<string, string | undefined>>;
    assert.deepEqual([method, url, session], ['GET', '/clusters/prod', CREDENTIALS.sessionToken]);
    const [, names = '', signature] = /SignedHeaders=([^,]+), *Signature=(\w+)$/.exec(authorization) ?? [];
    assert.match(authorization, /^AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE\/20260102\/eu-central-1\/eks\//);
    const known = { host, 'x-amz-date': date, 'x-amz-security-token': session, 'x-amz-content-sha256': hash };
    const signed = Object.fromEntries(
      Object.entries(known).filter(([name]) => names.split(';').includes(name)),
    ) as Record<string, string>;
    assert.equal(Object.keys(signed).length, names.split(';').length);
    const [date8601 = ''] = [date];
    assert.equal(
      signature,
      signatureOf({
        method,
        url: new URL(url, `http://${host}`),
        headers: signed,
        service: 'eks',
        date: date8601,
      }),
    );
  }

  test('is described by a signed request, once in a quarter of an hour', async (t) => {
    const { access, server, passMs } = await setUp(t);
    const { url, ca } = await access();
    assert.deepEqual([url.href, ca], ['https://abcdef.gr7.eu-central-1.eks.amazonaws.com/', PKI.ca]);
    const [request] = server.requests;
    assert.ok(request);
    assertSigned(request);
    passMs(15 * MINUTE_MS - 1);
    await access();
    assert.equal(server.requests.length, 1);
    passMs(1);
    await access();
    assert.equal(server.requests.length, 2);
    await access(true);
    assert.equal(server.requests.length, 3, 'one that was made anew under its name has another authority');
  });

  test('those who ask at once ask once, and a failure is not remembered', async (t) => {
    const { ask, server, eksApi } = await setUp(t);
    const good = eksApi.answer;
    eksApi.answer = (response) => response.writeHead(500).end();
    const failed = await Promise.all([ask(), ask(), ask(true)]);
    assert.deepEqual(
      failed.map(({ code }) => code),
      ['failed', 'failed', 'failed'],
    );
    assert.equal(server.requests.length, 1);
    eksApi.answer = good;
    const found = await Promise.all([ask(), ask(), ask()]);
    assert.equal(server.requests.length, 2);
    assert.deepEqual(found[0], found[2]);
  });

  test('another cluster has an access of its own', async (t) => {
    const { ask, server } = await setUp(t);
    const [one, other] = [await ask(false, 'prod'), await ask(false, 'test')];
    assert.ok(one.code === 'access' && other.code === 'access');
    assert.notEqual(one.token, other.token);
    assert.deepEqual(
      server.requests.map(({ url }) => url),
      ['/clusters/prod', '/clusters/test'],
    );
  });

  const body = (text: unknown) => (response: ServerResponse) => response.end(JSON.stringify(text));
  const status = (code: number) => (response: ServerResponse) =>
    response
      .writeHead(code, { 'content-type': 'application/json' })
      .end('{"message":"planted: the caller arn:aws:sts::1:x"}');
  const NO_ENDPOINT =
    'the EKS API told no endpoint over https with a certificate authority; is the cluster active?';
  for (const [name, answer, cause] of [
    ['404', status(404), 'there is no such cluster in eu-central-1; check its name, and the account'],
    ['403', status(403), "eks:DescribeCluster is denied; grant it by the construct's prop discovery.eks"],
    ['400', status(400), 'the EKS API answered status 400'],
    ['500', status(500), 'the EKS API answered status 500'],
    ['no JSON', (response: ServerResponse) => response.end('<html>planted'), NO_ENDPOINT],
    ['null', body(null), NO_ENDPOINT],
    ['another object', body({ cluster: null }), NO_ENDPOINT],
    [
      'one that is being made',
      body(clusterOf({ endpoint: undefined, certificateAuthority: {} })),
      NO_ENDPOINT,
    ],
    ['an endpoint that is no URL', body(clusterOf({ endpoint: 'planted' })), NO_ENDPOINT],
    ['an endpoint without TLS', body(clusterOf({ endpoint: 'http://planted' })), NO_ENDPOINT],
    ['no authority', body(clusterOf({ certificateAuthority: undefined })), NO_ENDPOINT],
    [
      'an authority that is none',
      body(clusterOf({ certificateAuthority: { data: 'cGxhbnRlZA==' } })),
      NO_ENDPOINT,
    ],
    ['a number for it', body(clusterOf({ certificateAuthority: { data: 7 } })), NO_ENDPOINT],
  ] as const)
    test(`an answer that is no cluster: ${name}`, async (t) => {
      const { ask, eksApi } = await setUp(t);
      eksApi.answer = answer;
      assert.deepEqual(await ask(), {
        code: 'failed',
        message: `cannot reach the cluster prod: ${cause}`,
      });
    });

  test('an answer as long as its bound allows, and a byte more', async (t) => {
    const { ask, eksApi } = await setUp(t);
    let length = MAX_ANSWER_BYTES;
    eksApi.answer = (response) => response.end(JSON.stringify(clusterOf()).padEnd(length));
    assert.deepEqual(await ask(), {
      code: 'failed',
      message:
        'cannot reach the cluster prod: the EKS API did not answer whole (the body reached 262144 bytes)',
    });
    length -= 1;
    assert.equal((await ask()).code, 'access');
  });

  test('an EKS API that cannot be reached is told', async (t) => {
    const port = await closedPort();
    const { ask } = await setUp(t, { eksUrl: `http://127.0.0.1:${port}` });
    assert.deepEqual(await ask(), {
      code: 'failed',
      message:
        'cannot reach the cluster prod: the EKS API did not answer (the connection was refused); check the way to eks.eu-central-1',
    });
  });
});

describe('who may ask', () => {
  test('a cluster that is not granted is refused before anyone is asked', async (t) => {
    const { ask, server } = await setUp(t, { granted: ['test'] });
    assert.deepEqual(await ask(), {
      code: 'failed',
      message:
        "cannot reach the cluster prod: it is not granted; name it in the construct's prop discovery.eks",
    });
    assert.equal(server.requests.length, 0);
    assert.equal((await ask(false, 'test')).code, 'access');
    const none = await setUp(t, { granted: [] });
    assert.equal((await none.ask()).code, 'failed');
  });

  test('credentials or a region that cannot be had are told, and looked for again', async (t) => {
    let fails = true;
    const { ask } = await setUp(t, {
      credentials: () =>
        fails
          ? Promise.reject(new Error('Could not load credentials from any providers'))
          : Promise.resolve(CREDENTIALS),
    });
    assert.deepEqual(await ask(), {
      code: 'failed',
      message:
        'cannot reach the cluster prod: Could not load credentials from any providers; check the AWS credentials',
    });
    fails = false;
    assert.equal((await ask()).code, 'access');
    const region = await setUp(t, { region: () => Promise.reject(new Error('Region is missing')) });
    const answer = await region.ask();
    assert.match('message' in answer ? answer.message : '', /Region is missing; check the AWS credentials/);
  });
});
