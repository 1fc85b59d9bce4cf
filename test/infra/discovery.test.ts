/** EKS clusters that documents may ask: who is let in, what the functions are told, and what is refused. */
import { App, CfnParameter, Lazy, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as eks from 'aws-cdk-lib/aws-eks';
import * as eksv2 from 'aws-cdk-lib/aws-eks-v2';
import { LayerVersion } from 'aws-cdk-lib/aws-lambda';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { placeOf, refusalOf } from '../../functions/core/secrets.ts';
import type { SecretReference } from '../../functions/core/scrape-config.ts';
import { type EksDiscovery, MAX_CLUSTERS, MAX_NAMESPACES } from '../../infra/discovery.ts';
import { settingsOf } from '../../infra/props.ts';
import {
  create,
  directory,
  flat,
  importedVpc,
  newStack,
  ownVpc,
  permissionsOf,
  templateOf,
} from './construct.ts';

const always = new Set(permissionsOf(templateOf()));

/** What the template grants, tells and lets in because of these clusters. */
function outcomeOf(clusters: readonly EksDiscovery[], stack = newStack()) {
  return told(templateOf({ discovery: { eks: clusters } }, stack));
}

function told(template: Template) {
  const functions = Object.values(template.findResources('AWS::Lambda::Function'));
  const variables = functions.map(({ Properties }) => Properties.Environment.Variables as object);
  const [dispatch, scrape] = variables.map((all) =>
    Object.entries(all).flatMap(([name, value]) =>
      name.startsWith('EKS_') ? [`${name}=${flat(value)}`] : [],
    ),
  );
  const entries = Object.values(template.findResources('AWS::EKS::AccessEntry')).map(
    ({ Properties: { ClusterName, KubernetesGroups, PrincipalArn } }) => {
      const role = flat(PrincipalArn).replace(/^<Nim(\w+Role).*/, '$1');
      return `${role} in ${flat(ClusterName)} as ${KubernetesGroups}`;
    },
  );
  return { granted: permissionsOf(template).filter((one) => !always.has(one)), dispatch, scrape, entries };
}

const stage = { cluster: 'stage', namespaces: ['nim', 'llm'], readSecrets: true };

describe('discovery.eks', () => {
  test('no cluster is nothing at all', () => {
    const nothing = { granted: [], dispatch: [], scrape: [], entries: [] };
    assert.deepEqual(outcomeOf([]), nothing);
    assert.deepEqual(told(templateOf()), nothing);
  });

  test('dispatch lists pods; the worker does not come near a cluster', () => {
    assert.deepEqual(outcomeOf([{ cluster: 'prod' }]), {
      granted: ['DispatchRole: Allow eks:DescribeCluster on cluster/prod'],
      dispatch: ['EKS_CLUSTERS=prod'],
      scrape: [],
      entries: ['DispatchRole in prod as nim-to-dynatrace'],
    });
  });

  test('with readSecrets the worker gets Secrets, as a group of its own, and lists nothing', () => {
    assert.deepEqual(outcomeOf([{ cluster: 'prod' }, stage]), {
      granted: [
        'DispatchRole: Allow eks:DescribeCluster on cluster/prod',
        'DispatchRole: Allow eks:DescribeCluster on cluster/stage',
        'ScrapeRole: Allow eks:DescribeCluster on cluster/stage',
      ],
      dispatch: ['EKS_CLUSTERS=prod,stage', 'EKS_NAMESPACES=stage/nim,stage/llm'],
      scrape: ['EKS_CLUSTERS=stage', 'EKS_SECRETS=stage/nim,stage/llm'],
      entries: [
        'DispatchRole in prod as nim-to-dynatrace',
        'DispatchRole in stage as nim-to-dynatrace',
        'ScrapeRole in stage as nim-to-dynatrace-secrets',
      ],
    });
  });

  test('as told, the worker takes references to those namespaces and to no other', () => {
    const [clusters, secrets] = outcomeOf([stage]).scrape ?? [];
    assert.equal(clusters, 'EKS_CLUSTERS=stage');
    const refusal = (reference: string) => {
      const place = placeOf(reference as SecretReference);
      assert.ok(place !== undefined, reference);
      return refusalOf(place, {
        prefix: '/nim-to-dynatrace',
        granted: [],
        token: { store: 'ssm', name: '/nim-to-dynatrace/secrets/dt-api-token' },
        kubernetes: String(secrets).replace('EKS_SECRETS=', '').split(','),
      });
    };
    assert.equal(refusal('eks://stage/secret/nim/llm/token'), undefined);
    assert.match(String(refusal('eks://stage/secret/kube-system/llm/token')), /it is not granted/);
    assert.match(String(refusal('eks://prod/secret/nim/llm/token')), /it is not granted/);
  });

  test('the order of the clusters changes no resource', () => {
    const ids = (clusters: readonly EksDiscovery[]) =>
      Object.keys(templateOf({ discovery: { eks: clusters } }).findResources('AWS::EKS::AccessEntry')).sort();
    assert.deepEqual(ids([{ cluster: 'prod' }, stage]), ids([stage, { cluster: 'prod' }]));
  });

  test('imported clusters and names that are known at deployment only', () => {
    const stack = newStack();
    const clusterName = new CfnParameter(stack, 'Cluster').valueAsString;
    const namespace = new CfnParameter(stack, 'Namespace').valueAsString;
    const cluster = eks.Cluster.fromClusterAttributes(stack, 'Imported', { clusterName });
    assert.deepEqual(outcomeOf([{ cluster, namespaces: [namespace], readSecrets: true }], stack), {
      granted: [
        'DispatchRole: Allow eks:DescribeCluster on cluster/<Cluster>',
        'ScrapeRole: Allow eks:DescribeCluster on cluster/<Cluster>',
      ],
      dispatch: ['EKS_CLUSTERS=<Cluster>', 'EKS_NAMESPACES=<Cluster>/<Namespace>'],
      scrape: ['EKS_CLUSTERS=<Cluster>', 'EKS_SECRETS=<Cluster>/<Namespace>'],
      entries: [
        'DispatchRole in <Cluster> as nim-to-dynatrace',
        'ScrapeRole in <Cluster> as nim-to-dynatrace-secrets',
      ],
    });
  });
});

/** Clusters of the app, in a VPC of the app. */
const CLUSTERS: readonly (readonly [
  string,
  (stack: Stack, vpc: ec2.IVpc) => eks.ICluster | eksv2.ICluster,
])[] = [
  [
    'aws-eks',
    (stack, vpc) =>
      new eks.Cluster(stack, 'Cluster', {
        version: eks.KubernetesVersion.V1_33,
        authenticationMode: eks.AuthenticationMode.API,
        kubectlLayer: LayerVersion.fromLayerVersionArn(stack, 'Layer', LAYER),
        defaultCapacity: 0,
        vpc,
      }) as eks.ICluster,
  ],
  [
    'aws-eks-v2',
    (stack, vpc) =>
      new eksv2.Cluster(stack, 'Cluster', {
        version: eksv2.KubernetesVersion.V1_33,
        vpc,
      }) as eksv2.ICluster,
  ],
];
const LAYER = 'arn:aws:lambda:eu-central-1:111122223333:layer:kubectl:1';

describe('a cluster of the app', () => {
  for (const [what, newCluster] of CLUSTERS) {
    test(`${what}: its security group admits the functions of its own VPC, by a rule of their stack`, () => {
      const app = new App();
      const platform = new Stack(app, 'Platform');
      const vpc = ownVpc(platform);
      const cluster = newCluster(platform, vpc);
      const stack = new Stack(app, 'Metrics');
      create({ vpc, discovery: { eks: [{ cluster }] } }, stack);
      const template = Template.fromStack(stack);
      template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 1);
      template.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
        IpProtocol: 'tcp',
        FromPort: 443,
        ToPort: 443,
        GroupId: Match.anyValue(),
        SourceSecurityGroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^NimSecurityGroup'), 'GroupId'] },
      });
      template.resourceCountIs('AWS::EKS::AccessEntry', 1);
      Template.fromStack(platform).resourceCountIs('AWS::EKS::AccessEntry', 0);
    });

    test(`${what}: without a VPC, or in another one, no rule is made`, () => {
      for (const vpcOf of [() => undefined, importedVpc]) {
        const app = new App();
        const platform = new Stack(app, 'Platform');
        const cluster = newCluster(platform, ownVpc(platform));
        const stack = new Stack(app, 'Metrics');
        const vpc = vpcOf(stack);
        create({ ...(vpc === undefined ? {} : { vpc }), discovery: { eks: [{ cluster }] } }, stack);
        Template.fromStack(stack).resourceCountIs('AWS::EC2::SecurityGroupIngress', 0);
      }
    });
  }

  test('that takes no access entries is refused: CDK itself would make it so', () => {
    const stack = newStack();
    const cluster = new eks.Cluster(stack, 'Cluster', {
      version: eks.KubernetesVersion.V1_33,
      kubectlLayer: LayerVersion.fromLayerVersionArn(stack, 'Layer', LAYER),
      defaultCapacity: 0,
    }) as eks.ICluster;
    assert.throws(
      () => create({ discovery: { eks: [{ cluster }] } }, stack),
      /^Error: cannot use discovery.eks of a cluster: it takes no access entries; give it authenticationMode/,
    );
  });
});

describe('refused', () => {
  const many = (count: number) => Array.from({ length: count }, (_, n) => `n-${n}`);
  const bad: readonly (readonly [string, (stack: Stack) => readonly EksDiscovery[], string])[] = [
    [
      'readSecrets of all namespaces',
      () => [{ cluster: 'prod', readSecrets: true }],
      `"prod": readSecrets would reach every Secret in it; name the namespaces, such as namespaces: ['nim']`,
    ],
    [
      'a cluster twice',
      (stack) => [
        { cluster: 'prod' },
        { cluster: eks.Cluster.fromClusterAttributes(stack, 'Prod', { clusterName: 'prod' }) },
      ],
      '"prod": it is named twice; name it once, with all its namespaces',
    ],
    [
      'a URL',
      () => [{ cluster: 'eks://prod' }],
      '"eks://prod": this is no name of a cluster; give its name alone, as `aws eks list-clusters` says it',
    ],
    [
      'a name of 101 characters',
      () => [{ cluster: 'c'.repeat(101) }],
      `"${'c'.repeat(101)}": this is no name of a cluster; give its name alone, as \`aws eks list-clusters\` says it`,
    ],
    [
      'text that is known at deployment only',
      (stack) => [{ cluster: new CfnParameter(stack, 'Cluster').valueAsString }],
      'of a cluster: its name is known at deployment only; give the cluster, such as eks.Cluster.fromClusterAttributes',
    ],
    [
      'namespaces that are known at deployment only',
      () => [{ cluster: 'prod', namespaces: Lazy.list({ produce: () => ['nim'] }) }],
      '"prod": its namespaces are known at deployment only; write each of them',
    ],
    [
      'no namespace',
      () => [{ cluster: 'prod', namespaces: [] }],
      '"prod": its namespaces are none; leave them out for all, or the cluster',
    ],
    [
      'a namespace twice',
      () => [{ cluster: 'prod', namespaces: ['nim', 'nim'] }],
      '"prod": a namespace is named twice; name it once',
    ],
    [
      'a namespace that is none',
      () => [{ cluster: 'prod', namespaces: ['nim', 'Nim/*'] }],
      '"prod": "Nim/*" is no name of a namespace; write it as `kubectl get namespaces` says it',
    ],
    [
      `${MAX_NAMESPACES + 1} namespaces`,
      () => [{ cluster: 'prod', namespaces: many(MAX_NAMESPACES + 1) }],
      '"prod": its namespaces are 21, 20 are the most; leave them out for all',
    ],
    [
      `${MAX_CLUSTERS + 1} clusters`,
      () => many(MAX_CLUSTERS + 1).map((cluster) => ({ cluster })),
      'of 11 clusters: 10 are the most; make another deployment, with its own parameterPrefix, for the others',
    ],
    [
      'a cluster of another region',
      (stack) => [
        {
          cluster: eks.Cluster.fromClusterAttributes(
            new Stack(stack.node.root as App, 'Elsewhere', {
              env: { account: '111122223333', region: 'us-east-1' },
            }),
            'Prod',
            { clusterName: 'prod' },
          ),
        },
      ],
      '"prod": it is in another account or region, where the functions ask nobody; make a deployment there',
    ],
  ];
  for (const [what, clustersOf, message] of bad) {
    test(what, () => {
      const stack = newStack({ env: { account: '111122223333', region: 'eu-central-1' } });
      assert.throws(() => settingsOf(stack, { discovery: { eks: clustersOf(stack) } }), {
        message: `cannot use discovery.eks ${message}`,
      });
    });
  }

  test('at their bounds they are deployed: the environment holds them', () => {
    const clusters = many(MAX_CLUSTERS).map((cluster) => ({ cluster, namespaces: many(MAX_NAMESPACES) }));
    templateOf({ discovery: { eks: clusters } });
  });

  test('names that no environment holds are told at synthesis', () => {
    const namespaces = many(MAX_NAMESPACES).map((name) => name.padEnd(63, 'x'));
    const clusters = many(MAX_CLUSTERS).map((name) => ({ cluster: name.padEnd(100, 'x'), namespaces }));
    assert.throws(
      () => create({ codeDirectory: directory, discovery: { eks: clusters } }),
      /the functions' environment would have \d+ bytes, 4096 are the most; .*name fewer clusters and namespaces/,
    );
  });
});
