/** From pods, and what a discovery says of them, to targets: settings, filter, attributes, identity. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { targetsOfJob } from '../../functions/core/job-targets.ts';
import { annotatedGroups, annotatedServices } from '../../functions/core/kubernetes/annotated.ts';
import { readPod, readService } from '../../functions/core/kubernetes/objects.ts';
import { podGroups } from '../../functions/core/kubernetes/pod-groups.ts';
import type { Target } from '../../functions/core/model.ts';
import { rulesOf } from '../../functions/core/planning.ts';
import { checkRelabel } from '../../functions/core/relabel/relabel.ts';
import type { TargetGroup } from '../../functions/core/scrape-config.ts';
import { DEFAULT_OUTPUT, readOutputText, writeOutput } from '../../functions/core/output-text.ts';
import { targetOfItem } from '../../functions/core/targets.ts';
import { type PodText, annotated, podOf } from '../fakes/kubernetes.ts';
import { createWorld, deltasOf, target } from '../fakes/ports.ts';
import { counters } from './story.ts';

function podNamed(text: PodText) {
  const pod = readPod(podOf(text));
  assert(pod !== undefined);
  return pod;
}

/** Targets of the document's one job, with these groups found for it. */
function targetsOf(document: string, groups: readonly TargetGroup[]) {
  const { configs, problems } = readDocuments([{ name: '/p/targets/nim', value: document }], {
    checkRelabel,
  });
  assert.deepEqual([problems, configs.length], [[], 1]);
  const [config] = configs;
  assert(config !== undefined);
  return targetsOfJob(config, groups, rulesOf(config.relabelConfigs));
}

/** The one target of a pod with these annotations. */
function annotatedTarget(annotations: Readonly<Record<string, string>>, document = 'eks://prod'): Target {
  const pod = podNamed({ name: 'llm-0', annotations: annotated(annotations) });
  const { groups, problems } = annotatedGroups(pod, [], 'prod');
  assert.deepEqual(problems, []);
  const { targets } = targetsOf(document, groups);
  assert.equal(targets.length, 1);
  return targets[0] as Target;
}

const YAML =
  'kubernetes_sd_configs: [{role: pod, api_server: "eks://prod", dynatrace: {annotations: true}}]\n';

describe('what an annotated pod says', () => {
  test('its address, and a path that is found out', () => {
    const { job, instance, scheme, address, path, labels, attributes } = annotatedTarget({});
    assert.deepEqual(
      { job, instance, scheme, address, path, labels, attributes },
      {
        job: 'nim',
        instance: '10.0.1.17:8000',
        scheme: 'http',
        address: '10.0.1.17:8000',
        path: '',
        labels: [],
        attributes: {
          'k8s.cluster.name': 'prod',
          'k8s.namespace.name': 'nim',
          'k8s.pod.name': 'llm-0',
          'k8s.node.name': 'node-1',
        },
      },
    );
  });

  test('over the job: TLS, credentials, scheme and path; all other settings are those of the job', () => {
    const document = `${YAML}metrics_path: /job
scheme: http
sample_limit: 7
tls_config: {server_name: job}
authorization: {credentials: 'ssm:/job'}
`;
    const own = annotatedTarget(
      {
        path: '/own',
        secure: 'true',
        insecure_skip_verify: 'true',
        'http.auth': 'secret:nim:access:token',
      },
      document,
    );
    assert.deepEqual(
      [own.scheme, own.path, own.tlsConfig, own.authorization, own.sampleLimit],
      [
        'https',
        '/own',
        { insecureSkipVerify: true },
        { type: 'Bearer', credentials: 'eks://prod/secret/nim/access/token' },
        7,
      ],
    );
    const silent = annotatedTarget({}, document);
    assert.deepEqual(
      [silent.scheme, silent.path, silent.tlsConfig, silent.authorization],
      [
        'http',
        '/job',
        { serverName: 'job', insecureSkipVerify: false },
        { type: 'Bearer', credentials: 'ssm:/job' },
      ],
    );
  });

  test("attributes: the job's win, and the pod's stand beside them", () => {
    const { attributes } = annotatedTarget(
      {},
      `${YAML}dynatrace: {attributes: {team: llm, k8s.cluster.name: ours}}`,
    );
    assert.deepEqual(
      [attributes['team'], attributes['k8s.cluster.name'], attributes['k8s.pod.name']],
      ['llm', 'ours', 'llm-0'],
    );
  });

  const filtered = (mode: string, dynatrace = '{}') => {
    const { output } = annotatedTarget(
      { filter: JSON.stringify({ mode, names: ['num_requests_*'] }) },
      `${YAML}dynatrace: ${dynatrace}`,
    );
    // As the state item keeps it for what is still owed when the pod is gone.
    assert.deepEqual(readOutputText(writeOutput(output)), output);
    return output;
  };

  test('a filter that includes is all that is sent, but for what the job excludes', () => {
    assert.deepEqual(filtered('include'), { ...DEFAULT_OUTPUT, include: ['num_requests_*'] });
    assert.deepEqual(filtered('include', '{preset: core, include: [a], exclude: [num_requests_waiting]}'), {
      ...DEFAULT_OUTPUT,
      include: ['num_requests_*'],
      exclude: ['num_requests_waiting'],
    });
  });

  test('a filter that excludes takes from what the job sends', () => {
    assert.deepEqual(filtered('exclude', '{preset: all, include: [a], exclude: [b]}'), {
      ...DEFAULT_OUTPUT,
      preset: 'all',
      include: ['a'],
      exclude: ['b', 'num_requests_*'],
    });
  });

  test('two pods of one job have each their own', () => {
    const groups = ['include', 'exclude'].flatMap((mode, n) => {
      const filter = JSON.stringify({ mode, names: ['a*'] });
      const pod = podNamed({ name: `llm-${n}`, ip: `10.0.0.${n}`, annotations: annotated({ filter }) });
      return annotatedGroups(pod, [], 'prod').groups;
    });
    const { targets } = targetsOf(YAML, [...groups, { targets: ['written:1'], labels: {} }]);
    assert.deepEqual(
      targets.map(({ output, attributes }) => [output.include, output.exclude, attributes['k8s.pod.name']]),
      [
        [['a*'], [], 'llm-0'],
        [[], ['a*'], 'llm-1'],
        [[], [], undefined],
      ],
    );
  });

  test('a service that picks it, too: one page is one target', () => {
    const pod = podNamed({ name: 'llm-0', labels: { app: 'nim' }, annotations: annotated({ port: '8000' }) });
    const service = readService({
      metadata: { name: 'llm', namespace: 'nim', uid: 's', annotations: annotated({ secure: 'true' }) },
      spec: { selector: { app: 'nim' }, ports: [{ port: 80, targetPort: 8000 }] },
    });
    assert(service !== undefined);
    const { groups } = annotatedGroups(pod, annotatedServices([service]), 'prod');
    assert.deepEqual(
      targetsOf(YAML, groups).targets.map(({ scheme, address }) => `${scheme}://${address}`),
      ['http://10.0.1.17:8000'],
    );
  });
});

describe('the rules that Dynatrace prints for its annotations', () => {
  /** As its Collector page has them, in the spelling of Prometheus. */
  const RULES = `kubernetes_sd_configs: [{role: pod, api_server: "eks://prod"}]
relabel_configs:
- source_labels: [__meta_kubernetes_pod_annotation_metrics_dynatrace_com_scrape, __meta_kubernetes_pod_annotationpresent_metrics_dynatrace_com_scrape]
  action: keep
  regex: true;true
- source_labels: [__meta_kubernetes_pod_annotation_metrics_dynatrace_com_secure, __meta_kubernetes_pod_annotationpresent_metrics_dynatrace_com_secure]
  regex: true;true
  target_label: __scheme__
  replacement: https
- source_labels: [__address__, __meta_kubernetes_pod_annotation_metrics_dynatrace_com_port, __meta_kubernetes_pod_annotationpresent_metrics_dynatrace_com_port]
  regex: (.+?)(?::\\d+)?;(\\d+);true
  target_label: __address__
  replacement: $1:$2
- source_labels: [__meta_kubernetes_pod_annotation_metrics_dynatrace_com_path, __meta_kubernetes_pod_annotationpresent_metrics_dynatrace_com_path]
  regex: (.+);true
  target_label: __metrics_path__
  replacement: $1
- source_labels: [__meta_kubernetes_pod_phase]
  action: drop
  regex: (Failed|Succeeded)
`;
  const found = (...pods: readonly PodText[]) =>
    targetsOf(
      RULES,
      pods.flatMap((pod) => podGroups(podNamed(pod), 'prod')),
    );
  const urls = ({ targets }: ReturnType<typeof found>) =>
    targets.map(({ scheme, address, path }) => `${scheme}://${address}${path}`);

  test('keep annotated pods; port, path and scheme are those of the annotations', () => {
    const all = found(
      { name: 'a', ip: '10.0.0.1', ports: [8000, 9400], annotations: annotated({ port: '8000' }) },
      {
        name: 'b',
        ip: '10.0.0.2',
        ports: [],
        annotations: annotated({ port: '9000', path: '/m', secure: 'true' }),
      },
      { name: 'c', ip: '10.0.0.3', annotations: annotated({ scrape: 'false' }) },
      { name: 'd', ip: '10.0.0.4' },
      { name: 'e', ip: '10.0.0.5', annotations: annotated({ port: '8000', secure: 'false' }) },
      { name: 'f', ip: '10.0.0.6', annotations: annotated({}), phase: 'Succeeded' },
      { name: 'g', ip: '', annotations: annotated({}) },
      { name: 'h', ip: '2001:db8::1', annotations: annotated({ port: '8000' }) },
    );
    assert.deepEqual(urls(all), [
      'http://10.0.0.1:8000',
      'https://10.0.0.2:9000/m',
      'http://10.0.0.5:8000',
      'http://[2001:db8::1]:8000',
    ]);
    assert.deepEqual([all.problems, all.dropped], [[], 2]);
  });

  test('the attributes of the pod come along; its __meta labels do not', () => {
    const [only] = found({ name: 'a', annotations: annotated({}) }).targets;
    assert.deepEqual([only?.labels, only?.attributes['k8s.pod.name']], [[], 'a']);
  });
});

describe('a pod replaced on the same address (D11)', () => {
  const podWith = (uid: string) => {
    const pod = podNamed({ name: 'llm-0', annotations: annotated({}) });
    const { groups } = annotatedGroups({ ...pod, uid }, [], 'prod');
    return targetsOf('eks://prod', groups).targets[0] as Target;
  };

  test('is another target: its uid is in the key, and nothing of it can be forged', () => {
    const [a, b] = [podWith('a-1'), podWith('b-2')];
    assert.equal(a.key, 'target/nim/10.0.1.17%3A8000/http://10.0.1.17:8000#a-1');
    assert.notEqual(a.key, b.key);
    assert.deepEqual([a.job, a.instance, a.address], [b.job, b.instance, b.address]);
    assert.notEqual(a.key, target('10.0.1.17:8000').key);
    assert.equal(podWith('/#a').key, 'target/nim/10.0.1.17%3A8000/http://10.0.1.17:8000#%2F%23a');
  });

  test('its item tells enough to send what it owes', () => {
    const { key, job, instance, attributes } = podWith('a-1');
    const known = targetOfItem({
      key,
      job,
      instance,
      url: 'http://10.0.1.17:8000/v1/metrics',
      attributes,
    } as Parameters<typeof targetOfItem>[0]);
    assert.deepEqual(
      [known.key, known.address, known.attributes['k8s.pod.name']],
      [key, '10.0.1.17:8000', 'llm-0'],
    );
  });

  const POD = 'k8s.cluster.name="prod",k8s.namespace.name="nim",k8s.pod.name="llm-0",k8s.node.name="node-1"';

  test('what the old one owes drains, and the new one begins with a baseline of its own', async () => {
    const [old, fresh] = [podWith('a-1'), podWith('b-2')];
    const world = createWorld();
    world.script.scrape = () => counters({ a_total: 5 });
    await world.run(0, [old]);
    world.script.scrape = () => counters({ a_total: 8 });
    world.script.answer = () => 'retry';
    await world.run(60, [old]);
    world.script.answer = () => 'accepted';
    // More than the old one had: only the uid tells that it is another process.
    world.script.scrape = () => counters({ a_total: 100 });
    const before = world.bodies.length;
    await world.run(120, [fresh], { drains: [old.key] });
    assert.deepEqual(deltasOf(world.bodies.slice(before)), [`a_total{${POD}} 3 (0,120]`]);
    world.script.scrape = () => counters({ a_total: 101 });
    const then = world.bodies.length;
    await world.run(180, [fresh]);
    assert.deepEqual(deltasOf(world.bodies.slice(then)), [`a_total{${POD}} 1 (120,180]`]);
    assert.deepEqual([...world.items.keys()].toSorted(), [old.key, fresh.key]);
  });
});
