/** A job's targets from all of its discoveries. Another kind of discovery is a file beside dns.ts and a line here. */
import { type Discovered, type Discovery, joinDiscovered } from '../core/discovery.ts';
import type { DnsSdConfig, ScrapeConfig } from '../core/scrape-config.ts';

export interface Discoveries {
  readonly dns: Discovery<DnsSdConfig>;
}

/** All at once, each within `deadlineMs` (monotonic). Static targets come first, as they are written. */
export function createDiscovery({ dns }: Discoveries): Discovery<ScrapeConfig> {
  return async ({ staticConfigs, dnsSdConfigs }, deadlineMs) => {
    const written: Discovered = { groups: staticConfigs, complete: true, problems: [] };
    return joinDiscovered([
      written,
      ...(await Promise.all(dnsSdConfigs.map((config) => dns(config, deadlineMs)))),
    ]);
  };
}
