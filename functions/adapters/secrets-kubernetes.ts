/** A field of a Secret or a ConfigMap in an EKS cluster, which a pod's annotation refers to. */
import type { Clock } from '../core/ports.ts';
import { type KubernetesObject, NO_REFERENCE, type SecretAnswer, placeOf } from '../core/secrets.ts';
import type { Eks } from './eks.ts';
import type { Http, HttpAnswer } from './http.ts';
import type { ReadSecret } from './secrets.ts';

/** A Secret holds 1 MiB at most (Kubernetes, "Secrets"), in base64. */
export const MAX_OBJECT_BYTES = 2 * 1024 * 1024;
/** One object; the caller's own signal may end it sooner. */
const READ_TIMEOUT_MS = 5_000;

interface KubernetesSecretsDeps {
  readonly http: Http;
  readonly clock: Clock;
  readonly eks: Eks;
}

/** By the whole reference. Never throws for what the cluster does. */
export function createKubernetesSecrets({ http, clock, eks }: KubernetesSecretsDeps): ReadSecret {
  return async (id) => {
    const place = placeOf(id);
    if (place?.store !== 'kubernetes') return { code: 'refused', message: NO_REFERENCE };
    const { cluster, kind, namespace, name } = place.object;
    const deadlineMs = clock.monotonicMs() + READ_TIMEOUT_MS;
    const failed = (cause: string): SecretAnswer => ({
      code: 'failed',
      message: `cannot read the secret ${id}: ${cause}; the next tick tries again`,
    });
    for (const fresh of [false, true]) {
      const access = await eks(cluster, deadlineMs, fresh);
      if (access.code !== 'access') return failed(access.message);
      const { url, ca, token } = access;
      const result = await http.request({
        method: 'GET',
        url: new URL(`/api/v1/namespaces/${namespace}/${kind}s/${name}`, url),
        headers: { accept: 'application/json', authorization: `Bearer ${token}` },
        tls: { ca, insecureSkipVerify: false },
        deadlineMs,
        maxBytes: MAX_OBJECT_BYTES,
      });
      if (result.code !== 'answer') return failed(result.cause);
      if (result.status !== 401) return answerOf(result, id, place.object);
    }
    return failed('the cluster does not know the caller (401)');
  };
}

function answerOf(
  { status, body, flaw }: HttpAnswer,
  id: string,
  { kind, field }: KubernetesObject,
): SecretAnswer {
  const what = `cannot read the secret ${id}`;
  if (status === 404) return { code: 'absent', message: `${what}: there is no such ${kind}; create it` };
  if (status === 403) {
    const remedy = `bind a Role with the verb get on ${kind}s in that namespace`;
    return { code: 'refused', message: `${what}: the caller may not get it (403); ${remedy}` };
  }
  if (status !== 200 || flaw !== undefined) {
    const cause = flaw?.cause ?? `the cluster answered status ${status}`;
    return { code: 'failed', message: `${what}: ${cause}; the next tick tries again` };
  }
  const value = fieldOf(body, kind, field);
  if (value !== undefined) return { code: 'read', value };
  return { code: 'absent', message: `${what}: the ${kind} has no such field, or it is empty; add it` };
}

/** A Secret's values are base64, a ConfigMap's are text. */
function fieldOf(body: Uint8Array, kind: KubernetesObject['kind'], field: string): string | undefined {
  let data: unknown;
  try {
    data = (JSON.parse(new TextDecoder().decode(body)) as { readonly data?: unknown } | null)?.data;
  } catch {
    return undefined;
  }
  if (typeof data !== 'object' || data === null || !Object.hasOwn(data, field)) return undefined;
  const value: unknown = (data as Readonly<Record<string, unknown>>)[field];
  if (typeof value !== 'string' || value === '') return undefined;
  return kind === 'secret' ? Buffer.from(value, 'base64').toString() : value;
}
