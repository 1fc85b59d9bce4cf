/** The ports of the doctor: real ones, each request on a connection of its own. */
import { BASELINE_DICTIONARY } from '../core/baseline-dictionary.ts';
import type { DoctorPorts } from '../core/doctor/diagnosing.ts';
import type { Place } from '../core/doctor/place.ts';
import type { Peer } from '../core/doctor/probe.ts';
import type { Clock } from '../core/ports.ts';
import type { Secrets } from '../core/secrets.ts';
import { sleepMs } from './clock.ts';
import { createExport } from './export.ts';
import { type Http, createHttp } from './http.ts';
import { createPacking } from './packing.ts';
import { createProbe } from './probe.ts';
import { createScrape } from './scrape.ts';

interface DoctorPortsDeps {
  readonly clock: Clock;
  /** Of targets. */
  readonly secrets: Secrets;
  /** Dynatrace's; undefined: none. */
  readonly endpoint?: string | undefined;
  readonly token?: string | undefined;
  /** PEM, trusted beside the authorities that Node trusts. */
  readonly ca?: string | undefined;
  /** Every request goes through it; look-up and connection are then checked as far as it. */
  readonly proxy?: URL | undefined;
  /** Default: here. */
  readonly place?: Place;
  /** As scrapes do where the doctor is asked. Default: false. */
  readonly refuseLoopback?: boolean;
}

export function createDoctorPorts(deps: DoctorPortsDeps): DoctorPorts {
  const { clock, secrets, endpoint, token, place = 'here', refuseLoopback = false } = deps;
  const inVpc = place === 'here' ? undefined : place === 'lambda_in_vpc';
  const ca = deps.ca === undefined ? {} : { ca: deps.ca };
  const { proxy } = deps;
  const anew = async <Answer>(ask: (http: Http) => Promise<Answer>): Promise<Answer> => {
    const http = createHttp({ clock, proxy, refuseLoopback, ...ca });
    try {
      return await ask(http);
    } finally {
      await http.close();
    }
  };
  return {
    clock,
    place,
    ...(proxy === undefined ? {} : { proxy: peerOf(proxy) }),
    sleepMs,
    probe: createProbe({ clock, secrets, ...ca }),
    scrape: (target, deadlineMs) =>
      anew((http) => createScrape({ http, clock, secrets, inVpc })(target, deadlineMs)),
    post: (body, deadlineMs) =>
      anew(async (http) => {
        let dateMs: number | undefined;
        const post = createExport({
          http,
          clock,
          endpoint: () => Promise.resolve(endpoint),
          token: () => Promise.resolve(token),
          tokenRequired: false,
          maxAttempts: 1,
          observe: (attempt) => {
            ({ dateMs } = attempt);
          },
        });
        const outcome = await post(body, deadlineMs);
        return dateMs === undefined ? { outcome } : { outcome, dateMs };
      }),
    fits: createPacking(BASELINE_DICTIONARY).fits,
  };
}

/** As the tunnel is opened: without TLS, port 80 where there is none. */
function peerOf({ hostname, port }: URL): Peer {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) };
}
