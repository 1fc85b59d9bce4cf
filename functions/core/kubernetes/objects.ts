/**
 * What is taken of Kubernetes' objects (API reference v1: Pod, Service, and the pod template of a workload). The API
 * server is not of this program's making: whatever has another form is absent, and names and maps are bounded by it.
 */

/** What all objects have. */
export interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly labels: StringMap;
  readonly annotations: StringMap;
}

export type StringMap = Readonly<Record<string, string>>;

export interface Pod extends Metadata {
  /** Empty while the pod starts. */
  readonly ip: string;
  readonly hostIp: string;
  readonly node: string;
  readonly phase: string;
  /** Of the condition Ready, in small letters; `unknown` where there is none. */
  readonly ready: string;
  /** The owner that controls it. */
  readonly controller?: Controller;
  /** Those of the pod, then those that run before them. */
  readonly containers: readonly Container[];
}

export interface Controller {
  readonly kind: string;
  readonly name: string;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly id: string;
  readonly isInit: boolean;
  /** False of one that ends before the others start; an init container that restarts always runs beside them. */
  readonly isLasting: boolean;
  readonly ports: readonly ContainerPort[];
}

export interface ContainerPort {
  readonly name: string;
  readonly number: number;
  readonly protocol: string;
}

export interface Service extends Metadata {
  /** Empty: it picks no pods. */
  readonly selector: StringMap;
  /** Target ports of TCP, numbers or names of ports of the pod. */
  readonly ports: readonly (number | string)[];
}

/** A Deployment, StatefulSet or DaemonSet. */
export interface Workload extends Metadata {
  readonly kind: string;
  /** Of its pod template. */
  readonly podAnnotations: StringMap;
}

/** Undefined for what is no pod. */
export function readPod(item: unknown): Pod | undefined {
  const metadata = readMetadata(item);
  if (metadata === undefined) return undefined;
  const { spec, status } = mapOf(item);
  const { podIP, hostIP, phase, conditions, containerStatuses, initContainerStatuses } = mapOf(status);
  const { nodeName, containers, initContainers } = mapOf(spec);
  const controller = controllerOf(mapOf(mapOf(item)['metadata'])['ownerReferences']);
  return {
    ...metadata,
    ip: textOf(podIP),
    hostIp: textOf(hostIP),
    node: textOf(nodeName),
    phase: textOf(phase),
    ready: readyOf(conditions),
    ...(controller === undefined ? {} : { controller }),
    containers: [
      ...readContainers(containers, containerStatuses, false),
      ...readContainers(initContainers, initContainerStatuses, true),
    ],
  };
}

export function readService(item: unknown): Service | undefined {
  const metadata = readMetadata(item);
  if (metadata === undefined) return undefined;
  const { selector, ports } = mapOf(mapOf(item)['spec']);
  return {
    ...metadata,
    selector: readStrings(selector),
    ports: listOf(ports).flatMap((port) => {
      const { port: own, targetPort, protocol } = mapOf(port);
      const target = targetPort ?? own;
      if ((textOf(protocol) || 'TCP') !== 'TCP') return [];
      return typeof target === 'number' || typeof target === 'string' ? [target] : [];
    }),
  };
}

/** `kind`: a list's items do not say it. */
export function readWorkload(item: unknown, kind: string): Workload | undefined {
  const metadata = readMetadata(item);
  if (metadata === undefined) return undefined;
  const template = mapOf(mapOf(mapOf(item)['spec'])['template']);
  return { ...metadata, kind, podAnnotations: readStrings(mapOf(template['metadata'])['annotations']) };
}

function readMetadata(item: unknown): Metadata | undefined {
  const { name, namespace, uid, labels, annotations } = mapOf(mapOf(item)['metadata']);
  if (typeof name !== 'string' || name === '') return undefined;
  return {
    name,
    namespace: textOf(namespace),
    uid: textOf(uid),
    labels: readStrings(labels),
    annotations: readStrings(annotations),
  };
}

function controllerOf(owners: unknown): Controller | undefined {
  const { kind, name } = mapOf(listOf(owners).find((owner) => mapOf(owner)['controller'] === true));
  return textOf(kind) === '' || textOf(name) === '' ? undefined : { kind: textOf(kind), name: textOf(name) };
}

function readyOf(conditions: unknown): string {
  for (const condition of listOf(conditions)) {
    const { type, status } = mapOf(condition);
    if (type === 'Ready') return textOf(status).toLowerCase();
  }
  return 'unknown';
}

function readContainers(list: unknown, statuses: unknown, isInit: boolean): readonly Container[] {
  return listOf(list).map((item) => {
    const { name, image, ports, restartPolicy } = mapOf(item);
    const status = listOf(statuses).find((one) => textOf(mapOf(one)['name']) === textOf(name));
    return {
      name: textOf(name),
      image: textOf(image),
      id: textOf(mapOf(status)['containerID']),
      isInit,
      isLasting: !isInit || restartPolicy === 'Always',
      ports: listOf(ports).flatMap(readPort),
    };
  });
}

function readPort(item: unknown): readonly ContainerPort[] {
  const { name, containerPort, protocol } = mapOf(item);
  if (typeof containerPort !== 'number' || !Number.isInteger(containerPort)) return [];
  return [{ name: textOf(name), number: containerPort, protocol: textOf(protocol) || 'TCP' }];
}

function mapOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function readStrings(value: unknown): StringMap {
  return Object.fromEntries(
    Object.entries(mapOf(value)).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
