/** dns_sd_configs against a real DNS server; what Prometheus' discovery/dns does with each kind of answer. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { systemClock } from '../../functions/adapters/clock.ts';
import { createDiscovery } from '../../functions/adapters/discovery.ts';
import { MAX_DNS_ANSWERS, MAX_DNS_NAMES, createDnsDiscovery } from '../../functions/adapters/dns.ts';
import type { Discovered } from '../../functions/core/discovery.ts';
import type { DnsSdConfig, ScrapeConfig } from '../../functions/core/scrape-config.ts';
import { DEFAULT_SCRAPE_SETTINGS } from '../../functions/core/targets.ts';
import { type DnsReply, serveDns } from './dns-server.ts';

const REFRESH_MS = 30_000;

type Records = Readonly<Record<string, DnsReply>>;

/** A discovery that asks a server of its own, which answers from `records`, all else with NXDOMAIN. */
async function setUp(t: TestContext, records: Records, resolvConf = '') {
  let known = records;
  const server = await serveDns(t, (type, name) => known[`${type} ${name}`] ?? 'nxdomain');
  const directory = await mkdtemp(join(tmpdir(), 'dns-'));
  t.after(() => rm(directory, { recursive: true }));
  const file = join(directory, 'resolv.conf');
  await writeFile(file, resolvConf);
  let wallMs = 1_000_000;
  const clock = { ...systemClock, wallMs: () => wallMs };
  const discover = createDnsDiscovery({ clock, servers: [server.address], resolvConf: file });
  const ask = (config: Partial<DnsSdConfig>, withinMs = 5_000) => {
    const whole = {
      names: ['nim.example'],
      type: 'A',
      port: 8000,
      refreshIntervalMs: REFRESH_MS,
      ...config,
    } as const;
    return discover(whole, clock.monotonicMs() + withinMs);
  };
  return {
    ask,
    server,
    passMs: (ms: number) => (wallMs += ms),
    become: (next: Records) => (known = next),
  };
}

const targetsOf = ({ groups }: Discovered) => groups.flatMap((group) => group.targets);

function assertTargets(found: Discovered, targets: readonly string[]): void {
  assert.deepEqual([targetsOf(found), found.complete, found.problems], [targets, true, []]);
}

describe('what is found', () => {
  test('A and AAAA records on the port of the configuration, IPv6 in brackets; a CNAME among them is none', async (t) => {
    const { ask } = await setUp(t, {
      'A nim.example': ['CNAME alias.example', 'A 10.0.0.1', 'A 10.0.0.2'],
      'AAAA nim.example': ['AAAA 2001:db8::17', 'AAAA fd00::1:0:2'],
    });
    const found = await ask({});
    assertTargets(found, ['10.0.0.1:8000', '10.0.0.2:8000']);
    assert.deepEqual(found.groups[0]?.labels, { __meta_dns_name: 'nim.example' });
    assertTargets(await ask({ type: 'AAAA', port: 1 }), ['[2001:db8::17]:1', '[fd00::1:0:2]:1']);
  });

  test('SRV records bring their port; the label keeps the final dot, the address does not', async (t) => {
    const { ask } = await setUp(t, {
      'SRV _nim._tcp.example': ['SRV 10 5 8000 nim-0.example', 'SRV 10 5 8001 nim-1.example', 'SRV 0 0 0 .'],
    });
    const found = await ask({ type: 'SRV', names: ['_nim._tcp.example'], port: 1 });
    const group = (host: string, port: string) => ({
      targets: [`${host}:${port}`],
      labels: {
        __meta_dns_name: '_nim._tcp.example',
        __meta_dns_srv_record_target: `${host}.`,
        __meta_dns_srv_record_port: port,
      },
    });
    assert.deepEqual(found.groups, [group('nim-0.example', '8000'), group('nim-1.example', '8001')]);
  });

  test('MX and NS records on the port of the configuration', async (t) => {
    const { ask } = await setUp(t, {
      'MX example': ['MX 10 mail.example'],
      'NS example': ['NS a.example', 'NS b.example'],
    });
    assert.deepEqual((await ask({ type: 'MX', names: ['example'], port: 25 })).groups, [
      {
        targets: ['mail.example:25'],
        labels: { __meta_dns_name: 'example', __meta_dns_mx_record_target: 'mail.example.' },
      },
    ]);
    const found = await ask({ type: 'NS', names: ['example'], port: 53 });
    assertTargets(found, ['a.example:53', 'b.example:53']);
    assert.equal(found.groups[1]?.labels['__meta_dns_ns_record_target'], 'b.example.');
  });

  test('an answer that does not fit its packet is asked for by TCP', async (t) => {
    const many = Array.from({ length: 300 }, (_, n) => `A 10.0.${n >> 8}.${n & 255}` as const);
    const { ask, server } = await setUp(t, { 'A nim.example': { truncated: many } });
    assert.equal(targetsOf(await ask({})).length, 300);
    assert.deepEqual(server.questions, ['A nim.example', 'A nim.example by TCP']);
  });

  test('several names, in the order of the configuration', async (t) => {
    const { ask } = await setUp(t, { 'A b.example': ['A 10.0.0.2'], 'A a.example': ['A 10.0.0.1'] });
    assertTargets(await ask({ names: ['b.example', 'none.example', 'a.example'] }), [
      '10.0.0.2:8000',
      '10.0.0.1:8000',
    ]);
  });
});

describe('nothing is an answer, no answer is none', () => {
  test('a name that does not exist, or has no such record, has no targets: they have vanished', async (t) => {
    const { ask, become, passMs } = await setUp(t, { 'A nim.example': ['A 10.0.0.1'] });
    for (const gone of [
      {},
      { 'A nim.example': [] },
      { 'A nim.example': ['CNAME alias.example'] },
    ] satisfies Records[]) {
      become({ 'A nim.example': ['A 10.0.0.1'] });
      passMs(REFRESH_MS);
      assertTargets(await ask({}), ['10.0.0.1:8000']);
      become(gone);
      passMs(REFRESH_MS);
      assertTargets(await ask({}), []);
    }
  });

  for (const [reply, cause] of [
    ['servfail', /the DNS server failed/],
    ['refused', /refused/],
    ['silence', /no answer before the deadline/],
  ] as const) {
    test(`${reply}: the last answer stays; without one the list is not complete`, async (t) => {
      const withinMs = reply === 'silence' ? 100 : 5_000;
      const { ask, become, passMs } = await setUp(t, {
        'A nim.example': reply,
        'A other.example': ['A 10.0.0.9'],
      });
      const names = ['nim.example', 'other.example'];
      const cold = await ask({ names }, withinMs);
      assert.deepEqual([targetsOf(cold), cold.complete], [['10.0.0.9:8000'], false]);
      assert.match(
        cold.problems[0] ?? '',
        /^cannot look up A records of nim.example: .*; its targets are not scraped/,
      );
      assert.match(cold.problems[0] ?? '', cause);

      become({ 'A nim.example': ['A 10.0.0.1'] });
      passMs(REFRESH_MS);
      assertTargets(await ask({ names }), ['10.0.0.1:8000']);
      become({ 'A nim.example': reply });
      for (let round = 0; round < 2; round++) {
        passMs(REFRESH_MS);
        const kept = await ask({ names }, withinMs);
        assert.deepEqual([targetsOf(kept), kept.complete], [['10.0.0.1:8000'], true]);
        assert.match(kept.problems[0] ?? '', /; its last answer stays in force$/);
      }
    });
  }

  test('nobody at the server’s address, and a name that is none', async () => {
    const clock = systemClock;
    const discover = createDnsDiscovery({ clock, servers: ['127.0.0.1:1'] });
    const config = { names: ['nim.example'], type: 'A', port: 1, refreshIntervalMs: 1 } as const;
    assert.equal((await discover(config, clock.monotonicMs() + 5_000)).complete, false);
    const odd = await discover({ ...config, names: ['a..b', 'x'.repeat(300)] }, clock.monotonicMs() + 5_000);
    assert.deepEqual([odd.groups, odd.complete, odd.problems.length], [[], false, 2]);
  });
});

describe('when it is asked', () => {
  test('an answer is kept for refresh_interval, whatever its TTL, and a clock that went back ends it', async (t) => {
    const { ask, server, passMs } = await setUp(t, { 'A nim.example': ['A 10.0.0.1'] });
    for (const [ms, questions] of [
      [0, 1],
      [REFRESH_MS - 1, 1],
      [1, 2],
      [-1, 3],
    ] as const) {
      passMs(ms);
      assertTargets(await ask({}), ['10.0.0.1:8000']);
      assert.equal(server.questions.length, questions);
    }
    await ask({ type: 'AAAA' });
    assert.equal(server.questions.length, 4, 'another type is another question');
  });

  test('after the deadline nobody is asked', async (t) => {
    const { ask, server } = await setUp(t, { 'A nim.example': ['A 10.0.0.1'] });
    assert.equal((await ask({}, 0)).complete, false);
    assert.equal(server.questions.length, 0);
  });

  test('at most ten names at once, and silence on all of them ends with the deadline', async (t) => {
    const { ask, server } = await setUp(
      t,
      Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`A n${n}.example`, 'silence'])),
    );
    const names = Array.from({ length: 30 }, (_, n) => `n${n}.example`);
    const found = await ask({ names }, 200);
    assert.deepEqual([found.complete, found.problems.length], [false, 30]);
    assert.equal(new Set(server.questions).size, 10);
  });

  test('the number of names is bounded, and the others are told', async (t) => {
    const { ask, server } = await setUp(t, {});
    const names = Array.from({ length: MAX_DNS_NAMES }, (_, n) => `n${n}.example`);
    assertTargets(await ask({ names }), []);
    assert.equal(server.questions.length, MAX_DNS_NAMES);
    const over = await ask({ names: [...names, 'one-more.example'] });
    assert.match(over.problems[0] ?? '', /101 names asks for the first 100 only; write several/);
    assert.equal(over.complete, true);
  });

  test('the number of records is bounded: a longer answer counts as none', async (t) => {
    const records = Array.from(
      { length: MAX_DNS_ANSWERS + 1 },
      (_, n) => `A 10.1.${n >> 8}.${n & 255}` as const,
    );
    const { ask, become, passMs } = await setUp(t, { 'A nim.example': { truncated: records.slice(1) } });
    assert.equal(targetsOf(await ask({})).length, MAX_DNS_ANSWERS);
    become({ 'A nim.example': { truncated: records } });
    passMs(REFRESH_MS);
    const over = await ask({});
    assert.equal(targetsOf(over).length, MAX_DNS_ANSWERS);
    assert.match(over.problems[0] ?? '', /more than 1000 records; its last answer/);
  });
});

describe('the search list', () => {
  const conf =
    'nameserver 192.0.2.1\ndomain ignored.example\nsearch one.example two.example\noptions timeout:1 ndots:2\n';
  const asked = (name: string) => `A ${name}`;

  test('a name with too few dots is tried below it first, as it is last', async (t) => {
    const { ask, server } = await setUp(t, { 'A nim.ns.two.example': ['A 10.0.0.1'] }, conf);
    assertTargets(await ask({ names: ['nim.ns'] }), ['10.0.0.1:8000']);
    assert.deepEqual(server.questions, ['nim.ns.one.example', 'nim.ns.two.example'].map(asked));
    assertTargets(await ask({ names: ['no.where'] }), []);
    assert.deepEqual(
      server.questions.slice(2),
      ['no.where.one.example', 'no.where.two.example', 'no.where'].map(asked),
    );
  });

  test('with enough dots it is tried as it is first, with a final dot only so', async (t) => {
    const { ask, server } = await setUp(t, {}, conf);
    await ask({ names: ['nim.ns.svc'] });
    await ask({ names: ['nim.ns.'] });
    assert.deepEqual(
      server.questions,
      ['nim.ns.svc', 'nim.ns.svc.one.example', 'nim.ns.svc.two.example', 'nim.ns'].map(asked),
    );
  });

  test('the first that exists is the answer, also without such records', async (t) => {
    const { ask, server } = await setUp(t, { 'A nim.one.example': [], 'A nim': ['A 10.0.0.1'] }, conf);
    assertTargets(await ask({ names: ['nim'] }), []);
    assert.equal(server.questions.length, 1);
  });

  test('one that failed leaves open whether the name exists, unless a later one does', async (t) => {
    const { ask, become } = await setUp(t, { 'A nim.one.example': 'servfail' }, conf);
    assert.equal((await ask({ names: ['nim'] })).complete, false);
    become({ 'A nim.one.example': 'servfail', 'A nim': ['A 10.0.0.1'] });
    assertTargets(await ask({ names: ['nim'] }), ['10.0.0.1:8000']);
  });
});

test('a job: static targets, and what each of its discoveries knows', async () => {
  const job: ScrapeConfig = {
    jobName: 'nim',
    scrapeIntervalMs: 60_000,
    scrapeTimeoutMs: 10_000,
    scheme: 'http',
    metricsPath: '',
    params: {},
    staticConfigs: [{ targets: ['a:1'], labels: { site: 'x' } }],
    dnsSdConfigs: ['good', 'cold'].map((name) => ({
      names: [name],
      type: 'A',
      port: 1,
      refreshIntervalMs: 1,
    })),
    httpSdConfigs: [],
    kubernetesSdConfigs: [],
    relabelConfigs: [],
    targetLimit: 0,
    settings: DEFAULT_SCRAPE_SETTINGS,
  };
  const nobody = () => Promise.resolve({ groups: [], complete: true, problems: [] });
  const discover = createDiscovery({
    http: nobody,
    kubernetes: nobody,
    dns: ({ names: [name = ''] }, deadlineMs) =>
      Promise.resolve({
        groups: name === 'good' ? [{ targets: [`good:${deadlineMs}`], labels: {} }] : [],
        complete: name === 'good',
        problems: name === 'good' ? [] : ['cold'],
      }),
  });
  const found = await discover(job, 7);
  assert.deepEqual([targetsOf(found), found.complete, found.problems], [['a:1', 'good:7'], false, ['cold']]);
  assertTargets(await discover({ ...job, dnsSdConfigs: [] }, 7), ['a:1']);
});
