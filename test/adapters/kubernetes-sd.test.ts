/** kubernetes_sd_configs against an API server at the wire that is not too kind. */
import assert from 'node:assert/strict';
import type { ServerOptions } from 'node:https';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { systemClock } from '../../functions/adapters/clock.ts';
import type { Eks } from '../../functions/adapters/eks.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import {
  MAX_OBJECTS,
  MAX_PAGE_BYTES,
  PAGE_LIMIT,
  PAGE_TIMEOUT_MS,
} from '../../functions/adapters/kubernetes-lists.ts';
import {
  HINTS_EVERY_MS,
  HINTS_WITHIN_MS,
  MAX_FOUND_TARGETS,
  MAX_NAMED_PROBLEMS,
  createKubernetesDiscovery,
} from '../../functions/adapters/kubernetes-sd.ts';
import type { Discovered } from '../../functions/core/discovery.ts';
import type { KubernetesSdConfig } from '../../functions/core/scrape-config.ts';
import type { Secrets } from '../../functions/core/secrets.ts';
import { type PodText, annotated, eksAt, podOf, refuse, serveKubernetes } from '../fakes/kubernetes.ts';
import { PKI, closedPort } from './local-servers.ts';

const PODS = '/api/v1/pods';
const SERVICES = '/api/v1/services';
const TOKEN = 'ssm:/nim-to-dynatrace/secrets/kubernetes';
const NIM = annotated({ port: '8000' });

async function setUp(
  t: TestContext,
  pods: readonly object[],
  others: Record<string, readonly object[]> = {},
  tls: false | ServerOptions = false,
) {
  const server = await serveKubernetes(t, { [PODS]: pods, [SERVICES]: [], ...others }, tls);
  const http = createHttp({ clock: systemClock });
  t.after(http.close);
  let wallMs = 1_000_000;
  // How far the discovery's clock is behind that of the requests: what is left of each of its waits is short.
  let behindMs = 0;
  const clock = { wallMs: () => wallMs, monotonicMs: () => systemClock.monotonicMs() - behindMs };
  const tokens = ['planted-token'];
  const secrets: Secrets = (_, __, fresh) => {
    const value = (fresh ? tokens.at(-1) : tokens[0]) ?? '';
    return Promise.resolve({ code: 'read', value });
  };
  const given: { eks: Eks } = {
    eks: (cluster) =>
      Promise.resolve({ code: 'failed', message: `cannot reach the cluster ${cluster}: there is none here` }),
  };
  const eks: Eks = (...asked) => given.eks(...asked);
  const discover = createKubernetesDiscovery({ http, clock, secrets, eks });
  const ask = (config: Partial<KubernetesSdConfig> = {}, withinMs = 10_000) =>
    discover(
      {
        apiServer: `http://${server.address}`,
        namespaces: [],
        labelSelector: '',
        fieldSelector: '',
        annotations: true,
        client: { followRedirects: true, httpHeaders: [] },
        ...config,
      },
      clock.monotonicMs() + withinMs,
    );
  const leaveMs = (ofMs: number, ms: number) => (behindMs = ofMs - ms);
  /** The same server as a cluster of EKS. */
  const reach = (access: Eks) => (given.eks = access);
  return { ask, server, world: server.world, tokens, passMs: (ms: number) => (wallMs += ms), leaveMs, reach };
}

const nims = (...pods: readonly PodText[]) => pods.map((pod) => podOf({ annotations: NIM, ...pod }));
const targetsOf = ({ groups }: Discovered) => groups.flatMap((group) => group.targets);

function assertTargets(found: Discovered, targets: readonly string[]): void {
  assert.deepEqual([targetsOf(found), found.complete, found.problems], [targets, true, []]);
}

const five = Array.from({ length: 5 }, (_, n) => ({ name: `llm-${n}`, ip: `10.0.1.${n}` }));
const fiveTargets = five.map(({ ip }) => `${ip}:8000`);

describe('lists', () => {
  test('of several pages are whole, each asked for with a limit', async (t) => {
    const { ask, server } = await setUp(t, nims(...five));
    assertTargets(await ask(), fiveTargets);
    const pages = server.requests.filter(({ url }) => url.startsWith(PODS));
    assert.equal(pages.length, 3);
    for (const { url } of pages) assert.match(url, new RegExp(`[?&]limit=${PAGE_LIMIT}(?:&|$)`));
  });

  test('are used for half a minute, and then asked for again', async (t) => {
    const { ask, server, world, passMs } = await setUp(t, nims(...five));
    await ask();
    const { length } = server.requests;
    world.lists[PODS] = [];
    assertTargets(await ask(), fiveTargets);
    assert.equal(server.requests.length, length);
    passMs(30_000);
    assertTargets(await ask(), []);
  });

  test('that expire in their middle (410) begin anew, and what was seen before does not count', async (t) => {
    const { ask, world } = await setUp(t, nims(...five));
    world.before = (request, response) => {
      if (!request.url.includes('continue=4')) return false;
      delete world.before;
      world.lists[PODS] = nims(...five.slice(3));
      refuse(response, 410, 'Expired');
      return true;
    };
    assertTargets(await ask(), fiveTargets.slice(3));
  });

  test('that expire again and again are told, and the last whole one stays in force', async (t) => {
    const { ask, world, passMs } = await setUp(t, nims(...five));
    await ask();
    world.expired = true;
    passMs(30_000);
    const found = await ask();
    assert.deepEqual([targetsOf(found), found.complete], [fiveTargets, true]);
    assert.match(
      found.problems[0] ?? '',
      /^cannot list the pods of http:.*expired again and again.*; its last list stays/,
    );
  });

  test('an empty one after an expired one is an empty one', async (t) => {
    const { ask, world } = await setUp(t, nims(...five));
    world.before = (request, response) => {
      if (!request.url.includes('continue=')) return false;
      world.lists[PODS] = [];
      refuse(response, 410, 'Expired');
      return true;
    };
    assertTargets(await ask(), []);
  });

  test('namespaces are lists of their own; selectors go to the server as they are written', async (t) => {
    const path = (namespace: string, what: string) => `/api/v1/namespaces/${namespace}/${what}`;
    const { ask, server } = await setUp(t, nims({ name: 'elsewhere' }), {
      [path('a', 'pods')]: nims({ name: 'in-a', ip: '10.0.0.1' }),
      [path('b', 'pods')]: nims({ name: 'in-b', ip: '10.0.0.2' }),
      [path('a', 'services')]: [],
      [path('b', 'services')]: [],
    });
    const found = await ask({
      namespaces: ['a', 'b'],
      labelSelector: 'app in (nim,llm)',
      fieldSelector: 'spec.nodeName=n',
    });
    assertTargets(found, ['10.0.0.1:8000', '10.0.0.2:8000']);
    const [first] = server.requests.filter(({ url }) => url.startsWith(path('a', 'pods')));
    const { searchParams } = new URL(first?.url ?? '', 'http://kubernetes');
    assert.deepEqual(
      [searchParams.get('labelSelector'), searchParams.get('fieldSelector')],
      ['app in (nim,llm)', 'spec.nodeName=n'],
    );
  });

  test('pods that come and go between pages: one that comes twice is the later, or none where that has ended', async (t) => {
    const { ask, world } = await setUp(t, nims(...five));
    world.before = ({ url }) => {
      if (url.includes('continue=2'))
        world.lists[PODS] = [
          ...nims(...five.slice(1, 3)),
          podOf({ name: 'llm-0', ip: '10.0.1.0', phase: 'Failed', annotations: NIM }),
          ...nims({ name: 'llm-1', ip: '10.0.1.99' }),
        ];
      return false;
    };
    assertTargets(await ask(), ['10.0.1.99:8000']);
  });

  test('a page as long as its bound allows, and a byte more', async (t) => {
    const { ask, world, passMs } = await setUp(t, nims(...five));
    let length = MAX_PAGE_BYTES - 1;
    world.before = ({ url }, response) => {
      if (!url.startsWith(PODS)) return false;
      response.end(JSON.stringify({ items: nims(...five) }).padEnd(length));
      return true;
    };
    assertTargets(await ask(), fiveTargets);
    length += 1;
    passMs(30_000);
    assert.match((await ask()).problems[0] ?? '', /the body reached 20971520 bytes; its last list stays/);
  });

  test('as many ports as are held in memory, and one more', async (t) => {
    const { ask, world, passMs } = await setUp(t, []);
    world.pageSize = PAGE_LIMIT;
    const ports = Array.from({ length: 100 }, (_, n) => n + 1);
    const crowd = Array.from({ length: MAX_FOUND_TARGETS / 100 }, (_, n) => podOf({ name: `p${n}`, ports }));
    world.lists[PODS] = crowd;
    assert.equal((await ask({ annotations: false })).groups.length, MAX_FOUND_TARGETS);
    world.lists[PODS] = [...crowd, podOf({ name: 'more' })];
    passMs(30_000);
    const found = await ask({ annotations: false });
    assert.match(
      found.problems[0] ?? '',
      /cannot list the pods of .*: they have more than 40000 ports; name/,
    );
    assert.equal(found.groups.length, MAX_FOUND_TARGETS, 'its last list');
  });

  test('a cluster of 10,000 pods, few of them annotated; one past the bound is told', async (t) => {
    const { ask, world, passMs } = await setUp(t, []);
    world.pageSize = PAGE_LIMIT;
    const crowd = Array.from({ length: 10_000 }, (_, n) => podOf({ name: `other-${n}` }));
    world.lists[PODS] = [...crowd, ...nims(...five)];
    assertTargets(await ask(), fiveTargets);
    world.lists[PODS] = Array.from({ length: MAX_OBJECTS }, () => crowd[0] as object);
    passMs(30_000);
    assertTargets(await ask(), []);
    world.lists[PODS] = [...(world.lists[PODS] ?? []), crowd[0] as object];
    passMs(30_000);
    assert.match((await ask()).problems[0] ?? '', /more than 20000 of them; name namespaces or a selector/);
  });
});

describe('a server that refuses', () => {
  const client = {
    authorization: { type: 'Bearer', credentials: TOKEN },
    followRedirects: true,
    httpHeaders: [],
  };

  test('an expired token (401) is read anew, in the middle of a list, too', async (t) => {
    const { ask, world, tokens } = await setUp(t, nims(...five));
    world.tokens = ['planted-token'];
    world.before = (request) => {
      if (request.url.includes('continue=2')) {
        world.tokens = ['planted-new'];
        tokens.splice(0, 1, 'planted-token', 'planted-new');
        delete world.before;
      }
      return false;
    };
    assertTargets(await ask({ client }), fiveTargets);
  });

  test('a token that stays unknown is told with the fix, and never printed', async (t) => {
    const { ask, world } = await setUp(t, nims(...five));
    world.tokens = ['another'];
    const found = await ask({ client });
    assert.deepEqual([targetsOf(found), found.complete], [[], false]);
    assert.match(found.problems[0] ?? '', /does not know the caller \(401\); give the role an access entry/);
    assert.doesNotMatch(JSON.stringify(found), /planted/);
  });

  test('one that hangs is waited for ten seconds a page, whatever the tick has left', async (t) => {
    const { ask, world, leaveMs } = await setUp(t, nims(...five));
    world.before = ({ url }) => url.startsWith(PODS);
    leaveMs(PAGE_TIMEOUT_MS, 50);
    const found = await ask({}, 600_000);
    assert.match(
      found.problems[0] ?? '',
      /cannot list the pods of .*: no answer in time; its targets are not/,
    );
    assert.equal(found.complete, false);
  });

  test('workloads that hang do not keep pods waiting', async (t) => {
    const { ask, world, leaveMs } = await setUp(t, nims(...five));
    world.before = ({ url }) => url.startsWith('/apis/apps');
    leaveMs(HINTS_WITHIN_MS, 50);
    assertTargets(await ask({}, 600_000), fiveTargets);
  });

  test('of EKS over TLS: its token is made anew once it is refused, in the middle of a list, too', async (t) => {
    const { ask, server, world, reach } = await setUp(t, nims(...five), {}, PKI.server);
    const fresh: string[] = [];
    world.tokens = ['planted-1'];
    reach(eksAt(server, ['planted-1', 'planted-2'], fresh));
    world.before = ({ url }) => {
      if (url.includes('continue=2')) world.tokens = ['planted-2'];
      return false;
    };
    const found = await ask({ apiServer: 'eks://prod' });
    assertTargets(found, fiveTargets);
    assert.deepEqual(fresh, ['prod']);
    assert.equal(found.groups[0]?.own?.attributes?.['k8s.cluster.name'], 'prod');
  });

  test('a cluster that is not the one of its certificate is told the token by nobody', async (t) => {
    const { ask, server, reach } = await setUp(t, nims(...five), {}, PKI.expired);
    reach(eksAt(server, ['planted']));
    const found = await ask({ apiServer: 'eks://prod' });
    assert.match(found.problems[0] ?? '', /cannot list the services of eks:\/\/prod: TLS failed: /);
    assert.equal(server.requests.length, 0);
  });

  test('pods that may not be listed are told; services that may not do not stop pods', async (t) => {
    const { ask, world, passMs } = await setUp(t, nims(...five));
    world.forbidden = [SERVICES];
    const found = await ask();
    assert.deepEqual([targetsOf(found), found.complete], [fiveTargets, true]);
    assert.match(
      found.problems[0] ?? '',
      /may not list services \(403\); bind a Role.*; annotations of services are not read/,
    );
    world.forbidden = [PODS];
    passMs(30_000);
    assert.match(
      (await ask()).problems[0] ?? '',
      /may not list pods \(403\); bind a Role.*; its last list stays in force/,
    );
  });

  test('a busy one (429) is asked again after Retry-After; one that stays busy is told', async (t) => {
    const { ask, world, server } = await setUp(t, nims(...five));
    let refusals = 2;
    world.before = (_, response) => {
      if (refusals-- <= 0) return false;
      refuse(response, 429, 'TooManyRequests', { 'retry-after': '0.01' });
      return true;
    };
    assertTargets(await ask(), fiveTargets);
    assert.equal(server.requests.filter(({ url }) => url.startsWith(SERVICES)).length, 3);
    refusals = Infinity;
    const late = await ask({ namespaces: ['busy'] });
    assert.match(
      late.problems[0] ?? '',
      /cannot list the services of .*: it answered status 429; its targets are not scraped/,
    );
    assert.equal(late.complete, false);
  });

  test('one that is not there, has no such list, or answers no list', async (t) => {
    const { ask, world } = await setUp(t, nims(...five));
    const gone = await ask({ apiServer: `http://127.0.0.1:${await closedPort()}` });
    assert.match(
      gone.problems[0] ?? '',
      /the connection was refused; its targets are not scraped until it answers/,
    );
    assert.match(
      (await ask({ namespaces: ['none'] })).problems[0] ?? '',
      /no such list \(404\); check api_server/,
    );
    world.before = (_, response) => {
      response.end('<html>');
      return true;
    };
    assert.match((await ask()).problems[0] ?? '', /its answer is no JSON/);
    const eks = await ask({ apiServer: 'eks://prod' });
    assert.match(
      eks.problems[0] ?? '',
      /cannot list the services of eks:\/\/prod: cannot reach the cluster prod/,
    );
  });
});

describe('annotations', () => {
  test('workloads that carry them in the wrong place are told now and then, where the caller may look', async (t) => {
    const deployment = {
      metadata: { name: 'llm', namespace: 'nim', annotations: annotated({}) },
      spec: { template: { metadata: {} } },
    };
    const { ask, passMs, world } = await setUp(t, nims(...five), {
      '/apis/apps/v1/deployments': [deployment],
    });
    const hint =
      'cannot scrape the pods of nim/llm: metrics.dynatrace.com/scrape is an annotation of the Deployment itself, not of its pods; move it to spec.template.metadata.annotations';
    assert.deepEqual((await ask()).problems, [hint]);
    passMs(30_000);
    assertTargets(await ask(), fiveTargets);
    passMs(HINTS_EVERY_MS);
    assert.deepEqual((await ask()).problems, [hint]);
    passMs(HINTS_EVERY_MS);
    world.forbidden = ['/apis/apps/v1/deployments'];
    assertTargets(await ask(), fiveTargets);
  });

  test('without them every port of every pod is a target, as in Prometheus', async (t) => {
    const { ask, server } = await setUp(t, [podOf({ name: 'a', ports: [8000, 9400] })]);
    assertTargets(await ask({ annotations: false }), ['10.0.1.17:8000', '10.0.1.17:9400']);
    assert.ok(server.requests.every(({ url }) => url.startsWith(PODS)));
  });

  test('the same mistake of many pods is named up to a bound', async (t) => {
    const wrong = annotated({ port: 'eight thousand' });
    const many = Array.from({ length: MAX_NAMED_PROBLEMS + 1 }, (_, n) =>
      podOf({ name: `p${n}`, annotations: wrong }),
    );
    const { ask } = await setUp(t, many);
    const { problems } = await ask();
    assert.equal(problems.length, MAX_NAMED_PROBLEMS + 1);
    assert.match(
      problems[0] ?? '',
      /cannot scrape the pod nim\/p0: the annotation metrics.dynatrace.com\/port is no port; write/,
    );
    assert.match(problems.at(-1) ?? '', /^and 1 more of http:/);
  });
});
