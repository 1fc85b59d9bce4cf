/** Pods as targets, against what the real Prometheus made of the same pods. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { annotatedGroups, annotatedServices } from '../../../functions/core/kubernetes/annotated.ts';
import { readPod, readService, readWorkload } from '../../../functions/core/kubernetes/objects.ts';
import { podGroups } from '../../../functions/core/kubernetes/pod-groups.ts';
import { misplacedAnnotations } from '../../../functions/core/kubernetes/annotated.ts';
import type { TargetGroup } from '../../../functions/core/scrape-config.ts';
import { annotated } from '../../fakes/kubernetes.ts';
import { readVectors } from '../relabel-vectors.ts';

interface Vectors {
  readonly pods: readonly {
    readonly name: string;
    readonly pod: object;
    /** Labels, the address among them. */
    readonly targets: readonly Readonly<Record<string, string>>[];
  }[];
}

const { pods } = readVectors<Vectors>('kubernetes-pods.json');
/** A difference on purpose: their address may be another pod's by now. */
const ENDED = ['Succeeded', 'Failed'];

function groupsOf(pod: object): readonly TargetGroup[] {
  const read = readPod(pod);
  assert.ok(read);
  return podGroups(read, undefined);
}

describe('role pod', () => {
  for (const { name, pod, targets } of pods) {
    if (ENDED.includes(name)) continue;
    test(name, () => {
      const found = groupsOf(pod).flatMap((group) =>
        group.targets.map((address) => ({ ...group.labels, __address__: address })),
      );
      assert.deepEqual(found, targets);
    });
  }

  for (const { name, pod, targets } of pods.filter((vector) => ENDED.includes(vector.name))) {
    test(`${name}: a target of Prometheus', none here`, () => {
      assert.equal(targets.length, 1);
      assert.deepEqual(groupsOf(pod), []);
    });
  }

  test('each target knows its pod: another process on the same address is another target', () => {
    const [vector] = pods;
    const own = { uid: '7c1e', attributes: { ...WHERE, 'k8s.cluster.name': 'prod' } };
    const read = readPod(vector?.pod);
    assert.ok(read);
    assert.deepEqual(
      podGroups(read, 'prod').map((group) => group.own),
      [own],
    );
  });
});

const WHERE = {
  'k8s.namespace.name': 'nim',
  'k8s.pod.name': 'llm-0',
  'k8s.node.name': 'node-1',
};

/** What an API server would never say, and JSON can. */
const hostile = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, 'true', 'Ready', 'Always', '10.0.0.1', 8000, 1e300, -1, 0.5, ''),
    fc.string(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        'metadata',
        'spec',
        'status',
        'name',
        'namespace',
        'uid',
        'labels',
        'annotations',
        'controller',
        'ownerReferences',
        'containers',
        'initContainers',
        'ports',
        'containerPort',
        'protocol',
        'kind',

        'podIP',
        'phase',
        'conditions',
        'type',
        'containerStatuses',
        'selector',
        'targetPort',
        'template',
        '__proto__',
        'constructor',
        'toString',
        'pod-template-hash',
        ...Object.keys(annotated({ port: '', path: '', filter: '', 'http.auth': '', 'tls.crt': '' })),
      ),
      tie('value'),
      { maxKeys: 8 },
    ),
  ),
})).value;

/** Mostly of an object's form, so that the depths are reached. */
const nearly = fc.record(
  {
    metadata: fc.record(
      {
        name: fc.oneof(fc.constant('llm'), hostile),
        labels: hostile,
        annotations: hostile,
        ownerReferences: hostile,
      },
      { requiredKeys: ['name'] },
    ),
    spec: fc.record(
      { containers: hostile, initContainers: hostile, selector: hostile, ports: hostile, template: hostile },
      { requiredKeys: [] },
    ),
    status: fc.record(
      {
        podIP: fc.oneof(fc.constant('10.0.0.1'), hostile),
        phase: hostile,
        conditions: hostile,
        containerStatuses: hostile,
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

describe('hostile objects', () => {
  test('never throw, and all that is said of them is text', () => {
    fc.assert(
      fc.property(fc.oneof(hostile, nearly), fc.oneof(hostile, nearly), (one, other) => {
        // As they come from the wire, where `__proto__` is a key like any other.
        const [item, second] = [one, other].map(
          (value) => JSON.parse(JSON.stringify(value ?? null)) as unknown,
        );
        const [pod, service, workload] = [
          readPod(item),
          readService(second),
          readWorkload(item, 'Deployment'),
        ];
        const groups: TargetGroup[] = [];
        if (pod !== undefined) {
          const services = annotatedServices(service === undefined ? [] : [service]);
          groups.push(...podGroups(pod, 'prod'), ...annotatedGroups(pod, services, 'prod').groups);
        }
        if (workload !== undefined) misplacedAnnotations([workload]);
        for (const { targets, labels, own } of groups) {
          for (const text of [...targets, ...Object.values(labels), ...Object.values(own?.attributes ?? {})])
            assert.equal(typeof text, 'string');
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
