/**
 * A Kubernetes cluster with one workload of NIMs: its pods come and go, its API server lists them or is silent, and the
 * shipped discovery asks it. Each pod is a place of the world once it has an address.
 */
import { createDiscovery } from '../../functions/adapters/discovery.ts';
import type { HttpResult } from '../../functions/adapters/http.ts';
import { createKubernetesDiscovery } from '../../functions/adapters/kubernetes-sd.ts';
import type { Discovery } from '../../functions/core/discovery.ts';
import type { Clock } from '../../functions/core/ports.ts';
import type { ScrapeConfig } from '../../functions/core/scrape-config.ts';
import type { ClusterKind, Event } from './commands.ts';
import type { Mischief } from './mischief.ts';
import { UID_LABEL } from './names.ts';
import { type NimKind, createNim } from './nim.ts';
import { type Place, newPlace } from './places.ts';

export interface Cluster {
  readonly discover: Discovery<ScrapeConfig>;
  /** Whether the last list that was read has it as a target. */
  readonly isListed: (uid: string) => boolean;
  /** What goes on by itself between two ticks. */
  readonly begin: (ticks: number, nowMs: number) => void;
  /** Whether the event was its business. */
  readonly happen: (event: Event, ticks: number, nowMs: number) => boolean;
  /** No fault happens any more. */
  readonly heal: () => void;
}

interface Pod {
  readonly uid: string;
  readonly name: string;
  readonly kind: NimKind;
  phase: 'Pending' | 'Running' | 'Failed';
  /** Undefined while it has no address. */
  place: Place | undefined;
  /** The tick at which one that is Terminating, or Failed, is gone. */
  goneAt: number | undefined;
  /** Another of its name comes then. */
  isMadeAnew: boolean;
}

const SCRAPE = 'metrics.dynatrace.com/scrape';
const PORT = 8000;
const MAX_PODS = 4;
/** Objects on a page of a list, far fewer than were asked for. */
const PAGE_OBJECTS = 2;
const FAILED_FOR_TICKS = 3;

/** The document that names the pods. */
export function clusterDocument({ chosenBy, instance }: ClusterKind, metricNames: 'nim' | 'raw'): string {
  const sd = { role: 'pod', api_server: 'eks://nim', dynatrace: { annotations: chosenBy === 'annotations' } };
  const scrape = '__meta_kubernetes_pod_annotation_metrics_dynatrace_com_scrape';
  const rules = [
    { source_labels: ['__meta_kubernetes_pod_uid'], target_label: UID_LABEL },
    ...(chosenBy === 'rules' ? [{ source_labels: [scrape], regex: 'true', action: 'keep' }] : []),
    ...(instance === 'pod name'
      ? [{ source_labels: ['__meta_kubernetes_pod_name'], target_label: 'instance' }]
      : []),
  ];
  const job = { job_name: 'nim', kubernetes_sd_configs: [sd], relabel_configs: rules };
  return JSON.stringify({ scrape_configs: [{ ...job, dynatrace: { metric_names: metricNames } }] });
}

/** `places` grows with its pods. */
export function createCluster(
  kind: ClusterKind,
  kinds: readonly NimKind[],
  places: Place[],
  clock: Clock,
  happened: Mischief['happened'],
): Cluster {
  const pods = new Set<Pod>();
  const rolling: Pod[] = [];
  let listed: ReadonlySet<string> = new Set();
  let serial = 0;
  let addresses = 0;
  let failsUntil = 0;
  let now = 0;

  const create = (nim: NimKind, name = nameOf(kind, pods, serial)): Pod => {
    const uid = `uid-${serial++}`;
    const pod: Pod = {
      uid,
      name,
      kind: nim,
      phase: 'Pending',
      place: undefined,
      goneAt: undefined,
      isMadeAnew: false,
    };
    pods.add(pod);
    return pod;
  };
  const run = (pod: Pod, nowMs: number, ageMs: number, address = `10.0.1.${++addresses}:${PORT}`): void => {
    const nim = createNim({ ...pod.kind, ageS: ageMs / 1_000 }, nowMs, `${pod.uid} `);
    pod.phase = 'Running';
    pod.place = newPlace(pod.uid, address, nim, nowMs - ageMs);
    places.push(pod.place);
  };
  const end = (pod: Pod): void => {
    if (pod.place !== undefined) pod.place.isUp = false;
  };
  const remove = (pod: Pod): void => {
    end(pod);
    pods.delete(pod);
  };
  const isStaying = ({ goneAt }: Pod): boolean => goneAt === undefined;
  const terminate = (pod: Pod, goneAt: number, isMadeAnew: boolean): void => {
    pod.goneAt = goneAt;
    pod.isMadeAnew = isMadeAnew;
  };
  /** How old a process on an address can be that was another's until the world's last moment. */
  const ageAfterMs = (nowMs: number): number => Math.min(30_000, nowMs - clock.wallMs() - 500);

  for (const nim of kinds) run(create(nim), clock.wallMs(), nim.ageS * 1_000);

  const replace = (pod: Pod, ticks: number, graceTicks: number): void => {
    if (kind.workload === 'Deployment') create(pod.kind);
    terminate(pod, ticks + graceTicks, kind.workload === 'StatefulSet');
  };

  const open = (): Discovery<ScrapeConfig> => {
    const http = {
      request: ({ url }: { readonly url: URL }) => Promise.resolve(answer(url)),
      close: () => Promise.resolve(),
    };
    const nowhere = (): Promise<never> => Promise.reject(new Error('nobody asks for this'));
    const access = { code: 'access', url: new URL('https://eks.test'), ca: '', token: 'token' } as const;
    const deps = { http, clock, secrets: nowhere, eks: () => Promise.resolve(access) };
    return createDiscovery({ dns: nowhere, http: nowhere, kubernetes: createKubernetesDiscovery(deps) });
  };
  const answer = (url: URL): HttpResult => {
    if (now < failsUntil) return { code: 'connect', sent: false, cause: 'as simulated' };
    const isOfPods = url.pathname.endsWith('/pods');
    const items = isOfPods ? [...pods].map((pod) => podObject(pod, kind, now)) : [];
    if (isOfPods) {
      const targets = items.filter(
        ({ status, metadata }) => status.phase === 'Running' && SCRAPE in metadata.annotations,
      );
      listed = new Set(targets.map(({ metadata }) => metadata.uid));
    }
    const from = Number(url.searchParams.get('continue') ?? 0);
    const next = from + PAGE_OBJECTS;
    const metadata = next < items.length ? { continue: String(next) } : {};
    const body = new TextEncoder().encode(JSON.stringify({ items: items.slice(from, next), metadata }));
    return { code: 'answer', status: 200, headers: {}, body };
  };
  let discovery = open();

  return {
    discover: (config, deadlineMs) => discovery(config, deadlineMs),
    isListed: (uid) => listed.has(uid),
    heal: () => {
      failsUntil = 0;
    },
    begin: (ticks, nowMs) => {
      now = ticks;
      for (const pod of pods) {
        if (pod.phase === 'Pending') run(pod, nowMs, 20_000);
        if (pod.goneAt === undefined || pod.goneAt > ticks) continue;
        remove(pod);
        if (pod.isMadeAnew) create(pod.kind, pod.name);
      }
      const isCalm = [...pods].every((pod) => pod.phase === 'Running' && isStaying(pod));
      while (isCalm && rolling.length > 0) {
        const next = rolling.shift();
        if (next === undefined || !pods.has(next)) continue;
        replace(next, ticks, 2);
        if (rolling.length === 0) happened('rolled');
        break;
      }
    },
    happen: (event, ticks, nowMs) => {
      const staying = [...pods].filter((pod) => pod.phase === 'Running' && isStaying(pod));
      const podOf = (of: number): Pod | undefined => staying[of % staying.length];
      switch (event.kind) {
        case 'roll':
          if (rolling.length === 0) rolling.push(...staying);
          happened('roll');
          return true;
        case 'replace': {
          const pod = podOf(event.of);
          // Without a start time nobody can tell the two apart until the next list.
          if (pod?.place === undefined || !pod.kind.startTime) return true;
          remove(pod);
          const isNamesake = kind.workload === 'StatefulSet';
          const next = isNamesake ? create(pod.kind, pod.name) : create(pod.kind);
          run(next, nowMs, ageAfterMs(nowMs), pod.place.address);
          happened('replace');
          return true;
        }
        case 'evict': {
          const pod = podOf(event.of);
          if (pod?.place === undefined) return true;
          pod.phase = 'Failed';
          end(pod);
          happened('evict');
          const isNamesake = kind.workload === 'StatefulSet';
          terminate(pod, ticks + FAILED_FOR_TICKS, isNamesake);
          if (isNamesake) return true;
          const next = create(pod.kind);
          if (pod.kind.startTime) run(next, nowMs, ageAfterMs(nowMs), pod.place.address);
          return true;
        }
        case 'scale': {
          const [first] = kinds;
          for (let i = staying.length; i < event.pods && pods.size < MAX_PODS && first !== undefined; i++) {
            create(kinds[i] ?? first);
            happened('scale up');
          }
          for (const pod of staying.slice(event.pods)) {
            terminate(pod, ticks + 1, false);
            happened('scale down');
          }
          return true;
        }
        case 'discovery':
          failsUntil = ticks + event.ticks;
          if (event.cold) discovery = open();
          happened(event.cold ? 'discovery cold' : 'discovery failed');
          return true;
        default:
          return false;
      }
    },
  };
}

/** A StatefulSet's ordinals, or the random names of a Deployment. */
function nameOf({ workload }: ClusterKind, pods: ReadonlySet<Pod>, serial: number): string {
  if (workload === 'Deployment') return `nim-5d9c-${serial}`;
  const names = new Set([...pods].map(({ name }) => name));
  let ordinal = 0;
  while (names.has(`nim-${ordinal}`)) ordinal++;
  return `nim-${ordinal}`;
}

/** As the API server has it. */
function podObject({ uid, name, phase, place, goneAt }: Pod, { workload }: ClusterKind, ticks: number) {
  const isNamed = place === undefined || ticks >= place.vanishedUntil;
  const [ip = ''] = place?.address.split(':') ?? [];
  const owner =
    workload === 'Deployment'
      ? { kind: 'ReplicaSet', name: 'nim-5d9c', controller: true }
      : { kind: 'StatefulSet', name: 'nim', controller: true };
  return {
    metadata: {
      name,
      namespace: 'nim',
      uid,
      labels: { app: 'nim', ...(workload === 'Deployment' ? { 'pod-template-hash': '5d9c' } : {}) },
      annotations: isNamed ? { [SCRAPE]: 'true' } : {},
      ownerReferences: [owner],
      ...(goneAt === undefined || phase === 'Failed' ? {} : { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    },
    spec: {
      nodeName: 'node-1',
      containers: [{ name: 'nim', image: 'nim', ports: [{ name: 'http', containerPort: PORT }] }],
    },
    status: {
      phase,
      podIP: ip,
      hostIP: '10.0.0.1',
      conditions: [{ type: 'Ready', status: phase === 'Running' && goneAt === undefined ? 'True' : 'False' }],
    },
  };
}
