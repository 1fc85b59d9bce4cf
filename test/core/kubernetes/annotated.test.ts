/** What Dynatrace's annotations of pods and services make of a pod. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  annotatedGroups,
  annotatedServices,
  misplacedAnnotations,
} from '../../../functions/core/kubernetes/annotated.ts';
import { readPod, readService, readWorkload } from '../../../functions/core/kubernetes/objects.ts';
import { attributesOf, workloadOf } from '../../../functions/core/kubernetes/pod-attributes.ts';
import { type PodText, annotated, podOf } from '../../fakes/kubernetes.ts';

interface ServiceText {
  readonly name: string;
  readonly namespace?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly selector?: unknown;
  readonly ports?: readonly object[];
}

const LABELS = { app: 'nim', tier: 'llm' };
const port = (targetPort: number | string, protocol?: string) => ({ port: 80, targetPort, protocol });

function servicesOf(...texts: readonly ServiceText[]) {
  return annotatedServices(
    texts.map(
      ({ name, namespace = 'nim', annotations = annotated({}), selector = { app: 'nim' }, ports = [] }) => {
        const service = readService({
          metadata: { name, namespace, annotations },
          spec: { selector, ports },
        });
        assert.ok(service);
        return service;
      },
    ),
  );
}

function readWhole(text: Partial<PodText>) {
  const pod = readPod(podOf({ name: 'llm-0', labels: LABELS, ...text }));
  assert.ok(pod);
  return pod;
}

const find = (text: Partial<PodText>, services = servicesOf(), cluster: string | undefined = 'prod') =>
  annotatedGroups(readWhole(text), services, cluster);

function addressesOf(...given: Parameters<typeof find>): readonly string[] {
  const { groups, problems } = find(...given);
  assert.deepEqual(problems, []);
  return groups.flatMap(({ targets }) => targets);
}

describe('a pod', () => {
  test('without annotations, or with others, is no target', () => {
    assert.deepEqual(addressesOf({}), []);
    assert.deepEqual(addressesOf({ annotations: { 'prometheus.io/scrape': 'true' } }), []);
  });

  test('is asked at the port of its annotation, else at its first TCP port', () => {
    const ports = [['dns', 53, 'UDP'], ['http', 8000], 9400] as const;
    assert.deepEqual(addressesOf({ ports, annotations: annotated({ port: '9400' }) }), ['10.0.1.17:9400']);
    assert.deepEqual(addressesOf({ ports, annotations: annotated({ port: '1234' }) }), ['10.0.1.17:1234']);
    assert.deepEqual(addressesOf({ ports, annotations: annotated({ port: 'http' }) }), ['10.0.1.17:8000']);
    assert.deepEqual(addressesOf({ ports, annotations: annotated({}) }), ['10.0.1.17:8000']);
    assert.deepEqual(addressesOf({ ip: 'fd00::17', annotations: annotated({}) }), ['[fd00::17]:8000']);
  });

  test('whose port is nowhere is told with the annotation to write', () => {
    for (const [annotations, ports] of [
      [annotated({}), []],
      [annotated({}), [['dns', 53, 'UDP']]],
      [annotated({ port: 'grpc' }), [['http', 8000]]],
      [annotated({ port: 'dns' }), [['dns', 53, 'UDP']]],
    ] as const)
      assert.deepEqual(find({ annotations, ports }), {
        groups: [],
        problems: [
          'cannot scrape the pod nim/llm-0: no container has the port that is meant; write the annotation metrics.dynatrace.com/port: "8000"',
        ],
      });
  });

  test('with one bad annotation is not scraped half', () => {
    const annotations = annotated({ port: '8000', secure: 'yes', path: '/x' });
    assert.deepEqual(find({ annotations }), {
      groups: [],
      problems: [
        'cannot scrape the pod nim/llm-0: the annotation metrics.dynatrace.com/secure is neither true nor false; write "true" or "false"',
      ],
    });
  });

  test('that starts, or is not ready, is scraped; one that has ended, or has no address, is not', () => {
    const annotations = annotated({});
    for (const phase of ['Running', 'Pending', 'Unknown', ''])
      assert.equal(addressesOf({ phase, annotations }).length, 1, phase);
    for (const phase of ['Succeeded', 'Failed'])
      assert.deepEqual(addressesOf({ phase, annotations }), [], phase);
    assert.deepEqual(addressesOf({ ip: '', annotations }), []);
  });

  test('tells path and scheme by the labels that Prometheus has for them, where it says them', () => {
    const labelsOf = (annotations: Readonly<Record<string, string>>) =>
      find({ annotations: annotated(annotations) }).groups[0]?.labels ?? {};
    const { __metrics_path__: path, __scheme__: scheme } = labelsOf({ path: '/custom', secure: 'true' });
    assert.deepEqual([path, scheme], ['/custom', 'https']);
    const plain = labelsOf({});
    assert.deepEqual([plain['__metrics_path__'], plain['__scheme__']], [undefined, undefined]);
    assert.equal(plain['__meta_kubernetes_pod_annotation_metrics_dynatrace_com_scrape'], 'true');
    assert.equal(plain['__meta_kubernetes_pod_container_name'], undefined, 'no container is meant');
  });

  test('an init container has no port to ask at, one that keeps running beside the others has', () => {
    const init = (restartPolicy?: string) => ({
      metadata: { name: 'a', namespace: 'nim', annotations: annotated({ port: 'stats' }) },
      spec: {
        initContainers: [
          { name: 'mesh', ports: [{ name: 'stats', containerPort: 15_020, protocol: 'TCP' }], restartPolicy },
        ],
      },
      status: { phase: 'Running', podIP: '10.0.1.17' },
    });
    const groupsOf = (item: object) => {
      const pod = readPod(item);
      assert.ok(pod);
      return annotatedGroups(pod, [], 'prod').groups.map(({ targets }) => targets);
    };
    assert.deepEqual(groupsOf(init('Always')), [['10.0.1.17:15020']]);
    assert.deepEqual(groupsOf(init()), []);
  });
});

describe('a service', () => {
  const ports = [
    ['http', 8000],
    ['metrics', 9400],
  ] as const;

  test('with annotations makes targets of the pods that it picks, at its target port', () => {
    for (const [asked, address] of [
      [{ name: 'a', ports: [port(9400)] }, '10.0.1.17:9400'],
      [{ name: 'a', ports: [port('metrics')] }, '10.0.1.17:9400'],
      [{ name: 'a', ports: [port(53, 'UDP'), port('metrics', 'TCP')] }, '10.0.1.17:9400'],
      [{ name: 'a', ports: [{ port: 9400 }] }, '10.0.1.17:9400'],
      [{ name: 'a', ports: [port(1), port(2)], annotations: annotated({ port: '9400' }) }, '10.0.1.17:9400'],
      [{ name: 'a', ports: [port(1)], annotations: annotated({ port: 'metrics' }) }, '10.0.1.17:9400'],
      // Headless, without ports: the pod's own.
      [{ name: 'a' }, '10.0.1.17:8000'],
    ] as const)
      assert.deepEqual(addressesOf({ ports }, servicesOf(asked)), [address], JSON.stringify(asked));
  });

  test('picks by all labels of its selector, in its own namespace; without a selector it picks none', () => {
    const picking = (selector: unknown, namespace = 'nim') =>
      addressesOf({ ports }, servicesOf({ name: 'a', selector, namespace })).length;
    assert.equal(picking(LABELS), 1);
    assert.equal(picking({ app: 'nim', tier: 'embed' }), 0);
    assert.equal(picking({ app: 'nim', other: '' }), 0);
    assert.equal(picking({ constructor: 'x' }), 0);
    assert.equal(picking(LABELS, 'elsewhere'), 0);
    for (const none of [{}, null, 'app=nim']) assert.equal(picking(none), 0);
  });

  test('a port that only some of its pods have is told for the others', () => {
    const { groups, problems } = find({ ports }, servicesOf({ name: 'a', ports: [port('grpc')] }));
    assert.deepEqual(groups, []);
    assert.match(
      problems[0] ?? '',
      /^cannot scrape the pod nim\/llm-0 of the service a: no container has the port/,
    );
  });

  test('several make several pages of a pod; the same page is one target, the words of the pod before theirs', () => {
    const services = servicesOf(
      { name: 'a', ports: [port(8000)], annotations: annotated({ secure: 'true' }) },
      { name: 'b', ports: [port(9400)] },
      { name: 'c', ports: [port(9400)], annotations: annotated({ path: '/gpu' }) },
      { name: 'd', ports: [port(9400)], annotations: annotated({ secure: 'true' }) },
    );
    const { groups } = find({ ports, annotations: annotated({}) }, services);
    assert.deepEqual(
      groups.map(({ targets, labels }) => [targets[0], labels['__metrics_path__'], labels['__scheme__']]),
      [
        ['10.0.1.17:8000', undefined, undefined],
        ['10.0.1.17:9400', undefined, undefined],
        ['10.0.1.17:9400', '/gpu', undefined],
      ],
    );
  });

  test('of several pods each is a target of its own', () => {
    const services = servicesOf({ name: 'a', ports: [port('http')] });
    const found = ['10.0.1.17', '10.0.1.18'].flatMap((ip) => addressesOf({ name: ip, ip, ports }, services));
    assert.deepEqual(found, ['10.0.1.17:8000', '10.0.1.18:8000']);
  });
});

describe('credentials and certificates', () => {
  const settingsOf = (
    annotations: Readonly<Record<string, string>>,
    cluster: string | undefined = 'prod',
  ) => {
    const { groups, problems } = find({ annotations: annotated(annotations) }, [], cluster);
    return problems[0] ?? groups[0]?.own?.settings;
  };

  function assertTold(settings: unknown, problem: RegExp): void {
    assert.ok(typeof settings === 'string', JSON.stringify(settings));
    assert.match(settings, problem);
  }

  test('travel as references to the cluster, never as values', () => {
    assert.deepEqual(
      settingsOf({
        'tls.ca.crt': 'configmap:shared:trust:ca.crt',
        'tls.crt': 'secret:nim:client:tls.crt',
        'tls.key': 'secret:nim:client:tls.key',
        'http.auth.basic.username': 'secret:nim:basic:user',
        'http.auth.basic.password': 'secret:nim:basic:password',
      }),
      {
        tlsConfig: {
          ca: { secret: 'eks://prod/configmap/shared/trust/ca.crt' },
          cert: { secret: 'eks://prod/secret/nim/client/tls.crt' },
          key: { secret: 'eks://prod/secret/nim/client/tls.key' },
          insecureSkipVerify: false,
        },
        basicAuth: {
          username: { secret: 'eks://prod/secret/nim/basic/user' },
          password: 'eks://prod/secret/nim/basic/password',
        },
      },
    );
    assert.deepEqual(settingsOf({ 'http.auth': 'secret:nim:a:token', insecure_skip_verify: 'true' }), {
      tlsConfig: { insecureSkipVerify: true },
      authorization: { type: 'Bearer', credentials: 'eks://prod/secret/nim/a/token' },
    });
    assert.deepEqual(settingsOf({}), {});
  });

  test('halves, and two ways at once, are told', () => {
    const secret = 'secret:nim:a:b';
    for (const [annotations, fault] of [
      [{ 'tls.crt': secret }, /a client certificate needs both .*tls.crt and .*tls.key; write the other/],
      [{ 'tls.key': secret }, /a client certificate needs both/],
      [{ 'http.auth.basic.username': secret }, /it needs both .*username and .password; write the other/],
      [{ 'http.auth.basic.password': secret }, /it needs both/],
      [
        { 'http.auth': secret, 'http.auth.basic.username': secret, 'http.auth.basic.password': secret },
        /http.auth and http.auth.basic stand beside each other; remove one/,
      ],
    ] as const)
      assertTold(settingsOf(annotations), fault);
  });

  test('a Secret of another namespace is not sent to a pod, or who may write pods could read it', () => {
    assertTold(
      settingsOf({ 'http.auth': 'secret:payments:db:password' }),
      /^cannot scrape the pod nim\/llm-0: .*refer to a Secret of another namespace.*; copy the Secret into theirs$/,
    );
  });

  test('are read of EKS clusters only', () => {
    const annotations = annotated({ 'http.auth': 'secret:nim:a:b' });
    const { groups, problems } = annotatedGroups(readWhole({ annotations }), [], undefined);
    assert.deepEqual(groups, []);
    assert.match(problems[0] ?? '', /read of EKS clusters only; write api_server: eks:/);
  });
});

describe('where a pod runs', () => {
  const controller = (kind: string, name: string) => ({ controller: { kind, name } });
  const podWith = (hash: string | undefined, owner: object) => ({
    ...readWhole({ labels: hash === undefined ? {} : { 'pod-template-hash': hash } }),
    ...owner,
  });

  test('the ReplicaSet of a Deployment is told from another by the hash that its pods carry', () => {
    for (const [hash, owner, workload] of [
      ['5d4f9', controller('ReplicaSet', 'llm-5d4f9'), { kind: 'Deployment', name: 'llm' }],
      ['5d4f9', controller('ReplicaSet', 'a-b-5d4f9'), { kind: 'Deployment', name: 'a-b' }],
      ['5d4f9', controller('ReplicaSet', 'llm-5d4f'), { kind: 'ReplicaSet', name: 'llm-5d4f' }],
      ['5d4f9', controller('ReplicaSet', '5d4f9'), { kind: 'ReplicaSet', name: '5d4f9' }],
      [undefined, controller('ReplicaSet', 'llm-5d4f9'), { kind: 'ReplicaSet', name: 'llm-5d4f9' }],
      ['', controller('ReplicaSet', 'llm-'), { kind: 'ReplicaSet', name: 'llm-' }],
      ['5d4f9', controller('StatefulSet', 'llm-5d4f9'), { kind: 'StatefulSet', name: 'llm-5d4f9' }],
      ['5d4f9', {}, undefined],
    ] as const)
      assert.deepEqual(workloadOf(podWith(hash, owner)), workload, JSON.stringify(owner));
  });

  test('are dimensions, those that are not known left out', () => {
    const pod = podWith('5d4f9', controller('ReplicaSet', 'llm-5d4f9'));
    assert.deepEqual(attributesOf(pod, 'prod'), {
      'k8s.cluster.name': 'prod',
      'k8s.namespace.name': 'nim',
      'k8s.pod.name': 'llm-0',
      'k8s.node.name': 'node-1',
      'k8s.workload.name': 'llm',
      'k8s.workload.kind': 'deployment',
    });
    assert.deepEqual(attributesOf({ ...readWhole({}), node: '' }, undefined), {
      'k8s.namespace.name': 'nim',
      'k8s.pod.name': 'llm-0',
    });
  });
});

describe('a workload', () => {
  const told = (own: object, template: object) => {
    const metadata = { name: 'llm', namespace: 'nim', annotations: own };
    const spec = { template: { metadata: { annotations: template } } };
    const workload = readWorkload({ metadata, spec }, 'StatefulSet');
    assert.ok(workload);
    return misplacedAnnotations([workload]);
  };

  test('that carries the annotations itself is told to move them to its pods', () => {
    assert.deepEqual(told(annotated({}), {}), [
      'cannot scrape the pods of nim/llm: metrics.dynatrace.com/scrape is an annotation of the StatefulSet itself, not of its pods; move it to spec.template.metadata.annotations',
    ]);
  });

  test('whose pods carry them, too, or say no, or that carries none, is not', () => {
    assert.deepEqual(told(annotated({}), annotated({})), []);
    assert.deepEqual(told(annotated({}), annotated({ scrape: 'false' })), []);
    assert.deepEqual(told(annotated({ scrape: 'false' }), {}), []);
    assert.deepEqual(told({}, {}), []);
  });
});
