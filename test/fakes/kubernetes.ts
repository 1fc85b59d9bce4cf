/**
 * A Kubernetes API server at the wire, as little kind as the real one: small pages, snapshots that expire, tokens that
 * expire, lists that nobody may read, a server that is busy.
 */
import type { ServerResponse } from 'node:http';
import type { ServerOptions } from 'node:https';
import type { TestContext } from 'node:test';
import type { Eks } from '../../functions/adapters/eks.ts';
import { type LocalServer, PKI, type SeenRequest, serveHttp } from '../adapters/local-servers.ts';

export interface KubernetesWorld {
  /** By path, such as `/api/v1/pods`; what is not here is 404. */
  readonly lists: Record<string, readonly object[]>;
  /** By path, such as `/api/v1/namespaces/nim/secrets/llm`. */
  readonly objects: Record<string, unknown>;
  /** Items of a page, whatever the client asks for. */
  pageSize: number;
  /** The tokens that are known; undefined: nobody is asked for one. */
  tokens?: readonly string[];
  /** Paths that answer 403. */
  forbidden: readonly string[];
  /** Called before each page is answered; an answer of its own ends the request. */
  before?: (request: SeenRequest, response: ServerResponse, nth: number) => boolean;
  /** While it is set, each `continue` is of a snapshot that is gone. */
  expired: boolean;
}

export interface FakeKubernetes extends LocalServer {
  readonly world: KubernetesWorld;
}

export async function serveKubernetes(
  t: TestContext,
  lists: KubernetesWorld['lists'],
  tls: boolean | ServerOptions = false,
): Promise<FakeKubernetes> {
  const world: KubernetesWorld = { lists, objects: {}, pageSize: 2, forbidden: [], expired: false };
  const server = await serveHttp(t, (request, response, nth) => answer(world, request, response, nth), tls);
  return { ...server, world };
}

function answer(world: KubernetesWorld, request: SeenRequest, response: ServerResponse, nth: number): void {
  if (world.before?.(request, response, nth) === true) return;
  const { pathname, searchParams } = new URL(request.url, 'http://kubernetes');
  const token = request.headers.authorization?.replace(/^Bearer /, '');
  if (world.tokens !== undefined && !world.tokens.includes(token ?? ''))
    return refuse(response, 401, 'Unauthorized');
  if (world.forbidden.includes(pathname)) return refuse(response, 403, 'Forbidden');
  if (Object.hasOwn(world.objects, pathname)) return send(response, 200, world.objects[pathname]);
  const items = world.lists[pathname];
  if (items === undefined) return refuse(response, 404, 'NotFound');
  const next = searchParams.get('continue');
  if (next !== null && world.expired) return refuse(response, 410, 'Expired');
  const from = Number(next ?? 0);
  const to = Math.min(from + Math.min(world.pageSize, Number(searchParams.get('limit'))), items.length);
  send(response, 200, {
    kind: 'List',
    metadata: { resourceVersion: '7', ...(to < items.length && { continue: String(to) }) },
    items: items.slice(from, to),
  });
}

/** As the API server's Status object. */
export function refuse(response: ServerResponse, code: number, reason: string, headers: object = {}): void {
  send(response, code, { kind: 'Status', status: 'Failure', code, reason }, headers);
}

function send(response: ServerResponse, status: number, body: unknown, headers: object = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Annotations without their common front. */
export function annotated(annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries({ scrape: 'true', ...annotations }).map(([key, value]) => [
      `metrics.dynatrace.com/${key}`,
      value,
    ]),
  );
}

export interface PodText {
  readonly name: string;
  readonly namespace?: string;
  readonly ip?: string;
  readonly phase?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** TCP, unless another protocol is named. */
  readonly ports?: readonly (number | readonly [name: string, number: number, protocol?: string])[];
  readonly more?: object;
}

/** A pod as the API server has it, with one container. */
export function podOf(pod: PodText): object {
  const {
    name,
    namespace = 'nim',
    ip = '10.0.1.17',
    phase = 'Running',
    annotations,
    labels,
    ports = [8000],
  } = pod;
  return {
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      ...(labels && { labels }),
      ...(annotations && { annotations }),
    },
    spec: {
      nodeName: 'node-1',
      containers: [
        {
          name: 'nim',
          image: 'nvcr.io/nim/llm:1.8',
          ports: ports.map((port) =>
            typeof port === 'number'
              ? { containerPort: port, protocol: 'TCP' }
              : { name: port[0], containerPort: port[1], protocol: port[2] ?? 'TCP' },
          ),
        },
      ],
    },
    status: {
      phase,
      ...(ip !== '' && { podIP: ip }),
      hostIP: '10.0.0.9',
      conditions: [{ type: 'Ready', status: phase === 'Running' ? 'True' : 'False' }],
    },
    ...pod.more,
  };
}

/** As eks.ts gives it: the authority is the tests' own, and the token stays the same until it is asked for afresh. */
export function eksAt(
  { port }: LocalServer,
  tokens: readonly [string, ...string[]],
  fresh: string[] = [],
): Eks {
  return (cluster, _, isFresh) => {
    if (isFresh) fresh.push(cluster);
    const token = tokens[Math.min(fresh.length, tokens.length - 1)] ?? '';
    return Promise.resolve({ code: 'access', url: new URL(`https://localhost:${port}`), ca: PKI.ca, token });
  };
}
