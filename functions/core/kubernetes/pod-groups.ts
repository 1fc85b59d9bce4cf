/**
 * A pod as Prometheus' role `pod` finds it (discovery/kubernetes/pod.go): a target for each port of each container, the
 * pod itself where a container has none; `__meta_kubernetes_...` labels say the rest.
 */
import type { TargetGroup } from '../scrape-config.ts';
import type { Container, ContainerPort, Pod, StringMap } from './objects.ts';
import { attributesOf } from './pod-attributes.ts';

const META = '__meta_kubernetes_';

/** None while the pod has no address, and none of one that has ended: another may have its address by now. */
export function podGroups(pod: Pod, cluster: string | undefined): readonly TargetGroup[] {
  if (!isReachable(pod)) return [];
  const labels = podLabels(pod);
  const own = { uid: pod.uid, attributes: attributesOf(pod, cluster) };
  return pod.containers.flatMap((container) =>
    (container.ports.length === 0 ? [undefined] : container.ports).map((port) => ({
      targets: [port === undefined ? pod.ip : addressOf(pod, port.number)],
      labels: { ...labels, ...containerLabels(container, port) },
      own,
    })),
  );
}

/** Not ready is no reason: a NIM that loads its model has a page. */
export function isReachable({ ip, phase }: Pod): boolean {
  return ip !== '' && phase !== 'Succeeded' && phase !== 'Failed';
}

export function addressOf({ ip }: Pod, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

export function podLabels(pod: Pod): StringMap {
  const { controller } = pod;
  return {
    [`${META}namespace`]: pod.namespace,
    [`${META}pod_name`]: pod.name,
    [`${META}pod_ip`]: pod.ip,
    [`${META}pod_ready`]: pod.ready,
    [`${META}pod_phase`]: pod.phase,
    [`${META}pod_node_name`]: pod.node,
    [`${META}pod_host_ip`]: pod.hostIp,
    [`${META}pod_uid`]: pod.uid,
    ...(controller && {
      [`${META}pod_controller_kind`]: controller.kind,
      [`${META}pod_controller_name`]: controller.name,
    }),
    ...mapLabels('pod_label', pod.labels),
    ...mapLabels('pod_annotation', pod.annotations),
  };
}

function containerLabels(container: Container, port: ContainerPort | undefined): StringMap {
  return {
    [`${META}pod_container_name`]: container.name,
    [`${META}pod_container_id`]: container.id,
    [`${META}pod_container_image`]: container.image,
    [`${META}pod_container_init`]: String(container.isInit),
    ...(port && {
      [`${META}pod_container_port_number`]: String(port.number),
      [`${META}pod_container_port_name`]: port.name,
      [`${META}pod_container_port_protocol`]: port.protocol,
    }),
  };
}

function mapLabels(what: string, map: StringMap): StringMap {
  return Object.fromEntries(
    Object.entries(map).flatMap(([key, value]) => {
      const name = key.replace(/\W/gu, '_');
      return [
        [`${META}${what}_${name}`, value],
        [`${META}${what}present_${name}`, 'true'],
      ];
    }),
  );
}
