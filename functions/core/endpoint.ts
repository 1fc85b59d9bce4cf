/** Where metrics go and how a token is presented: what can be decided about both without asking anyone. */

/** OTLP/HTTP's path below a base URL (OTLP 1.x, "OTLP/HTTP Request"). */
const METRICS_PATH = '/v1/metrics';

/**
 * The base path of Dynatrace's OTLP API; `/e/<environment>` stands before it on an ActiveGate and on Managed.
 */
const DYNATRACE_PATH = /^(\/e\/[^/]+)?\/api\/v2\/otlp(?:\/v1\/metrics)?$/;

const DYNATRACE_HOST = /\.dynatrace(?:labs)?\.com$/;

/** docs.dynatrace.com, "Access tokens", token prefixes. */
const TOKEN = /dt0[a-z]\d\d\./i;

/**
 * The URL to post metrics to, from a base or a full URL. `problem` is a message for people: what is wrong
 * with the endpoint and what to store instead. It never repeats user information or a query, since either may
 * be a secret.
 */
export function metricsUrl(endpoint: string): { readonly url: string } | { readonly problem: string } {
  if (TOKEN.test(endpoint)) {
    return problem('it holds what looks like an API token', 'the URL alone, and the token apart from it');
  }
  const url = parse(endpoint.trim());
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return problem('it is not an http or https URL', 'https://<environment>.live.dynatrace.com/api/v2/otlp');
  }
  if (url.username !== '' || url.password !== '') {
    return problem('it holds a user name or password', 'the URL alone, and the token apart from it');
  }
  const path = url.pathname.replace(/\/+$/, '');
  const base = `${url.protocol}//${url.host}`;
  if (url.search !== '' || url.hash !== '') {
    return problem('it holds a query or a fragment', `${base}${path} without them`);
  }
  if (DYNATRACE_HOST.test(url.hostname)) {
    const wrong = dynatraceProblem(url, path);
    if (wrong !== undefined) return wrong;
  }
  return { url: base + (path.endsWith(METRICS_PATH) ? path : path + METRICS_PATH) };
}

/** Whether a URL to post to is that of Dynatrace itself, by its host, or of an ActiveGate or Managed, by its path. */
export function isDynatraceUrl(url: string): boolean {
  const { hostname, pathname } = new URL(url);
  return DYNATRACE_HOST.test(hostname) || /^\/e\/[^/]+\/api\/v2\/otlp\//.test(pathname);
}

/**
 * Why no token may be sent to the URL, a message for people; undefined: it may. Without TLS whoever is on the way reads
 * it, but on this machine, where a local receiver has no certificate.
 */
export function tokenProblem(url: string): string | undefined {
  const { protocol, host, hostname } = new URL(url);
  if (protocol === 'https:' || isLoopback(hostname)) return undefined;
  return problem('it would send the token unencrypted', `https://${host}`).problem;
}

export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

/**
 * The `Authorization` header for a token: classic tokens (`dt0c01.`) as Api-Token, platform tokens and other
 * `dt0s` ones as Bearer, anything else as Api-Token.
 */
export function authorization(token: string): string {
  return /^dt0s\d\d\./.test(token) ? `Bearer ${token}` : `Api-Token ${token}`;
}

function dynatraceProblem(url: URL, path: string): { readonly problem: string } | undefined {
  const labels = url.hostname.split('.');
  const isApp = labels.includes('apps');
  const prefix = /^\/e\/[^/]+/.exec(path)?.[0] ?? '';
  const fixed = `https://${isApp ? apiHost(labels) : url.host}${prefix}/api/v2/otlp`;
  if (isApp) return problem(`${url.host} serves the web interface, not the API`, fixed);
  if (!DYNATRACE_PATH.test(path)) return problem(`${url.host}${path} is not the OTLP API`, fixed);
  if (url.protocol === 'http:') return problem('it would send the token unencrypted', fixed);
  return undefined;
}

/** `abc.apps.dynatrace.com` and `abc.live.apps.dynatrace.com` both belong to `abc.live.dynatrace.com`. */
function apiHost(labels: readonly string[]): string {
  const rest = labels.filter((label) => label !== 'apps');
  if (rest.length === 3) rest.splice(1, 0, 'live');
  return rest.join('.');
}

function problem(cause: string, remedy: string): { readonly problem: string } {
  return { problem: `cannot use the Dynatrace endpoint: ${cause}; store ${remedy}` };
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
