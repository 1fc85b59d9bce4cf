/** Who speaks for an EKS cluster: its API server, its authority, and a token that is a signed request to STS. */
import { SignatureV4 } from '@smithy/signature-v4';
import { createHash, createHmac } from 'node:crypto';
import type { Clock } from '../core/ports.ts';
import type { Http } from './http.ts';

/** EKS takes a token for 15 minutes after it was signed (aws-iam-authenticator); one is left for slow clocks. */
const TOKEN_AGE_MS = 14 * 60_000;
/** The signature's own life; the token outlives it. */
const SIGNED_FOR_S = 60;
/** Endpoint and authority of a cluster change when it is made anew. */
const CLUSTER_AGE_MS = 15 * 60_000;
/** DescribeCluster answers some KB; the authority's certificates are most of it. */
export const MAX_ANSWER_BYTES = 256 * 1024;
const REQUEST_TIMEOUT_MS = 5_000;

export interface EksDeps {
  readonly http: Http;
  readonly clock: Clock;
  readonly region: () => Promise<string>;
  readonly credentials: ConstructorParameters<typeof SignatureV4>[0]['credentials'];
  /** Names of the clusters that the deployment granted; undefined: the caller's own credentials decide. */
  readonly granted?: readonly string[] | undefined;
  /** Of the EKS API, as AWS' own clients take AWS_ENDPOINT_URL_EKS. Default: the region's. */
  readonly eksUrl?: string | undefined;
}

export interface EksAccess {
  readonly code: 'access';
  readonly url: URL;
  /** PEM. */
  readonly ca: string;
  readonly token: string;
}

/** `fresh` after the cluster refused the token. */
export type Eks = (
  cluster: string,
  deadlineMs: number,
  fresh: boolean,
) => Promise<EksAccess | { readonly code: 'failed'; readonly message: string }>;

interface Described {
  readonly url: URL;
  readonly ca: string;
}

export function createEks(deps: EksDeps): Eks {
  const { clock, granted } = deps;
  const describe = remembering<Described>(clock, CLUSTER_AGE_MS);
  const sign = remembering<string>(clock, TOKEN_AGE_MS);
  return async (cluster, deadlineMs, fresh) => {
    const failed = (cause: string) => ({
      code: 'failed' as const,
      message: `cannot reach the cluster ${cluster}: ${cause}`,
    });
    if (granted?.includes(cluster) === false)
      return failed("it is not granted; name it in the construct's prop discovery.eks");
    try {
      const described = await describe(cluster, fresh, () => describeCluster(cluster, deadlineMs, deps));
      if ('cause' in described) return failed(described.cause);
      const token = await sign(cluster, fresh, async () => ({ value: await signToken(cluster, deps) }));
      if ('cause' in token) return failed(token.cause);
      return { code: 'access', ...described.value, token: token.value };
    } catch (error) {
      // Of the credentials or the region; the SDK's own sentence holds neither.
      return failed(
        `${error instanceof Error ? error.message : 'no credentials'}; check the AWS credentials`,
      );
    }
  };
}

/** What a cluster has, or why that is not known. */
type Answer<T> = { readonly value: T } | { readonly cause: string };

type Remembering<T> = (cluster: string, fresh: boolean, ask: () => Promise<Answer<T>>) => Promise<Answer<T>>;

/** By cluster; those who ask at the same time ask once. */
function remembering<T>({ wallMs }: Clock, maxAgeMs: number): Remembering<T> {
  const remembered = new Map<string, { readonly answer: Answer<T>; readonly atMs: number }>();
  const underWay = new Map<string, Promise<Answer<T>>>();
  return (cluster, fresh, ask) => {
    const known = remembered.get(cluster);
    // Wall time, since a frozen sandbox may stop the other clock; a step backwards counts as old.
    const ageMs = known === undefined ? Infinity : wallMs() - known.atMs;
    if (known !== undefined && !fresh && ageMs >= 0 && ageMs < maxAgeMs) return Promise.resolve(known.answer);
    const askNow = async (): Promise<Answer<T>> => {
      try {
        const answer = await ask();
        if ('value' in answer) remembered.set(cluster, { answer, atMs: wallMs() });
        return answer;
      } finally {
        underWay.delete(cluster);
      }
    };
    const asking = underWay.get(cluster) ?? askNow();
    underWay.set(cluster, asking);
    return asking;
  };
}

/** eks:DescribeCluster (Amazon EKS API reference), signed by hand: the SDK's client would be as large as all this. */
async function describeCluster(
  cluster: string,
  runDeadlineMs: number,
  deps: EksDeps,
): Promise<Answer<Described>> {
  const { http, clock } = deps;
  const region = await deps.region();
  const url = new URL(`/clusters/${cluster}`, deps.eksUrl ?? eksUrl(region));
  const signed = await signerOf('eks', region, deps).sign(requestTo(url), { signingDate: dateOf(clock) });
  const result = await http.request({
    method: 'GET',
    url,
    headers: signed.headers,
    deadlineMs: Math.min(runDeadlineMs, clock.monotonicMs() + REQUEST_TIMEOUT_MS),
    maxBytes: MAX_ANSWER_BYTES,
  });
  if (result.code !== 'answer')
    return { cause: `the EKS API did not answer (${result.cause}); check the way to eks.${region}` };
  const { status, flaw } = result;
  if (status === 404)
    return { cause: `there is no such cluster in ${region}; check its name, and the account` };
  if (status === 403)
    return { cause: "eks:DescribeCluster is denied; grant it by the construct's prop discovery.eks" };
  if (status !== 200) return { cause: `the EKS API answered status ${status}` };
  if (flaw !== undefined) return { cause: `the EKS API did not answer whole (${flaw.cause})` };
  const value = readCluster(result.body);
  return value === undefined ? { cause: NO_ENDPOINT } : { value };
}

const NO_ENDPOINT =
  'the EKS API told no endpoint over https with a certificate authority; is the cluster active?';

function readCluster(body: Uint8Array): Described | undefined {
  try {
    const { cluster } = JSON.parse(new TextDecoder().decode(body)) as {
      readonly cluster: {
        readonly endpoint: string;
        readonly certificateAuthority: { readonly data: string };
      };
    };
    const url = URL.parse(cluster.endpoint);
    const ca = Buffer.from(cluster.certificateAuthority.data, 'base64').toString();
    return url?.protocol === 'https:' && ca.includes('-----BEGIN CERTIFICATE-----') ? { url, ca } : undefined;
  } catch {
    return undefined;
  }
}

/** As `aws eks get-token` makes it: GetCallerIdentity, presigned, with the cluster's name as a signed header. */
async function signToken(cluster: string, deps: EksDeps): Promise<string> {
  const region = await deps.region();
  const url = new URL(
    `https://sts.${region}.${suffixOf(region)}/?Action=GetCallerIdentity&Version=2011-06-15`,
  );
  const request = requestTo(url);
  const { query = {}, path } = await signerOf('sts', region, deps).presign(
    { ...request, headers: { ...request.headers, 'x-k8s-aws-id': cluster } },
    {
      expiresIn: SIGNED_FOR_S,
      signingDate: dateOf(deps.clock),
      // In the query it would not be the header that EKS asks for.
      unhoistableHeaders: new Set(['x-k8s-aws-id']),
    },
  );
  const signed = new URL(path, url);
  for (const [name, value] of Object.entries(query)) signed.searchParams.set(name, String(value));
  return `k8s-aws-v1.${Buffer.from(signed.href).toString('base64url')}`;
}

function requestTo(url: URL) {
  return {
    method: 'GET',
    protocol: url.protocol,
    hostname: url.hostname,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: { host: url.host },
  };
}

function signerOf(service: string, region: string, { credentials }: EksDeps): SignatureV4 {
  return new SignatureV4({ service, region, credentials, sha256: Sha256 });
}

function dateOf({ wallMs }: Clock): Date {
  return new Date(wallMs());
}

function eksUrl(region: string): string {
  return `https://eks.${region}.${suffixOf(region)}`;
}

function suffixOf(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
}

/** SHA-256, and HMAC with a key, in the shape that the signer asks for. */
class Sha256 {
  readonly #hash;

  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(key));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
