/** `kubernetes_sd_configs` of role `pod`: Prometheus watches, here each tick lists; Dynatrace's annotations on request. */
import type { Discovery, ListAnswer } from '../core/discovery.ts';
import {
  type AnnotatedService,
  annotatedGroups,
  annotatedServices,
  misplacedAnnotations,
} from '../core/kubernetes/annotated.ts';
import { type Pod, readPod, readService, readWorkload } from '../core/kubernetes/objects.ts';
import { podGroups } from '../core/kubernetes/pod-groups.ts';
import type { Clock } from '../core/ports.ts';
import type { KubernetesSdConfig, TargetGroup } from '../core/scrape-config.ts';
import type { Secrets } from '../core/secrets.ts';
import { clientRequest } from './client-request.ts';
import type { Eks } from './eks.ts';
import type { Http } from './http.ts';
import { type ApiServer, type ListFailure, listObjects } from './kubernetes-lists.ts';
import { rememberLists } from './remembered-lists.ts';

/** Less than a tick: pods are listed once in each, by however many jobs. */
const REFRESH_MS = 30_000;
/** Workloads are only looked at for misplaced annotations: no hurry. */
export const HINTS_EVERY_MS = 10 * 60_000;
/** And the targets of this tick wait for them so long at most. */
export const HINTS_WITHIN_MS = 2_000;
/**
 * Targets of one source before relabelling: two ports for each pod of the longest list. With the list of the tick before
 * they fit the dispatch function's memory (20,000 of them took 60 MB).
 */
export const MAX_FOUND_TARGETS = 40_000;
/** Sentences of one source in one tick; a cluster full of the same mistake need not fill the log. */
export const MAX_NAMED_PROBLEMS = 10;

const WORKLOADS = [
  ['deployments', 'Deployment'],
  ['statefulsets', 'StatefulSet'],
  ['daemonsets', 'DaemonSet'],
] as const;

interface KubernetesDeps {
  readonly http: Http;
  readonly clock: Clock;
  readonly secrets: Secrets;
  readonly eks: Eks;
  /** `<cluster>/<namespace>`: where a cluster of EKS is named, its others may not be asked for. Default: all may. */
  readonly grantedNamespaces?: readonly string[] | undefined;
}

export function createKubernetesDiscovery(deps: KubernetesDeps): Discovery<KubernetesSdConfig> {
  const hintedAtMs = new Map<string, number>();
  return rememberLists(
    (config, deadlineMs) => discover(config, deadlineMs, deps, hintedAtMs),
    () => REFRESH_MS,
    deps.clock,
  );
}

async function discover(
  config: KubernetesSdConfig,
  deadlineMs: number,
  deps: KubernetesDeps,
  hintedAtMs: Map<string, number>,
): Promise<ListAnswer> {
  const { http, clock } = deps;
  const refusal = refusalOf(config, deps.grantedNamespaces ?? []);
  if (refusal !== undefined) return failedList(config, 'pods', { code: 'failed', cause: refusal });
  const listedAtMs = clock.wallMs();
  const server: ApiServer = { http, clock, deadlineMs, access: accessOf(config, deadlineMs, deps) };
  const problems: string[] = [];
  const services = config.annotations ? await listServices(server, config) : [];
  if ('code' in services) {
    if (services.code === 'failed') return failedList(config, 'services', services);
    problems.push(
      `${failedList(config, 'services', services).message}; annotations of services are not read`,
    );
  }
  const pods = await listPods(server, config, 'code' in services ? [] : services);
  if ('code' in pods) return failedList(config, 'pods', pods);
  problems.push(...pods.problems);
  if (config.annotations) problems.push(...(await hints(server, config, hintedAtMs)));
  const over = problems.length - MAX_NAMED_PROBLEMS;
  const named = problems.slice(0, MAX_NAMED_PROBLEMS);
  return {
    code: 'list',
    groups: pods.groups.map((group) => ({ ...group, own: { ...group.own, listedAtMs } })),
    problems: over <= 0 ? named : [...named, `and ${over} more of ${config.apiServer}`],
  };
}

function failedList({ apiServer }: KubernetesSdConfig, what: string, { cause }: ListFailure) {
  return { code: 'failed' as const, message: `cannot list the ${what} of ${apiServer}: ${cause}` };
}

/** Why these namespaces may not be asked for: a deployment may grant some of a cluster's. */
function refusalOf(
  { apiServer, namespaces }: KubernetesSdConfig,
  granted: readonly string[],
): string | undefined {
  const start = `${clusterOf(apiServer)}/`;
  const allowed = granted.flatMap((one) => (one.startsWith(start) ? [one.slice(start.length)] : []));
  if (allowed.length === 0) return undefined;
  const other = namespaces.find((namespace) => !allowed.includes(namespace));
  if (other === undefined && namespaces.length > 0) return undefined;
  const what = other === undefined ? 'not all namespaces are' : `the namespace ${other} is not`;
  return `${what} granted, only ${allowed.join(', ')}; name these, or grant more in the construct's prop discovery.eks`;
}

/** EKS has an authority and a token of its own; another server is asked as its document says. */
function accessOf(
  { apiServer, client }: KubernetesSdConfig,
  deadlineMs: number,
  { eks, secrets }: KubernetesDeps,
): ApiServer['access'] {
  const cluster = clusterOf(apiServer);
  const plain = { accept: 'application/json', 'accept-encoding': 'gzip' };
  return async (fresh) => {
    if (cluster !== undefined) {
      const access = await eks(cluster, deadlineMs, fresh);
      if (access.code !== 'access') return { code: 'failed', cause: access.message };
      const { url, ca, token } = access;
      const headers = { ...plain, authorization: `Bearer ${token}` };
      return { code: 'access', url, parts: { headers, tls: { ca, insecureSkipVerify: false } } };
    }
    const request = await clientRequest(client, plain, (reference) => secrets(reference, deadlineMs, fresh));
    if (request.code !== 'request') return { code: 'failed', cause: request.message };
    return { code: 'access', url: new URL(apiServer), parts: request.own };
  };
}

function clusterOf(apiServer: string): string | undefined {
  return apiServer.startsWith('eks://') ? apiServer.slice('eks://'.length) : undefined;
}

/** One path for all namespaces, or one for each. */
function pathsOf({ namespaces }: KubernetesSdConfig, api: string, what: string): readonly string[] {
  return namespaces.length === 0
    ? [`${api}/${what}`]
    : namespaces.map((namespace) => `${api}/namespaces/${namespace}/${what}`);
}

async function listServices(
  server: ApiServer,
  config: KubernetesSdConfig,
): Promise<readonly AnnotatedService[] | ListFailure> {
  const all: AnnotatedService[] = [];
  for (const path of pathsOf(config, '/api/v1', 'services')) {
    const listed = await listObjects(server, path, {}, (item) => {
      const service = readService(item);
      return service === undefined ? [] : annotatedServices([service]);
    });
    if (listed.code !== 'listed') return listed;
    all.push(...listed.found);
  }
  return all;
}

interface FoundPods {
  readonly groups: readonly TargetGroup[];
  readonly problems: readonly string[];
}

/** Of each page only targets are kept: a cluster's pods are many, and those that are scraped few. */
async function listPods(
  server: ApiServer,
  config: KubernetesSdConfig,
  services: readonly AnnotatedService[],
): Promise<FoundPods | ListFailure> {
  const { labelSelector, fieldSelector, annotations, apiServer } = config;
  const cluster = clusterOf(apiServer);
  const query = { ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) };
  const targetsOf = (pod: Pod): FoundPods =>
    annotations ? annotatedGroups(pod, services, cluster) : { groups: podGroups(pod, cluster), problems: [] };
  const all = { groups: [] as TargetGroup[], problems: [] as string[] };
  for (const path of pathsOf(config, '/api/v1', 'pods')) {
    const listed = await listObjects(server, path, query, (item) => {
      const pod = readPod(item);
      return pod === undefined ? [] : [[`${pod.namespace}/${pod.name}`, targetsOf(pod)] as const];
    });
    if (listed.code !== 'listed') return listed;
    // By name: one that comes twice, as while it is replaced, is the later.
    for (const { groups, problems } of new Map(listed.found).values()) {
      all.groups.push(...groups);
      all.problems.push(...problems);
    }
    if (all.groups.length > MAX_FOUND_TARGETS) return { code: 'failed', cause: TOO_MANY };
  }
  return all;
}

const TOO_MANY = `they have more than ${MAX_FOUND_TARGETS} ports; name namespaces or a selector`;

/** Now and then, and only where the caller may: nothing depends on it. */
async function hints(
  server: ApiServer,
  config: KubernetesSdConfig,
  hintedAtMs: Map<string, number>,
): Promise<readonly string[]> {
  const key = `${config.apiServer} ${config.namespaces.join(' ')}`;
  const nowMs = server.clock.wallMs();
  const lastMs = hintedAtMs.get(key);
  if (lastMs !== undefined && nowMs >= lastMs && nowMs - lastMs < HINTS_EVERY_MS) return [];
  hintedAtMs.set(key, nowMs);
  const deadlineMs = Math.min(server.deadlineMs, server.clock.monotonicMs() + HINTS_WITHIN_MS);
  const found: string[] = [];
  for (const [what, kind] of WORKLOADS) {
    for (const path of pathsOf(config, '/apis/apps/v1', what)) {
      const listed = await listObjects({ ...server, deadlineMs }, path, {}, (item) => {
        const workload = readWorkload(item, kind);
        return workload === undefined ? [] : misplacedAnnotations([workload]);
      });
      if (listed.code === 'listed') found.push(...listed.found);
    }
  }
  return found;
}
