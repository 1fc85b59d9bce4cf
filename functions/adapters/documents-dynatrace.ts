/** Dynatrace's Document API: a document is created, or updated where it is there already. */
import { DOCUMENT_SCOPES } from '../core/dashboard/environment.ts';
import { excerpt } from './error-envelope.ts';
import type { Http, HttpAnswer, HttpRequest } from './http.ts';

/** For each of the two or three exchanges of an upload. */
export const DOCUMENT_TIMEOUT_MS = 30_000;

/** Metadata of one document, or an error: a few hundred bytes. */
export const MAX_DOCUMENT_ANSWER_BYTES = 65_536;

const PATH = '/platform/document/v1/documents';

export interface UploadedDocument {
  /** Chosen by the caller, the same each time: letters, digits, `-`, `_`. */
  readonly id: string;
  readonly name: string;
  readonly type: 'dashboard';
  /** JSON. */
  readonly content: string;
}

export type UploadOutcome =
  | { readonly code: 'created' }
  | { readonly code: 'updated' }
  /** Someone else wrote the document in between: nothing was overwritten. */
  | { readonly code: 'conflict'; readonly message: string }
  /** 401, 403, 404, other 4xx. */
  | { readonly code: 'refused'; readonly status: number; readonly message: string }
  /** No answer, 429 or 5xx: perhaps another time. */
  | { readonly code: 'failed'; readonly message: string };

export interface DocumentsDeps {
  readonly http: Http;
  /** Monotonic. */
  readonly nowMs: () => number;
  /** As `environmentOrigin` gives it. */
  readonly origin: string;
  /** Platform or OAuth token, presented as Bearer. */
  readonly token: string;
}

/** Never throws for what the network or Dynatrace did. */
export async function uploadDocument(
  deps: DocumentsDeps,
  document: UploadedDocument,
): Promise<UploadOutcome> {
  const known = await readVersion(deps, document.id);
  if (known.code === 'version') return update(deps, document, known.version);
  if (known.code !== 'absent') return known;
  const created = await write(deps, 'POST', PATH, { ...document });
  if (created.code !== 'conflict') return created.code === 'written' ? { code: 'created' } : created;
  // Made in between, or there all the time for eyes that this token does not have.
  const again = await readVersion(deps, document.id);
  if (again.code === 'version') return update(deps, document, again.version);
  if (again.code !== 'absent') return again;
  const remedy = 'let its owner share it with you, or delete it for good';
  return {
    code: 'conflict',
    message: say(
      deps,
      `${document.id} is taken by a document that this token cannot see, perhaps in the trash`,
      remedy,
    ),
  };
}

type Refusal = Extract<UploadOutcome, { code: 'refused' | 'failed' }>;
type Version = { readonly code: 'version'; readonly version: string } | { readonly code: 'absent' } | Refusal;

async function readVersion(deps: DocumentsDeps, id: string): Promise<Version> {
  const answer = await ask(deps, { method: 'GET', path: `${PATH}/${id}/metadata`, headers: {} });
  if (answer.code !== 'answer') return answer;
  if (answer.status === 404) return { code: 'absent' };
  if (answer.status !== 200) return refusal(deps, answer);
  const version = versionOf(answer);
  return version === undefined
    ? { code: 'failed', message: say(deps, 'its answer is no metadata of a document', 'check --environment') }
    : { code: 'version', version };
}

/** A number, which some versions of the API write as text. */
function versionOf({ body }: HttpAnswer): string | undefined {
  try {
    const metadata: unknown = JSON.parse(new TextDecoder().decode(body));
    const version: unknown =
      typeof metadata === 'object' && metadata !== null ? Reflect.get(metadata, 'version') : undefined;
    const text = typeof version === 'number' || typeof version === 'string' ? `${version}` : '';
    return /^\d+$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

async function update(
  deps: DocumentsDeps,
  { id, name, content }: UploadedDocument,
  version: string,
): Promise<UploadOutcome> {
  const path = `${PATH}/${id}?optimistic-locking-version=${version}`;
  const written = await write(deps, 'PATCH', path, { name, content });
  if (written.code === 'written') return { code: 'updated' };
  if (written.code !== 'conflict') return written;
  const message = say(
    deps,
    `${id} was changed while it was uploaded`,
    'look at the change, then upload again',
  );
  return { code: 'conflict', message };
}

type Written = { readonly code: 'written' } | { readonly code: 'conflict' } | Refusal;

/** The fields as multipart/form-data, the content as a file among them. */
async function write(
  deps: DocumentsDeps,
  method: 'POST' | 'PATCH',
  path: string,
  { content, ...fields }: Partial<UploadedDocument> & Pick<UploadedDocument, 'content'>,
): Promise<Written> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set('content', new Blob([content], { type: 'application/json' }), 'content.json');
  const multipart = new Response(form);
  const headers = { 'content-type': multipart.headers.get('content-type') ?? '' };
  const body = new Uint8Array(await multipart.arrayBuffer());
  const answer = await ask(deps, { method, path, headers, body });
  if (answer.code !== 'answer') return answer;
  if (answer.status >= 200 && answer.status < 300) return { code: 'written' };
  return answer.status === 409 ? { code: 'conflict' } : refusal(deps, answer);
}

type Asked = Pick<HttpRequest, 'method' | 'body'> & {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
};

async function ask(
  deps: DocumentsDeps,
  { path, headers, ...request }: Asked,
): Promise<HttpAnswer | { readonly code: 'failed'; readonly message: string }> {
  const result = await deps.http.request({
    ...request,
    url: new URL(path, deps.origin),
    headers: { ...headers, accept: 'application/json', authorization: `Bearer ${deps.token}` },
    deadlineMs: deps.nowMs() + DOCUMENT_TIMEOUT_MS,
    maxBytes: MAX_DOCUMENT_ANSWER_BYTES,
  });
  if (result.code === 'answer') return result;
  const remedy =
    result.code === 'tls' ? 'check the certificate and its authority' : 'check --environment and the network';
  return { code: 'failed', message: say(deps, result.cause, remedy) };
}

function refusal(deps: DocumentsDeps, answer: HttpAnswer): Refusal {
  const { status } = answer;
  const cause = `it answered status ${status}${excerpt(answer, deps.token)}`;
  if (status === 429 || status >= 500) {
    return { code: 'failed', message: say(deps, cause, 'try again later') };
  }
  return { code: 'refused', status, message: say(deps, cause, remedyOf(answer)) };
}

function remedyOf({ status, body }: HttpAnswer): string {
  if (status === 401) return 'check that the token is a valid platform token of this environment';
  if (status === 403) {
    const text = new TextDecoder().decode(body);
    const named = DOCUMENT_SCOPES.filter((scope) => text.includes(scope));
    const scopes = named.length === 0 ? DOCUMENT_SCOPES : named;
    return `give the token the scope${scopes.length === 1 ? '' : 's'} ${scopes.join(' and ')}`;
  }
  if (status === 404) {
    return 'no Document API is there; give the URL of the web interface, https://<environment>.apps.dynatrace.com';
  }
  if (status < 400) return 'give the final URL: a redirect is never followed with a token';
  return 'check that the environment has the Dashboards app';
}

function say({ origin }: DocumentsDeps, cause: string, remedy: string): string {
  return `cannot upload to ${origin}${PATH}: ${cause}; ${remedy}`;
}
