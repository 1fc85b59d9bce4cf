/** A job's targets from all of its discoveries. Another kind of discovery is a file beside dns.ts and a line here. */
import { type Discovered, type Discovery, joinDiscovered } from '../core/discovery.ts';
import type { Clock } from '../core/ports.ts';
import type { Secrets } from '../core/secrets.ts';
import { createDnsDiscovery } from './dns.ts';
import type { Eks } from './eks.ts';
import type { Http } from './http.ts';
import { createHttpDiscovery } from './http-sd.ts';
import { createKubernetesDiscovery } from './kubernetes-sd.ts';
import type { DnsSdConfig, HttpSdConfig, KubernetesSdConfig, ScrapeConfig } from '../core/scrape-config.ts';

/** What the discoveries need of the world around them. */
interface DiscoveryDeps {
  readonly http: Http;
  readonly clock: Clock;
  readonly secrets: Secrets;
  readonly eks: Eks;
  /** `<cluster>/<namespace>` of EKS, where not all of a cluster's may be asked for. */
  readonly grantedNamespaces?: readonly string[] | undefined;
}

export function openDiscovery(deps: DiscoveryDeps): Discovery<ScrapeConfig> {
  return createDiscovery({
    dns: createDnsDiscovery(deps),
    http: createHttpDiscovery(deps),
    kubernetes: createKubernetesDiscovery(deps),
  });
}

export interface Discoveries {
  readonly dns: Discovery<DnsSdConfig>;
  readonly http: Discovery<HttpSdConfig>;
  readonly kubernetes: Discovery<KubernetesSdConfig>;
}

/** All at once, each within `deadlineMs` (monotonic). Static targets come first, as they are written. */
export function createDiscovery({ dns, http, kubernetes }: Discoveries): Discovery<ScrapeConfig> {
  return async (config, deadlineMs) => {
    const written: Discovered = { groups: config.staticConfigs, complete: true, problems: [] };
    const found = await Promise.all([
      ...config.dnsSdConfigs.map((one) => dns(one, deadlineMs)),
      ...config.httpSdConfigs.map((one) => http(one, deadlineMs)),
      ...config.kubernetesSdConfigs.map((one) => kubernetes(one, deadlineMs)),
    ]);
    return joinDiscovered([written, ...found]);
  };
}
