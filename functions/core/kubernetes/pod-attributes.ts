/** Where a pod runs, as dimensions: the names that Dynatrace and the Collector's k8sattributes processor have for it. */
import type { Attributes } from '../model.ts';
import type { Controller, Pod } from './objects.ts';

/** `cluster` is known by name on EKS only. */
export function attributesOf(pod: Pod, cluster: string | undefined): Attributes {
  const workload = workloadOf(pod);
  const attributes: Attributes = {
    'k8s.cluster.name': cluster ?? '',
    'k8s.namespace.name': pod.namespace,
    'k8s.pod.name': pod.name,
    'k8s.node.name': pod.node,
    'k8s.workload.name': workload?.name ?? '',
    'k8s.workload.kind': workload?.kind.toLowerCase() ?? '',
  };
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ''));
}

/**
 * What made the pod. A Deployment's pods belong to a ReplicaSet, whose name ends in the very hash that they carry as a
 * label, so nobody need be asked (k8sattributes does the same).
 */
export function workloadOf({ controller, labels }: Pod): Controller | undefined {
  const suffix = `-${labels['pod-template-hash'] ?? ''}`;
  if (controller?.kind !== 'ReplicaSet' || suffix === '-' || !controller.name.endsWith(suffix))
    return controller;
  return { kind: 'Deployment', name: controller.name.slice(0, -suffix.length) };
}
