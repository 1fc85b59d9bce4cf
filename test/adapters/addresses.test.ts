/** Which addresses a connection may lead to: real sockets, and names that resolve as the test says. */
import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { describe, test } from 'node:test';
import { createAddresses, isForbidden } from '../../functions/adapters/addresses.ts';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import { PKI, serveHttp } from './local-servers.ts';

/** Answers in turn, the last one for ever; `asked` are the names. */
function lookupOf(answers: readonly (readonly string[])[], asked: string[] = []): LookupFunction {
  return (name, _, callback) => {
    const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(name);
    const found = addresses.map((address): LookupAddress => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }));
    if (found.length === 0) callback(Object.assign(new Error('none'), { code: 'ENOTFOUND' }), '');
    else callback(null, found);
  };
}

const METADATA = [
  '169.254.169.254',
  '::ffff:169.254.169.254',
  '64:ff9b::a9fe:a9fe',
  'fd00:ec2::254',
  'fe80::1',
];

describe('a name that resolves to where no request may go', () => {
  for (const scheme of ['http', 'https'] as const) {
    test(`${scheme}: first to 127.0.0.1, then to the metadata service: looked up once, judged by what it is`, async (t) => {
      const server = await serveHttp(
        t,
        (_, response) => response.setHeader('connection', 'close').end('fine'),
        scheme === 'https' ? PKI.server : false,
      );
      for (const address of METADATA) {
        const asked: string[] = [];
        const http = createHttp({ clock, lookup: lookupOf([['127.0.0.1'], [address]], asked) });
        t.after(() => http.close());
        const request = {
          url: new URL(`${scheme}://nim.internal:${server.port}/`),
          headers: {},
          maxBytes: 100,
          deadlineMs: clock.monotonicMs() + 10_000,
          tls: { ca: PKI.ca, insecureSkipVerify: false },
        };
        assert.equal((await http.request({ ...request, method: 'GET' })).code, 'answer');
        const refused = {
          code: 'connect',
          sent: false,
          cause: 'the address is link-local, which is never scraped',
        };
        assert.deepEqual(await http.request({ ...request, method: 'GET' }), refused, address);
        assert.deepEqual(await http.request({ ...request, method: 'POST', body: Buffer.from('a') }), refused);
        assert.deepEqual(asked, ['nim.internal', 'nim.internal', 'nim.internal']);
      }
    });
  }

  test('beside allowed addresses it is left out, and never tried', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end('fine'));
    const http = createHttp({ clock, lookup: lookupOf([['169.254.169.254', '127.0.0.1', 'fe80::1']]) });
    t.after(() => http.close());
    const url = new URL(`http://nim.internal:${server.port}/`);
    const deadlineMs = clock.monotonicMs() + 10_000;
    const result = await http.request({ method: 'GET', url, headers: {}, maxBytes: 100, deadlineMs });
    assert.equal(result.code, 'answer');
  });

  test('https to such an address itself, even without verifying', async (t) => {
    const http = createHttp({ clock });
    t.after(() => http.close());
    const deadlineMs = clock.monotonicMs() + 10_000;
    for (const host of [
      '169.254.169.254',
      '169.254.169.254.',
      '2852039166',
      '169.254.43518',
      '[::ffff:a9fe:a9fe]',
    ]) {
      const url = new URL(`https://${host}/`);
      const tls = { insecureSkipVerify: true, serverName: 'nim.internal' };
      const result = await http.request({ method: 'GET', url, headers: {}, maxBytes: 100, deadlineMs, tls });
      assert.ok(result.code === 'connect' && !result.sent && result.cause.includes('link-local'), host);
    }
  });
});

test('forbidden are link-local addresses and those that AWS keeps for credentials, and no other', () => {
  const forbidden = [
    ...METADATA,
    '169.254.0.0',
    '169.254.255.255',
    '::ffff:a9fe:1',
    'febf::1',
    'fd00:ec2::23',
  ];
  for (const address of forbidden) assert.ok(isForbidden(address), address);
  const allowed = [
    '169.253.255.255',
    '169.255.0.0',
    '127.0.0.1',
    '10.0.0.1',
    'fec0::1',
    'fd00:ec3::1',
    '::1',
  ];
  for (const address of [...allowed, '64:ff9b::a9ff:1', '', 'nim', '169.254'])
    assert.ok(!isForbidden(address), address);
});

const LOOPBACK = [
  '127.0.0.1',
  '127.255.255.255',
  '::1',
  '::ffff:127.0.0.1',
  '0.0.0.0',
  '::',
  '64:ff9b::7f00:1',
];

describe('loopback', () => {
  test('is refused where it is asked for, and nowhere else; its neighbours are not', () => {
    const [open, closed] = [createAddresses(), createAddresses({ refuseLoopback: true })];
    for (const address of LOOPBACK) {
      assert.equal(open.refusalOf(address), undefined, address);
      assert.equal(closed.refusalOf(address)?.code, 'ERR_IP_LOOPBACK', address);
    }
    for (const address of METADATA) assert.equal(closed.refusalOf(address)?.code, 'ERR_IP_BLOCKED', address);
    for (const address of ['126.255.255.255', '128.0.0.1', '1.0.0.0', '::2', '10.0.0.1', '', 'localhost'])
      assert.equal(closed.refusalOf(address), undefined, address);
  });

  test('as an address in any spelling, and as what a name resolves to: nothing is sent', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end('fine'));
    const lookup = lookupOf([['127.0.0.1', '::1']]);
    const http = createHttp({ clock, lookup, refuseLoopback: true });
    t.after(() => http.close());
    const deadlineMs = clock.monotonicMs() + 10_000;
    for (const host of [
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0.0.0.0',
      '[::1]',
      '[::ffff:7f00:1]',
      'nim.internal',
    ]) {
      const url = new URL(`http://${host}:${server.port}/`);
      assert.deepEqual(
        await http.request({ method: 'GET', url, headers: {}, maxBytes: 100, deadlineMs }),
        {
          code: 'connect',
          sent: false,
          cause: "the address is loopback, which in Lambda is the function's own",
        },
        host,
      );
    }
    assert.deepEqual(server.requests, []);
  });
});

test('private are RFC 1918, RFC 6598 and RFC 4193, by the last look-up of a name', () => {
  const addresses = createAddresses({
    lookup: lookupOf([['10.1.2.3'], ['8.8.8.8', '10.1.2.3'], ['fd12::1']]),
  });
  const { isPrivate, lookup } = addresses;
  for (const one of [
    '10.0.0.0',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    'fd12::1',
    '::ffff:10.0.0.1',
  ])
    assert.ok(isPrivate(one), one);
  for (const one of [
    '9.255.255.255',
    '11.0.0.0',
    '172.15.0.1',
    '172.32.0.1',
    '100.128.0.1',
    '8.8.8.8',
    'fe00::1',
    'nim',
  ])
    assert.ok(!isPrivate(one), one);
  for (const expected of [true, false, true]) {
    lookup('nim', {}, () => undefined);
    assert.equal(isPrivate('nim'), expected);
  }
});
