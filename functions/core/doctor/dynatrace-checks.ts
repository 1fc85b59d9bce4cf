/** What can be said of Dynatrace's side: the form of endpoint and token, and what an answer to a post means. */
import { isDynatraceUrl, isLoopback, metricsUrl } from '../endpoint.ts';
import { type ExportOutcome, unreachable } from '../outcome.ts';
import { type Check, failed, ok, skipped, told, warning } from './checks.ts';
import { type Place, wordsAt } from './place.ts';

/** `url`: where metrics are posted to; absent where no usable endpoint was given. */
export function checkEndpoint(endpoint: string): { readonly check: Check; readonly url?: string } {
  const read = metricsUrl(endpoint);
  if ('problem' in read) return { check: told('endpoint', 'failed', read.problem) };
  const { url } = read;
  const { protocol, host, hostname, pathname } = new URL(url);
  const [environment] = /^\/e\/[^/]+/.exec(pathname) ?? [];
  if (environment !== undefined && !isDynatraceUrl(url)) {
    const remedy = `store https://${host}${environment}/api/v2/otlp`;
    return {
      check: failed('endpoint', `${host}${environment} is an environment, and not its OTLP API`, remedy),
    };
  }
  if (protocol === 'http:' && !isLoopback(hostname)) {
    return {
      url,
      check: warning('endpoint', `${url} would get the token unencrypted`, `use https://${host}`),
    };
  }
  if (!isDynatraceUrl(url) && !isLoopback(hostname)) {
    const remedy = `on an ActiveGate or Managed it is https://${host}/e/<environment>/api/v2/otlp`;
    return { url, check: warning('endpoint', `${url} has not the form of a Dynatrace URL`, remedy) };
  }
  return { url, check: ok('endpoint', `metrics go to ${url}`) };
}

export type TokenKind = 'classic' | 'platform' | 'other' | 'none';

interface CheckedToken {
  readonly check: Check;
  readonly kind: TokenKind;
  /** Whether it is worth while to present it. */
  readonly usable: boolean;
}

/** docs.dynatrace.com, "Access tokens", token format: prefix, public and secret portion. */
const TOKEN = /^dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}$/;

/** Same place, token prefixes. */
const OTHER_KINDS: Readonly<Record<string, string>> = {
  dt0s01: 'a token for managing the account (SCIM)',
  dt0s02: 'the secret of an OAuth client',
  dt0s03: 'the secret of an OAuth client',
  dt0s06: 'an OAuth refresh token',
  dt0s08: 'the secret of an OAuth client',
};

const MAKE_ONE = 'make an access token with the scope metrics.ingest in Dynatrace';

/** By its form alone. No part of it is ever repeated. `url`: where it would go; undefined: to Dynatrace. */
export function checkToken(
  token: string | undefined,
  url: string | undefined,
  place: Place = 'here',
): CheckedToken {
  const isForDynatrace = url === undefined || isDynatraceUrl(url);
  const text = token?.trim() ?? '';
  const bad = (cause: string, remedy: string): CheckedToken => ({
    check: failed('token', cause, remedy),
    kind: 'other',
    usable: false,
  });
  if (text === '') {
    return isForDynatrace
      ? { ...bad('no API token is given', `${MAKE_ONE}, and ${wordsAt(place).putToken}`), kind: 'none' }
      : {
          check: skipped('token', 'no API token is given; this receiver may need none'),
          kind: 'none',
          usable: true,
        };
  }
  if (/^https?:\/\//i.test(text))
    return bad('the API token is a URL', 'put the token in its place: are the two swapped?');
  if (/^(?:api-token|bearer)\b/i.test(text))
    return bad('the API token begins with a scheme', 'store the token alone, from dt0c01. on');
  if (/^["'`]|["'`]$/.test(text)) return bad('the API token stands in quotes', 'store it without them');
  if (!/^[\x21-\x7e]+$/.test(text))
    return bad(
      'the API token holds a space, a line break or a character that no token has',
      'store the token alone',
    );
  return kindOf(text, isForDynatrace);
}

function kindOf(text: string, isForDynatrace: boolean): CheckedToken {
  const prefix = /^dt0[a-z]\d\d(?=\.)/.exec(text)?.[0];
  const kind = prefix === 'dt0c01' ? 'classic' : prefix === 'dt0s16' ? 'platform' : 'other';
  if (prefix === undefined) {
    const cause = 'the API token has no prefix of a Dynatrace token';
    return isForDynatrace
      ? { check: warning('token', cause, `if it is none: ${MAKE_ONE}`), kind, usable: true }
      : { check: ok('token', 'a token of no form of Dynatrace, sent as Api-Token'), kind, usable: true };
  }
  if (kind === 'other') {
    const what = OTHER_KINDS[prefix] ?? 'a token of another kind';
    return {
      check: failed('token', `${prefix} is ${what}, which sends no metrics`, MAKE_ONE),
      kind,
      usable: false,
    };
  }
  const name =
    kind === 'classic'
      ? 'a classic access token (dt0c01), sent as Api-Token'
      : 'a platform token (dt0s16), sent as Bearer';
  if (!TOKEN.test(text)) {
    const remedy = 'copy it whole: prefix, 24 characters and 64, with dots between';
    return { check: warning('token', `${name}, but not of its length`, remedy), kind, usable: true };
  }
  return { check: ok('token', name), kind, usable: true };
}

/**
 * An empty request stores nothing, and OTLP has it answered with success. Dynatrace documents that for traces only
 * (200 where the token has the scope); that it holds for metrics is inferred, and the message says so.
 */
export function checkIngest(
  outcome: ExportOutcome,
  kind: TokenKind,
  latencyMs: number,
  place: Place = 'here',
): Check {
  const { surely } = wordsAt(place);
  switch (outcome.code) {
    case 'accepted':
      if (outcome.warning !== undefined) return told('ingest', 'warning', outcome.warning, latencyMs);
      return ok('ingest', 'an empty request was accepted; inferred: the token may send metrics', latencyMs);
    case 'partial':
      return warning(
        'ingest',
        'an empty request was accepted in part, which nothing documents',
        surely,
        latencyMs,
      );
    case 'malformed':
      return warning(
        'ingest',
        'an empty request was answered 400; inferred: the token was let in, since a wrong one is answered 401',
        `to be sure: ${surely}`,
        latencyMs,
      );
    case 'refused': {
      const check = told('ingest', 'failed', outcome.message, latencyMs);
      const remedy = refusalRemedy(outcome.status, kind);
      return remedy === undefined ? check : { ...check, remedy };
    }
    case 'retry':
      return told('ingest', 'warning', outcome.message, latencyMs);
    case 'too_large':
    case 'unknown':
    case 'waiting_for_token':
    case 'waiting_for_endpoint':
      return told('ingest', 'failed', outcome.message, latencyMs);
    default:
      return unreachable(outcome);
  }
}

function refusalRemedy(status: number, kind: TokenKind): string | undefined {
  const scopes =
    kind === 'platform'
      ? 'the permissions openpipeline:metrics:ingest and storage:metrics:write; the safe choice is an access token (dt0c01) with metrics.ingest'
      : 'the scope metrics.ingest: make a new one, and choose "Ingest metrics"';
  switch (status) {
    case 401:
      return `check that the token was made in this environment, is enabled and not expired, and has ${scopes}`;
    case 403:
      return `the token is known and lacks ${scopes}`;
    case 404:
      return 'check environment id and path: https://<environment>.live.dynatrace.com/api/v2/otlp, on an ActiveGate https://<host>:9999/e/<environment>/api/v2/otlp';
    case 405:
    case 415:
      return 'another kind of server answers there: check host, port and path of the endpoint';
    default:
      return undefined;
  }
}
