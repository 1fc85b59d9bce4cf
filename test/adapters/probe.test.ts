/** The probe against real sockets. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { createProbe } from '../../functions/adapters/probe.ts';
import type { Peer } from '../../functions/core/doctor/probe.ts';
import { noSecrets } from '../fakes/secrets.ts';
import { PKI, closedPort, serveHttp, serveTcp } from './local-servers.ts';
import { soon } from './scraping.ts';

const probe = createProbe({ clock, secrets: noSecrets });

describe('look-up', () => {
  test('an address is its own answer, a link-local one is forbidden', async () => {
    assert.deepEqual(await probe.lookUp('10.0.1.17', soon()), {
      code: 'addresses',
      allowed: ['10.0.1.17'],
      forbidden: [],
    });
    for (const address of ['169.254.169.254', 'fe80::1', 'fd00:ec2::254'])
      assert.deepEqual(await probe.lookUp(address, soon()), {
        code: 'addresses',
        allowed: [],
        forbidden: [address],
      });
  });

  test('all addresses of a name, each once; the forbidden ones apart', async () => {
    const answers = ['10.0.1.17', '10.0.1.18', '10.0.1.17', '169.254.1.1'].map((address) => ({
      address,
      family: 4,
    }));
    const named = createProbe({ clock, secrets: noSecrets, lookup: () => Promise.resolve(answers) });
    assert.deepEqual(await named.lookUp('nim', soon()), {
      code: 'addresses',
      allowed: ['10.0.1.17', '10.0.1.18'],
      forbidden: ['169.254.1.1'],
    });
  });

  test('no such name; no answer in time', async () => {
    const found = await probe.lookUp('nim.invalid', soon());
    assert.equal(found.code, 'failed');
    const silent = createProbe({ clock, secrets: noSecrets, lookup: () => new Promise(() => undefined) });
    const late = await silent.lookUp('nim', clock.monotonicMs());
    assert.deepEqual(late, { code: 'failed', cause: 'no answer before the deadline' });
  });
});

describe('connection', () => {
  test('open, refused, forbidden, too late', async (t) => {
    const server = await serveTcp(t, () => undefined);
    assert.equal((await probe.connect('127.0.0.1', server.port, soon())).code, 'connected');
    assert.deepEqual(await probe.connect('127.0.0.1', await closedPort(), soon()), {
      code: 'failed',
      cause: 'the connection was refused',
    });
    assert.match(JSON.stringify(await probe.connect('169.254.169.254', 80, soon())), /link-local/);
    // No packet has time for anything.
    assert.equal((await probe.connect('192.0.2.1', 80, clock.monotonicMs())).code, 'failed');
  });
});

describe('handshake', () => {
  const peerOf = (port: number, more: Partial<NonNullable<Peer['tls']>> = {}): Peer => ({
    host: 'localhost',
    port,
    tls: more,
  });

  test('a certificate by an authority that is trusted: its issuer and end', async (t) => {
    const server = await serveHttp(t, (_, response) => response.end(), PKI.server);
    const config = { ca: PKI.ca, insecureSkipVerify: false };
    const shaken = await probe.shakeHands(peerOf(server.port, { config }), '127.0.0.1', soon());
    assert.equal(shaken.code, 'shaken');
    assert(shaken.notAfterMs > Date.parse('2100-01-01') && shaken.issuer !== '');
    const beside = createProbe({ clock, secrets: noSecrets, ca: PKI.ca });
    assert.equal((await beside.shakeHands(peerOf(server.port), '127.0.0.1', soon())).code, 'shaken');
  });

  test('each fault by its name', async (t) => {
    const good = await serveHttp(t, (_, response) => response.end(), PKI.server);
    const old = await serveHttp(t, (_, response) => response.end(), PKI.expired);
    const plain = await serveHttp(t, (_, response) => response.end());
    const rude = await serveTcp(t, (socket) => socket.end());
    const faultOf = async (peer: Peer) => {
      const shaken = await probe.shakeHands(peer, '127.0.0.1', soon());
      return shaken.code === 'failed' ? shaken.fault : shaken.code;
    };
    const trusting = { config: { ca: PKI.ca, insecureSkipVerify: false } };
    assert.equal(await faultOf(peerOf(good.port)), 'authority');
    assert.equal(await faultOf(peerOf(old.port, trusting)), 'time');
    assert.equal(await faultOf({ ...peerOf(good.port, trusting), host: 'elsewhere.example' }), 'name');
    assert.equal(await faultOf(peerOf(plain.port)), 'plain');
    assert.equal(await faultOf(peerOf(rude.port)), 'other');
    assert.equal(await faultOf(peerOf(await closedPort())), 'other');
    assert.equal(await faultOf(peerOf(good.port, { config: { insecureSkipVerify: true } })), 'shaken');
    assert.equal(
      await faultOf(peerOf(good.port, { config: { ca: 'no PEM', insecureSkipVerify: false } })),
      'other',
    );
  });

  test('a server that never answers the handshake is given up at the deadline', async (t) => {
    const server = await serveTcp(t, () => undefined);
    const shaken = await probe.shakeHands(peerOf(server.port), '127.0.0.1', soon(100));
    assert.deepEqual(shaken, { code: 'failed', cause: 'no handshake in time', fault: 'other' });
  });
});
