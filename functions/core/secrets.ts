/** References to secrets: where one is, and whether a target document may ask for it. No secret passes through here. */
import type { SecretReference } from './scrape-config.ts';

/** A secret, or why there is none. Messages name the reference, never a value. */
export type SecretAnswer =
  /** With `problem`: reading failed just now, and this is the value known from before. */
  | { readonly code: 'read'; readonly value: string; readonly problem?: string }
  /** `absent`: not there yet. `refused`: not for target documents, or not granted. `failed`: no usable answer. */
  | { readonly code: 'absent' | 'refused' | 'failed'; readonly message: string };

/**
 * Reads the secret behind a reference; `deadlineMs` is monotonic. `fresh` after a target refused what was read before:
 * what is remembered does not count.
 */
export type Secrets = (
  reference: SecretReference,
  deadlineMs: number,
  fresh: boolean,
) => Promise<SecretAnswer>;

export type SecretPlace =
  | { readonly store: 'ssm'; readonly name: string }
  /** `field` of a JSON object; absent: the whole text. */
  | { readonly store: 'secrets_manager'; readonly arn: string; readonly field?: string }
  /** Of a pod's annotation; `id` is the whole reference. */
  | { readonly store: 'kubernetes'; readonly id: string; readonly object: KubernetesObject };

/** Where AWS keeps secrets, the Dynatrace API token among them. */
export type AwsPlace = Exclude<SecretPlace, { readonly store: 'kubernetes' }>;

/** A field of a Secret or a ConfigMap in an EKS cluster. */
export interface KubernetesObject {
  readonly cluster: string;
  readonly kind: 'secret' | 'configmap';
  readonly namespace: string;
  readonly name: string;
  readonly field: string;
}

/** Neither `:version` nor an ARN behind `ssm:`: a name has one spelling, so that it can be granted and refused by name. */
const SSM = /^ssm:(\/?[\w.-]+(?:\/[\w.-]+)*)$/;
const ARN = /^(arn:aws[\w-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]+)(?:#(.+))?$/;

/** As core/kubernetes/annotated writes it. Names begin as Kubernetes' do, and none of them leads up a path. */
const KUBERNETES =
  /^eks:\/\/([\w-]+)\/(secret|configmap)\/([a-z0-9][a-z0-9-]*)\/([a-z0-9][a-z0-9.-]*)\/([\w.-]+)$/;

/** Undefined for what is no reference: it may be a secret itself, so it is never printed. */
export function placeOf(reference: SecretReference): SecretPlace | undefined {
  const name = SSM.exec(reference)?.[1];
  if (name !== undefined) return { store: 'ssm', name };
  const [, cluster = '', kind, namespace = '', object = '', of = ''] = KUBERNETES.exec(reference) ?? [];
  if (kind === 'secret' || kind === 'configmap')
    return {
      store: 'kubernetes',
      id: reference,
      object: { cluster, kind, namespace, name: object, field: of },
    };
  const [, arn, field] = ARN.exec(reference) ?? [];
  if (arn === undefined) return undefined;
  return { store: 'secrets_manager', arn, ...(field === undefined ? {} : { field }) };
}

export const NO_REFERENCE =
  'cannot read a secret: its reference is neither ssm:/name nor the ARN of a Secrets Manager secret, with #field ' +
  'behind it for one field; correct the target document';

/** Where the Dynatrace API token is, unless the deployment says otherwise. */
export function tokenNameOf(prefix: string): string {
  return `${prefix}/secrets/dt-api-token`;
}

export interface SecretGrants {
  /** Such as `/nim-to-dynatrace`: everything below `<prefix>/secrets/` may be read. */
  readonly prefix: string;
  /** Names and ARNs beside those, from the construct's prop `secrets`. */
  readonly granted: readonly string[];
  /**
   * Where the Dynatrace API token is: sent to Dynatrace and to nobody else, whatever is granted. A secret that holds
   * it in one field is the token's as a whole, and the default place stays closed: an older token may lie there.
   */
  readonly token: AwsPlace;
  /** `<cluster>/<namespace>` whose Secrets and ConfigMaps annotations may refer to; from the prop `discovery`. */
  readonly kubernetes: readonly string[];
}

/** Why a target document may not ask for this secret; undefined: it may. */
export function refusalOf(place: SecretPlace, grants: SecretGrants): string | undefined {
  const { prefix, granted, token, kubernetes } = grants;
  if (place.store === 'kubernetes') {
    const { cluster, namespace } = place.object;
    return kubernetes.includes(`${cluster}/${namespace}`)
      ? undefined
      : `cannot read the secret ${place.id}: it is not granted; set readSecrets of the cluster, and its namespace, in the construct's prop discovery.eks`;
  }
  const what = place.store === 'ssm' ? `ssm:${place.name}` : place.arn;
  if (isSamePlace(place, token) || isSamePlace(place, { store: 'ssm', name: tokenNameOf(prefix) }))
    return `cannot read the secret ${what}: it is the Dynatrace API token, which no target may see; put the target's own secret beside it`;
  if (place.store === 'ssm') {
    const { name } = place;
    const isGranted =
      name.startsWith(`${prefix}/secrets/`) ||
      granted.some((one) => withSlash(one.replace(/^ssm:/, '')) === withSlash(name));
    return isGranted
      ? undefined
      : `cannot read the secret ${what}: it is not below ${prefix}/secrets/; put it there, or grant it with the construct's prop secrets (-c secrets=${name})`;
  }
  const { arn } = place;
  return granted.some((one) => isSameArn(one.replace(/-\?{6}$/, ''), arn))
    ? undefined
    : `cannot read the secret ${what}: it is not granted; name it in the construct's prop secrets (-c secrets=${arn})`;
}

function isSamePlace(one: AwsPlace, other: AwsPlace): boolean {
  if (one.store === 'ssm') return other.store === 'ssm' && withSlash(one.name) === withSlash(other.name);
  return other.store === 'secrets_manager' && isSameArn(one.arn, other.arn);
}

function isSameArn(one: string, other: string): boolean {
  return one === other || isSuffixed(one, other) || isSuffixed(other, one);
}

/** A parameter without folders may be written with a slash or without. */
function withSlash(name: string): string {
  return name.startsWith('/') ? name : `/${name}`;
}

/** Secrets Manager ends an ARN in a hyphen and six characters, which may be left out; IAM policies write `-??????`. */
function isSuffixed(arn: string, without: string): boolean {
  return arn.startsWith(`${without}-`) && /^[A-Za-z0-9]{6}$/.test(arn.slice(without.length + 1));
}
