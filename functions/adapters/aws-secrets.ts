/** The secrets of documents in AWS: from SSM, and from Secrets Manager, whose client is loaded when one is there. */
import type { SSMClient } from '@aws-sdk/client-ssm';
import type { Clock } from '../core/ports.ts';
import { type Secrets, tokenNameOf } from '../core/secrets.ts';
import { type ReadSecret, createSecrets } from './secrets.ts';
import { readSsmSecret } from './secrets-ssm.ts';

interface AwsSecretsDeps {
  readonly clock: Clock;
  readonly ssm: SSMClient;
  /** Everything below `<prefix>/secrets/` may be read, but the Dynatrace token. */
  readonly prefix: string;
  /** Names and ARNs beside those, from the construct's prop `secrets`. */
  readonly granted: readonly string[];
}

export function createAwsSecrets({ clock, ssm, prefix, granted }: AwsSecretsDeps): Secrets {
  return createSecrets({
    clock,
    grants: { prefix, granted, tokenName: tokenNameOf(prefix) },
    ssm: (name, signal) => readSsmSecret(ssm, name, signal),
    secretsManager: openSecretsManager(),
  });
}

function openSecretsManager(): ReadSecret {
  let opened: Promise<ReadSecret> | undefined;
  return async (arn, signal) => {
    opened ??= import('./secrets-by-arn.ts').then(({ openSecretsByArn }) => openSecretsByArn());
    return (await opened)(arn, signal);
  };
}
