/** `http_sd_configs`: asks as Prometheus asks (discovery/http), and takes nothing but what Prometheus takes. */
import type { Discovery, ListAnswer } from '../core/discovery.ts';
import type { Clock } from '../core/ports.ts';
import type { HttpSdConfig } from '../core/scrape-config.ts';
import type { Secrets } from '../core/secrets.ts';
import { readTargetList } from '../core/target-list.ts';
import { clientRequest } from './client-request.ts';
import type { Http, HttpAnswer } from './http.ts';
import { type Got, getFollowing, nameOf } from './redirects.ts';
import { rememberLists } from './remembered-lists.ts';

/** Bytes of one list: 10,000 targets with a KB of labels each would be twice that, and no message would hold them. */
export const MAX_LIST_BYTES = 4 * 1024 * 1024;

/** The longest that one list is waited for: the others of a tick wait as long. */
export const LIST_TIMEOUT_MS = 10_000;

interface HttpSdDeps {
  readonly http: Http;
  readonly clock: Clock;
  readonly secrets: Secrets;
}

export function createHttpDiscovery(deps: HttpSdDeps): Discovery<HttpSdConfig> {
  return rememberLists(
    (config, deadlineMs) => fetchList(config, deadlineMs, deps),
    ({ refreshIntervalMs }) => refreshIntervalMs,
    deps.clock,
  );
}

async function fetchList(
  { url: text, refreshIntervalMs, client }: HttpSdConfig,
  runDeadlineMs: number,
  { http, clock, secrets }: HttpSdDeps,
): Promise<ListAnswer> {
  const url = new URL(text);
  const failed = (cause: string): ListAnswer => ({
    code: 'failed',
    message: `cannot read the target list of ${nameOf(url)}: ${cause}`,
  });
  const deadlineMs = Math.min(runDeadlineMs, clock.monotonicMs() + LIST_TIMEOUT_MS);
  const plain = {
    accept: 'application/json',
    'accept-encoding': 'gzip',
    'x-prometheus-refresh-interval-seconds': String(refreshIntervalMs / 1_000),
  };
  const request = await clientRequest(client, plain, (reference) => secrets(reference, deadlineMs, false));
  if (request.code !== 'request') return failed(request.message);
  const { followRedirects } = client;
  const got = await getFollowing(http, {
    url,
    ...request,
    followRedirects,
    deadlineMs,
    maxBytes: MAX_LIST_BYTES,
  });
  const cause = describeRefusal(got);
  if (cause !== undefined) return failed(cause);
  const { body } = (got as Extract<Got, { code: 'answer' }>).answer;
  // A byte order mark is no JSON to Go either.
  const groups = readTargetList(new TextDecoder('utf-8', { ignoreBOM: true }).decode(body));
  if (typeof groups === 'string') return failed(groups);
  const labelled = groups.map((group) => ({ ...group, labels: { ...group.labels, __meta_url: text } }));
  return { code: 'list', groups: labelled, problems: [] };
}

/** Prometheus' own pattern. */
const JSON_TYPE = /^application\/json(?:;\s*charset=(?:"utf-8"|utf-8))?$/i;

/** Why an answer is no list; undefined: it may be one. */
function describeRefusal(got: Got): string | undefined {
  switch (got.code) {
    case 'failed':
      return got.failure.cause;
    case 'stopped':
      return got.cause;
    case 'answer':
      return describeAnswer(got.answer);
  }
}

function describeAnswer({ status, headers, flaw }: HttpAnswer): string | undefined {
  if (status !== 200) return `it answered status ${status}`;
  if (!JSON_TYPE.test((headers['content-type'] ?? '').trim()))
    return 'its content type is not application/json';
  return flaw?.cause;
}
