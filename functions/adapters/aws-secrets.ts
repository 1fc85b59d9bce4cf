/** The secrets of documents in AWS: from SSM, and from Secrets Manager, whose client is loaded when one is there. */
import type { SSMClient } from '@aws-sdk/client-ssm';
import type { Clock } from '../core/ports.ts';
import { type AwsPlace, type Secrets, placeOf, tokenNameOf } from '../core/secrets.ts';
import { optional, unusable } from './env.ts';
import type { Eks } from './eks.ts';
import type { Http } from './http.ts';
import { type ReadSecret, createSecrets } from './secrets.ts';
import { createKubernetesSecrets } from './secrets-kubernetes.ts';
import { readSsmSecret } from './secrets-ssm.ts';

interface AwsSecretsDeps {
  readonly clock: Clock;
  readonly ssm: SSMClient;
  /** Everything below `<prefix>/secrets/` may be read, but the Dynatrace token. */
  readonly prefix: string;
  readonly token: AwsPlace;
  /** Names and ARNs beside those, from the construct's prop `secrets`. */
  readonly granted: readonly string[];
  /** `<cluster>/<namespace>` of EKS whose secrets annotations may refer to. */
  readonly kubernetes: readonly string[];
  readonly http: Http;
  readonly eks: Eks;
}

export function createAwsSecrets(deps: AwsSecretsDeps): Secrets {
  const { clock, ssm, prefix, token, granted, kubernetes, http, eks } = deps;
  return createSecrets({
    clock,
    grants: { prefix, granted, token, kubernetes },
    ssm: (name, signal) => readSsmSecret(ssm, name, signal),
    secretsManager: openSecretsManager(),
    kubernetes: createKubernetesSecrets({ http, clock, eks }),
  });
}

/**
 * Where the Dynatrace API token is: the variable `API_TOKEN`, else its place below the prefix.
 * @throws Error when the variable names no place.
 */
export function tokenPlaceOf(prefix: string): AwsPlace {
  const place = placeOf(optional('API_TOKEN') ?? `ssm:${tokenNameOf(prefix)}`);
  return place === undefined || place.store === 'kubernetes' ? unusable('API_TOKEN') : place;
}

function openSecretsManager(): ReadSecret {
  let opened: Promise<ReadSecret> | undefined;
  return async (arn, signal) => {
    opened ??= import('./secrets-by-arn.ts').then(({ openSecretsByArn }) => openSecretsByArn());
    return (await opened)(arn, signal);
  };
}
