/** Which environment keeps the dashboard: what can be decided without asking it. */

/** `<environment>.live.dynatrace.com`, as in the endpoint for metrics, and the host names of the web interface. */
const DYNATRACE_HOST = /^([a-z0-9-]+)\.(?:live\.|apps\.|live\.apps\.)?(dynatrace(?:labs)?\.com)$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/**
 * The origin of the environment's web interface, below which its Document API is, from what a person has in the address
 * line. `problem` is a message for people; it repeats neither user information nor a query.
 */
export function environmentOrigin(text: string): { readonly origin: string } | { readonly problem: string } {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    return problem('it is not an http or https URL', 'https://<environment>.apps.dynatrace.com');
  }
  const origin = `${url.protocol}//${url.host}`;
  if (url.username !== '' || url.password !== '') {
    return problem(
      'it holds a user name or password',
      `${origin} alone; the token is read from ${TOKEN_VARIABLE}`,
    );
  }
  const [, environment, domain] = DYNATRACE_HOST.exec(url.hostname) ?? [];
  const apps = `https://${environment}.apps.${domain}`;
  if (environment !== undefined && origin !== apps) {
    const cause =
      url.hostname === new URL(apps).hostname
        ? 'the token would go unencrypted or to another port'
        : `${url.host} is not the host of the Document API`;
    return problem(cause, apps);
  }
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
    return problem('the token would go unencrypted', `https://${url.host}`);
  }
  return { origin };
}

/** The environment variable that holds the platform token. */
export const TOKEN_VARIABLE = 'DT_PLATFORM_TOKEN';

/** Scopes of the token: `read` to see whether the document is there. */
export const DOCUMENT_SCOPES = ['document:documents:read', 'document:documents:write'] as const;

/** What is wrong with a token; it is never repeated. */
export function tokenProblem(token: string): string | undefined {
  const scopes = DOCUMENT_SCOPES.join(' and ');
  if (token === '') {
    return `cannot upload the dashboard: ${TOKEN_VARIABLE} is not set; set it to a platform token with the scopes ${scopes}`;
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return `cannot upload the dashboard: ${TOKEN_VARIABLE} holds a character that no token has; set it to the token alone`;
  }
  if (token.startsWith('dt0c01.')) {
    return `cannot upload the dashboard: ${TOKEN_VARIABLE} holds a classic token, which the Document API does not take; create a platform token (dt0s16...) with the scopes ${scopes}`;
  }
  return undefined;
}

function problem(cause: string, remedy: string): { readonly problem: string } {
  return { problem: `cannot use --environment: ${cause}; write ${remedy}` };
}
