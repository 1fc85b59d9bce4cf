/** DNS, TCP, TLS: which is made, which is not, and what is said. The probe is scripted; the real one has its own tests. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import type { Place, Side } from '../../../functions/core/doctor/place.ts';
import type { Connected, LookedUp, Peer, Probe, Shaken } from '../../../functions/core/doctor/probe.ts';
import { MAX_ADDRESSES, MIN_CERTIFICATE_LEFT_MS, reach } from '../../../functions/core/doctor/reaching.ts';

const NOW_MS = Date.parse('2026-11-24T12:00:00Z');
const clock = { wallMs: () => NOW_MS, monotonicMs: () => 0 };
const PLAIN: Peer = { host: 'nim.example', port: 8000 };
const SECURE: Peer = { ...PLAIN, tls: {} };

function found(allowed: readonly string[], forbidden: readonly string[] = []): LookedUp {
  return { code: 'addresses', allowed, forbidden };
}

const shaken = (notAfterMs: number): Shaken => ({
  code: 'shaken',
  durationMs: 3,
  protocol: 'TLSv1.3',
  issuer: 'Test CA',
  notAfterMs,
});

interface Script {
  readonly dns: LookedUp;
  readonly closed?: readonly string[];
  /** Of those; default: they refuse. */
  readonly cause?: string;
  readonly tls?: Shaken;
}

async function reached(peer: Peer, script: Script, side: Side = 'target', place: Place = 'here') {
  const asked: string[] = [];
  const probe: Probe = {
    lookUp: () => Promise.resolve(script.dns),
    connect: (address): Promise<Connected> => {
      asked.push(address);
      const refused = { code: 'failed', cause: script.cause ?? 'the connection was refused' } as const;
      const isClosed = script.closed?.includes(address) === true;
      return Promise.resolve(isClosed ? refused : { code: 'connected', durationMs: 2 });
    },
    shakeHands: (_, address) => {
      asked.push(`tls ${address}`);
      return Promise.resolve(script.tls ?? shaken(NOW_MS + 365 * 86_400_000));
    },
  };
  const result = await reach(peer, { probe, clock, place }, 1_000, side);
  const told = result.checks.map(
    ({ name, status, message, remedy }) => `${name} ${status}: ${message} -> ${remedy ?? ''}`,
  );
  return { ...result, told, asked };
}

describe('dns', () => {
  test('one address; an address needs no look-up', async () => {
    const { told, asked } = await reached(PLAIN, { dns: found(['10.0.1.17']) });
    assert.equal(told[0], 'dns ok: nim.example is 10.0.1.17 -> ');
    assert.deepEqual(asked, ['10.0.1.17']);
    const literal = await reached({ host: '10.0.1.17', port: 8000 }, { dns: found(['10.0.1.17']) });
    assert.equal(literal.told[0], 'dns ok: 10.0.1.17 is an address -> ');
  });

  test('several addresses of one family are several processes: the cure is named, but not for Dynatrace', async () => {
    const dns = found(['10.0.1.17', '10.0.1.18']);
    const { told } = await reached(PLAIN, { dns });
    assert.match(
      told[0] ?? '',
      /^dns warning: nim\.example is 2 addresses .* -> scrape each: dns_sd_configs: \[\{names: \[nim\.example\], type: A, port: 8000\}\]$/,
    );
    assert.match((await reached(PLAIN, { dns }, 'dynatrace')).told[0] ?? '', /^dns ok/);
    assert.match((await reached(PLAIN, { dns: found(['127.0.0.1', '::1']) })).told[0] ?? '', /^dns ok/);
  });

  test('a name that does not resolve, and a link-local one: nothing is connected to', async () => {
    const none = await reached(PLAIN, { dns: { code: 'failed', cause: 'the host name does not resolve' } });
    assert.deepEqual([none.reached, none.asked, none.checks.length], [false, [], 1]);
    assert.match(
      none.told[0] ?? '',
      /^dns failed: cannot look up nim\.example: the host name does not resolve -> .+/,
    );
    const local = await reached(PLAIN, { dns: found([], ['169.254.169.254']) });
    assert.deepEqual([local.reached, local.asked], [false, []]);
    assert.match(local.told[0] ?? '', /^dns failed: .*169\.254\.169\.254: link-local/);
  });
});

describe('tcp', () => {
  test('all closed: no TLS is tried', async () => {
    const {
      told,
      asked,
      reached: isReached,
    } = await reached(SECURE, { dns: found(['10.0.1.17']), closed: ['10.0.1.17'] });
    assert.deepEqual([isReached, asked], [false, ['10.0.1.17']]);
    assert.match(
      told[1] ?? '',
      /^tcp failed: cannot connect to 10\.0\.1\.17:8000: the connection was refused -> .*nothing listens/,
    );
  });

  test('some closed: a warning that names them, and TLS with one that is open', async () => {
    const dns = found(['10.0.1.17', '10.0.1.18']);
    const { told, asked } = await reached(SECURE, { dns, closed: ['10.0.1.17'] });
    assert.match(
      told[1] ?? '',
      /^tcp warning: 1 of 2 addresses take a connection; 10\.0\.1\.17:8000: the connection was refused/,
    );
    assert.deepEqual(asked, ['10.0.1.17', '10.0.1.18', 'tls 10.0.1.18']);
  });

  test(`of ${MAX_ADDRESSES + 1} addresses ${MAX_ADDRESSES} are connected to`, async () => {
    const dns = found(Array.from({ length: MAX_ADDRESSES + 1 }, (_, i) => `10.0.1.${i}`));
    const { asked, told } = await reached(PLAIN, { dns });
    assert.equal(asked.length, MAX_ADDRESSES);
    assert.match(told[0] ?? '', /10\.0\.1\.3 and 13 more/);
  });
});

describe('a remedy is for the place', () => {
  const cases: readonly (readonly [place: Place, side: Side, dns: RegExp, tcp: RegExp])[] = [
    ['here', 'target', /look from there/, /security group of the NIM admits this place/],
    ['lambda', 'target', /private hosted zone .* -c vpcId/, /runs in no VPC .* deploy with -c vpcId/],
    [
      'lambda_in_vpc',
      'target',
      /private hosted zone with the function's VPC/,
      /function's security group in that of the NIM.*route tables both ways.*network ACLs/,
    ],
    ['lambda_in_vpc', 'proxy', /name of the proxy/, /security group admits the function's/],
    ['here', 'dynatrace', /environment id/, /NAT gateway/],
    ['lambda', 'dynatrace', /environment id/, /public addresses only/],
    ['lambda_in_vpc', 'dynatrace', /resolver rules/, /0\.0\.0\.0\/0 to a NAT gateway .*ActiveGate/],
  ];
  for (const [place, side, dns, tcp] of cases)
    test(`${side}, ${place}`, async () => {
      const unresolved = { code: 'failed', cause: 'the host name does not resolve' } as const;
      assert.match((await reached(PLAIN, { dns: unresolved }, side, place)).told[0] ?? '', dns);
      const silent = { dns: found(['10.0.1.17']), closed: ['10.0.1.17'], cause: 'no connection in time' };
      assert.match((await reached(PLAIN, silent, side, place)).told[1] ?? '', tcp);
    });

  test('a refusal at a target: the way is open, whatever the place', async () => {
    for (const place of ['here', 'lambda', 'lambda_in_vpc'] as const) {
      const { told } = await reached(PLAIN, { dns: found(['a']), closed: ['a'] }, 'target', place);
      assert.match(told[1] ?? '', /nothing listens/);
    }
  });
});

describe('tls', () => {
  const dns = found(['10.0.1.17']);
  test('a good certificate, and one that ends soon: at the bound and one below it', async () => {
    const good = await reached(SECURE, { dns, tls: shaken(NOW_MS + MIN_CERTIFICATE_LEFT_MS) });
    assert.equal(good.told[2], 'tls ok: TLSv1.3, certificate by Test CA, 14 days left -> ');
    const due = await reached(SECURE, { dns, tls: shaken(NOW_MS + MIN_CERTIFICATE_LEFT_MS - 1) });
    assert.equal(
      due.told[2],
      'tls warning: TLSv1.3, certificate by Test CA, 13 days left -> renew the certificate',
    );
    assert(due.reached);
  });

  test('unverified by choice is a warning', async () => {
    const { told } = await reached({ ...PLAIN, tls: { config: { insecureSkipVerify: true } } }, { dns });
    assert.match(told[2] ?? '', /^tls warning: .*nobody verifies/);
  });

  const faults = [
    ['plain', /write http:\/\/nim\.example:8000$/],
    ['authority', /tls_config: \{ca/],
    ['name', /server_name/],
    ['time', /renew/],
    ['other', /check port and scheme/],
  ] as const;
  for (const [fault, remedy] of faults) {
    test(`a failure by ${fault} has its remedy`, async () => {
      const tls = { code: 'failed', cause: 'TLS failed: why', fault } as const;
      const { told, reached: isReached } = await reached(SECURE, { dns, tls });
      assert.equal(isReached, false);
      assert.match(
        told[2] ?? '',
        /^tls failed: cannot agree on TLS with nim\.example:8000: TLS failed: why -> /,
      );
      assert.match(told[2] ?? '', remedy);
    });
  }
});
