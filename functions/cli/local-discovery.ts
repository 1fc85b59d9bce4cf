/** Discovery from a laptop: the same as in the cloud, with the person's own AWS credentials and secrets of the environment. */
import { SSMClient } from '@aws-sdk/client-ssm';
import { systemClock } from '../adapters/clock.ts';
import { openDiscovery } from '../adapters/discovery.ts';
import { createEks } from '../adapters/eks.ts';
import { optional } from '../adapters/env.ts';
import { createHttp } from '../adapters/http.ts';
import { createEnvSecrets } from '../adapters/secrets-env.ts';
import type { Discovery } from '../core/discovery.ts';
import type { ScrapeConfig } from '../core/scrape-config.ts';
import type { Secrets } from '../core/secrets.ts';

export interface LocalDiscovery {
  readonly discover: Discovery<ScrapeConfig>;
  readonly close: () => Promise<void>;
}

export function openLocalDiscovery(secrets: Secrets = createEnvSecrets(process.env)): LocalDiscovery {
  const http = createHttp({ clock: systemClock });
  // Of any client: region and credentials as the AWS command line finds them, looked for when they are needed.
  const { config } = new SSMClient();
  const eks = createEks({
    http,
    clock: systemClock,
    region: () => config.region(),
    credentials: () => config.credentials(),
    eksUrl: optional('AWS_ENDPOINT_URL_EKS'),
  });
  return { discover: openDiscovery({ http, clock: systemClock, secrets, eks }), close: () => http.close() };
}
