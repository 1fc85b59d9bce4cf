/** The EKS clusters that documents may ask for pods: the prop `discovery`. */
import { Stack, Token } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as eks from 'aws-cdk-lib/aws-eks';
import * as eksv2 from 'aws-cdk-lib/aws-eks-v2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';

/** What documents may ask for targets, beside names and lists over HTTP, which need no grant. */
export interface DiscoveryOptions {
  /** At most 10 clusters, each once. */
  readonly eks: readonly EksDiscovery[];
}

/** One cluster, in the account and region of the stack. */
export interface EksDiscovery {
  /**
   * Its name, or the cluster: of this app, or `eks.Cluster.fromClusterAttributes`, also of aws-eks-v2. It needs access
   * entries (authentication mode `API` or `API_AND_CONFIG_MAP`). The functions' security groups are let in where
   * cluster and `vpc` are of this app; any other cluster's security group must admit them on port 443
   * (docs/network.md).
   */
  readonly cluster: eks.IClusterRef | string;
  /**
   * The namespaces that documents may ask for, 1 to 20.
   * @default - all that the roles in the cluster let them see
   */
  readonly namespaces?: readonly string[];
  /**
   * Whether annotations of pods may refer to Secrets and ConfigMaps, each in its pod's own namespace. The worker reads
   * them, as the Kubernetes group `nim-to-dynatrace-secrets`; needs `namespaces`.
   * @default false
   */
  readonly readSecrets?: boolean;
}

export interface DiscoveryProps {
  readonly discovery?: DiscoveryOptions;
}

/** Their names and namespaces stand in environments of 4 KB (Lambda quotas), which are checked as a whole, too. */
export const MAX_CLUSTERS = 10;

/** Of a cluster: a path is listed for each of them in every tick. */
export const MAX_NAMESPACES = 20;

/** What lists pods: the README's ClusterRole is bound to it. */
export const LIST_GROUP = 'nim-to-dynatrace';

/** What gets Secrets and ConfigMaps: the README's Role is bound to it. */
export const SECRETS_GROUP = 'nim-to-dynatrace-secrets';

/** A function's part in it. */
interface Part {
  readonly environment: Readonly<Record<string, string>>;
  readonly statements: readonly iam.PolicyStatement[];
}

/** Dispatch lists pods of every cluster. */
export function dispatchDiscovery(scope: Construct, { discovery }: DiscoveryProps): Part {
  const clusters = discovery?.eks ?? [];
  return {
    environment: {
      ...joined('EKS_CLUSTERS', clusters.map(nameOf)),
      ...joined('EKS_NAMESPACES', clusters.flatMap(namespacesOf)),
    },
    statements: describeStatements(scope, clusters),
  };
}

/** The worker reads what annotations refer to, where that is granted. */
export function scrapeDiscovery(scope: Construct, { discovery }: DiscoveryProps): Part {
  const clusters = secretsClusters(discovery);
  return {
    environment: {
      ...joined('EKS_CLUSTERS', clusters.map(nameOf)),
      ...joined('EKS_SECRETS', clusters.flatMap(namespacesOf)),
    },
    statements: describeStatements(scope, clusters),
  };
}

/**
 * Lets both roles into each cluster, as a group that may do nothing until a role of Kubernetes is bound to it. An entry
 * has the cluster's name in its id, so that the order of the clusters means nothing.
 */
export function createAccess(
  scope: Construct,
  { discovery }: DiscoveryProps,
  roles: { readonly dispatch: iam.IRole; readonly scrape: iam.IRole },
): void {
  const allow = (one: EksDiscovery, id: string, role: iam.IRole, group: string) =>
    new eks.CfnAccessEntry(scope, `${id}Access-${idOf(one)}`, {
      clusterName: nameOf(one),
      principalArn: role.roleArn,
      kubernetesGroups: [group],
    });
  for (const one of discovery?.eks ?? []) allow(one, 'Dispatch', roles.dispatch, LIST_GROUP);
  for (const one of secretsClusters(discovery)) allow(one, 'Scrape', roles.scrape, SECRETS_GROUP);
}

/**
 * For a cluster of this app in the functions' own VPC; the security group of any other is its owner's. The rule is a
 * resource here, so that a stack with the cluster does not come to depend on this one.
 */
export function admitToClusters(
  scope: Construct,
  { discovery }: DiscoveryProps,
  { vpc, securityGroups = [] }: Pick<lambda.FunctionOptions, 'vpc' | 'securityGroups'>,
): void {
  for (const one of discovery?.eks ?? []) {
    const { cluster } = one;
    if (!isOfThisApp(cluster) || vpc === undefined || cluster.vpc.node !== vpc.node) continue;
    securityGroups.forEach(({ securityGroupId }, nth) => {
      new ec2.CfnSecurityGroupIngress(scope, `Admit${nth + 1}-${idOf(one)}`, {
        description: 'nim-to-dynatrace asks for pods',
        groupId: cluster.clusterSecurityGroupId,
        sourceSecurityGroupId: securityGroupId,
        ipProtocol: 'tcp',
        fromPort: 443,
        toPort: 443,
      });
    });
  }
}

/** @throws Error with the cluster, what is wrong with it, and the remedy. */
export function validateDiscovery(scope: Construct, { discovery }: DiscoveryProps): void {
  const clusters = discovery?.eks ?? [];
  if (clusters.length > MAX_CLUSTERS) {
    throw new Error(
      `cannot use discovery.eks of ${clusters.length} clusters: ${MAX_CLUSTERS} are the most; ` +
        'make another deployment, with its own parameterPrefix, for the others',
    );
  }
  const seen = new Set<string>();
  for (const one of clusters) {
    const fault = seen.has(nameOf(one)) ? TWICE : (faultOfCluster(scope, one) ?? faultOfNamespaces(one));
    const name = Token.isUnresolved(nameOf(one)) ? 'of a cluster' : JSON.stringify(nameOf(one));
    if (fault !== undefined) throw new Error(`cannot use discovery.eks ${name}: ${fault}`);
    seen.add(nameOf(one));
  }
}

const TWICE = 'it is named twice; name it once, with all its namespaces';

function faultOfCluster(scope: Construct, { cluster }: EksDiscovery): string | undefined {
  if (typeof cluster === 'string') {
    if (Token.isUnresolved(cluster))
      return 'its name is known at deployment only; give the cluster, such as eks.Cluster.fromClusterAttributes';
    return faultOfName(cluster);
  }
  const { clusterName } = cluster.clusterRef;
  const { account, region } = Stack.of(scope);
  const isElsewhere = isOther(cluster.env.account, account) || isOther(cluster.env.region, region);
  if (isElsewhere)
    return 'it is in another account or region, where the functions ask nobody; make a deployment there';
  if (cluster instanceof eks.Cluster && !hasAccessEntries(cluster))
    return 'it takes no access entries; give it authenticationMode: eks.AuthenticationMode.API_AND_CONFIG_MAP';
  return Token.isUnresolved(clusterName) ? undefined : faultOfName(clusterName);
}

/** As EKS allows names (CreateCluster). */
function faultOfName(name: string): string | undefined {
  const isName = /^[0-9A-Za-z][\w-]{0,99}$/.test(name);
  return isName
    ? undefined
    : 'this is no name of a cluster; give its name alone, as `aws eks list-clusters` says it';
}

/** Where both are known. */
function isOther(one: string, other: string): boolean {
  return !Token.isUnresolved(one) && !Token.isUnresolved(other) && one !== other;
}

/** CDK's own default is the config map alone. */
function hasAccessEntries({ authenticationMode }: eks.Cluster): boolean {
  return authenticationMode !== undefined && authenticationMode !== eks.AuthenticationMode.CONFIG_MAP;
}

function faultOfNamespaces({ namespaces, readSecrets }: EksDiscovery): string | undefined {
  if (namespaces === undefined)
    return readSecrets === true
      ? "readSecrets would reach every Secret in it; name the namespaces, such as namespaces: ['nim']"
      : undefined;
  if (Token.isUnresolved(namespaces))
    return 'its namespaces are known at deployment only; write each of them';
  if (namespaces.length === 0) return 'its namespaces are none; leave them out for all, or the cluster';
  if (namespaces.length > MAX_NAMESPACES)
    return `its namespaces are ${namespaces.length}, ${MAX_NAMESPACES} are the most; leave them out for all`;
  if (new Set(namespaces).size < namespaces.length) return 'a namespace is named twice; name it once';
  const bad = namespaces.find((one) => !Token.isUnresolved(one) && !NAMESPACE.test(one));
  return bad === undefined
    ? undefined
    : `${JSON.stringify(bad)} is no name of a namespace; write it as \`kubectl get namespaces\` says it`;
}

/** RFC 1123, a label. */
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

function secretsClusters(discovery: DiscoveryOptions | undefined): readonly EksDiscovery[] {
  return (discovery?.eks ?? []).filter(({ readSecrets }) => readSecrets === true);
}

function nameOf({ cluster }: EksDiscovery): string {
  return typeof cluster === 'string' ? cluster : cluster.clusterRef.clusterName;
}

function namespacesOf(one: EksDiscovery): readonly string[] {
  return (one.namespaces ?? []).map((namespace) => `${nameOf(one)}/${namespace}`);
}

/** Of a cluster whose name AWS makes up: where it stands in the app. */
function idOf(one: EksDiscovery): string {
  const name = nameOf(one);
  return typeof one.cluster === 'string' || !Token.isUnresolved(name) ? name : one.cluster.node.addr;
}

function describeStatements(
  scope: Construct,
  clusters: readonly EksDiscovery[],
): readonly iam.PolicyStatement[] {
  if (clusters.length === 0) return [];
  const resources = clusters.map(({ cluster }) =>
    typeof cluster === 'string'
      ? Stack.of(scope).formatArn({ service: 'eks', resource: 'cluster', resourceName: cluster })
      : cluster.clusterRef.clusterArn,
  );
  return [new iam.PolicyStatement({ actions: ['eks:DescribeCluster'], resources })];
}

function isOfThisApp(cluster: EksDiscovery['cluster']): cluster is eks.Cluster | eksv2.Cluster {
  return cluster instanceof eks.Cluster || cluster instanceof eksv2.Cluster;
}

function joined(name: string, values: readonly string[]): Readonly<Record<string, string>> {
  return values.length === 0 ? {} : { [name]: values.join(',') };
}
