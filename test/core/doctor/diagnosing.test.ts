/** The doctor's order, its bounds, and what it asks of whom; the world is scripted. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import {
  type DoctorPorts,
  FURTHER_LOOKS,
  MAX_CONCURRENT_TARGETS,
  TARGET_BUDGET_MS,
  diagnose,
  diagnoseTarget,
} from '../../../functions/core/doctor/diagnosing.ts';
import type { Target } from '../../../functions/core/model.ts';
import type { ScrapeResult } from '../../../functions/core/ports.ts';
import { createTarget } from '../../../functions/core/targets.ts';

const NOW_MS = Date.parse('2026-11-24T12:00:00Z');
const PAGE = '# TYPE requests counter\nrequests_total 1\nprocess_start_time_seconds 1.7e9\n';

function targetAt(address: string, more: Partial<Target> = {}): Target {
  return {
    ...createTarget({ job: 'nim', instance: address, scheme: 'http', address, path: '', params: [] }),
    ...more,
  };
}

function pageOf(text: string): ScrapeResult {
  return {
    code: 'page',
    body: new TextEncoder().encode(text),
    path: '/metrics',
    complete: true,
    dateMs: NOW_MS,
  };
}

interface Script {
  readonly scrape?: (target: Target, deadlineMs: number) => ScrapeResult | Promise<ScrapeResult>;
  readonly nowMs?: () => number;
}

const ABSENT = { code: 'status', message: 'cannot scrape x: status 404; check', status: 404 } as const;

function portsOf({ scrape, nowMs = () => 0 }: Script = {}): DoctorPorts {
  return {
    clock: { wallMs: () => NOW_MS, monotonicMs: nowMs },
    place: 'here',
    probe: {
      lookUp: (host) => Promise.resolve({ code: 'addresses', allowed: [host], forbidden: [] }),
      connect: () => Promise.resolve({ code: 'connected', durationMs: 1 }),
      shakeHands: () => assert.fail('no TLS here'),
    },
    scrape: (target, deadlineMs) =>
      Promise.resolve(
        scrape?.(target, deadlineMs) ?? (target.path.startsWith('/v1/') ? ABSENT : pageOf(PAGE)),
      ),
    post: () => assert.fail('nothing is posted'),
    fits: () => true,
    sleepMs: () => Promise.resolve(),
  };
}

const namesOf = (checks: readonly { readonly name: string; readonly status: string }[]) =>
  checks.map(({ name, status }) => `${name} ${status}`);

describe('one target', () => {
  test('no NIM: what only a NIM has is not missed', async () => {
    const { checks, url, forecast } = await diagnoseTarget(targetAt('10.0.1.17:8000'), portsOf(), 60_000);
    assert.deepEqual(namesOf(checks), [
      'dns ok',
      'tcp ok',
      'http ok',
      'clock ok',
      'format ok',
      'generation ok',
      'names ok',
      'process ok',
    ]);
    assert.equal(url, 'http://10.0.1.17:8000/metrics');
    assert(forecast !== undefined);
  });

  test('beside the page the same host is asked, without redirects and without the query', async () => {
    const asked: Target[] = [];
    const target = targetAt('10.0.1.17:8000', { params: [['a', 'b']] });
    const scrape = (one: Target) => {
      asked.push(one);
      return one.path === '' || one.path === '/metrics' ? pageOf(PAGE) : ABSENT;
    };
    await diagnoseTarget(target, portsOf({ scrape }), 60_000);
    const beside = asked.filter(({ path }) => path.startsWith('/v1/'));
    assert.deepEqual(
      beside.map(({ path }) => path),
      ['/v1/health/ready', '/v1/metadata', '/v1/models', '/v1/version'],
    );
    for (const { address, followRedirects, params } of beside)
      assert.deepEqual([address, followRedirects, params], ['10.0.1.17:8000', false, []]);
    const looks = asked.filter(({ path }) => path === '/metrics');
    assert.deepEqual([looks.length, looks[0]?.params], [FURTHER_LOOKS, [['a', 'b']]]);
  });

  test('a model that is loading is named beside the page that does not come', async () => {
    const loading = {
      code: 'status',
      message: 'cannot scrape x: it answered status 503; wait',
      status: 503,
    } as const;
    const { checks, forecast } = await diagnoseTarget(
      targetAt('a:1'),
      portsOf({ scrape: () => loading }),
      60_000,
    );
    assert.deepEqual(namesOf(checks), ['dns ok', 'tcp ok', 'http failed', 'ready warning']);
    assert.deepEqual(
      [checks[2]?.message, checks[2]?.remedy],
      ['cannot scrape x: it answered status 503', 'wait'],
    );
    assert.equal(forecast, undefined);
  });

  test('a page that takes more than half of its timeout is slow', async () => {
    let now = 0;
    const slow = (tookMs: number) => (target: Target) => {
      if (target.path === '') now += tookMs;
      return target.path.startsWith('/v1/') ? ABSENT : pageOf(PAGE);
    };
    const statusOf = async (tookMs: number) => {
      const ports = portsOf({ scrape: slow(tookMs), nowMs: () => now });
      const { checks } = await diagnoseTarget(targetAt('a:1'), ports, Infinity);
      return checks.find(({ name }) => name === 'http')?.status;
    };
    assert.deepEqual([await statusOf(5_000), await statusOf(5_001)], ['ok', 'warning']);
  });

  test('every request ends with the target’s budget, or earlier with the run', async () => {
    const deadlines = new Set<number>();
    const scrape = (_: Target, deadlineMs: number) => {
      deadlines.add(deadlineMs);
      return pageOf(PAGE);
    };
    await diagnoseTarget(targetAt('a:1'), portsOf({ scrape, nowMs: () => 1_000 }), 60_000);
    assert.deepEqual([...deadlines], [1_000 + TARGET_BUDGET_MS]);
    deadlines.clear();
    await diagnoseTarget(targetAt('a:1'), portsOf({ scrape, nowMs: () => 1_000 }), 5_000);
    assert.deepEqual([...deadlines], [5_000]);
  });
});

describe('several targets', () => {
  test('in their order, at most so many at once', async () => {
    let running = 0;
    let most = 0;
    const scrape = async (target: Target): Promise<ScrapeResult> => {
      if (target.path.startsWith('/v1/')) return ABSENT;
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return pageOf(PAGE);
    };
    const targets = Array.from({ length: MAX_CONCURRENT_TARGETS * 2 + 1 }, (_, i) =>
      targetAt(`10.0.1.${i}:8000`),
    );
    const diagnoses = await diagnose({ targets, deadlineMs: 60_000 }, portsOf({ scrape }));
    assert.equal(most, MAX_CONCURRENT_TARGETS);
    const urls = diagnoses.map((one) => ('url' in one ? one.url : one.kind));
    assert.deepEqual(urls, [...targets.map(({ address }) => `http://${address}/metrics`), 'dynatrace']);
  });

  test('whose turn comes too late has failed, not passed', async () => {
    const ports = portsOf({ nowMs: () => 1_000 });
    const [late, dynatrace] = await diagnose({ targets: [targetAt('a:1')], deadlineMs: 1_000 }, ports);
    assert.deepEqual(namesOf(late?.checks ?? []), ['dns failed']);
    assert.deepEqual(namesOf(dynatrace?.checks ?? []), ['endpoint skipped']);
  });
});
