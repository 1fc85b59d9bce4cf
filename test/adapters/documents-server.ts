/**
 * A Document API in memory, as Dynatrace's behaves: documents under ids, multipart in, JSON out, a version that each
 * write raises and that an update must name.
 */
import type { ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';
import { type LocalServer, type SeenRequest, serveHttp } from './local-servers.ts';

export interface StoredDocument {
  readonly name: string;
  readonly type: string;
  readonly content: string;
  readonly version: number;
}

export interface DocumentsServer extends LocalServer {
  readonly documents: Map<string, StoredDocument>;
}

export interface DocumentsScript {
  readonly token: string;
  readonly scopes: readonly string[];
  /** Before the nth request, from 1, is answered; true: it was answered already. */
  readonly before?: (
    nth: number,
    documents: Map<string, StoredDocument>,
    response: ServerResponse,
  ) => boolean;
  /** Ids of documents that this token does not see. */
  readonly hidden?: readonly string[];
  /** The version as text, as some releases write it. */
  readonly textVersion?: boolean;
}

const PATH = /^\/platform\/document\/v1\/documents(?:\/([\w-]+))?(\/metadata)?$/;

export async function serveDocuments(t: TestContext, script: DocumentsScript): Promise<DocumentsServer> {
  const documents = new Map<string, StoredDocument>();
  const answer = async (request: SeenRequest, response: ServerResponse, nth: number): Promise<void> => {
    if (script.before?.(nth, documents, response) === true) return;
    const say = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const refuse = (status: number, message: string, details?: unknown) =>
      say(status, { error: { code: status, message, details } });
    const url = new URL(request.url, 'http://localhost');
    const [, id, metadata] = PATH.exec(url.pathname) ?? [];
    if (!PATH.test(url.pathname)) return refuse(404, 'no such path');
    if (request.headers.authorization !== `Bearer ${script.token}`) return refuse(401, 'Unauthorized');
    const scope = `document:documents:${request.method === 'GET' ? 'read' : 'write'}`;
    if (!script.scopes.includes(scope)) return refuse(403, 'Forbidden', { missingScopes: [scope] });
    const seen = (key: string) => (script.hidden?.includes(key) === true ? undefined : documents.get(key));
    const meta = (key: string, { name, type, version }: StoredDocument) => ({
      id: key,
      name,
      type,
      version: script.textVersion === true ? `${version}` : version,
    });
    if (request.method === 'GET' && id !== undefined && metadata !== undefined) {
      const found = seen(id);
      return found === undefined ? refuse(404, `no document ${id}`) : say(200, meta(id, found));
    }
    const fields = await formOf(request);
    const content = fields?.get('content');
    if (fields === undefined || content === undefined) return refuse(400, 'no multipart with content');
    if (request.method === 'POST' && id === undefined) {
      const [key, name, type] = ['id', 'name', 'type'].map((field) => fields.get(field) ?? '');
      if (!key || !name || !type) return refuse(400, 'id, name and type are missing');
      if (documents.has(key) || script.hidden?.includes(key) === true) return refuse(409, `${key} exists`);
      documents.set(key, { name, type, content, version: 1 });
      return say(201, meta(key, documents.get(key) as StoredDocument));
    }
    const found = id === undefined ? undefined : seen(id);
    if (request.method !== 'PATCH' || id === undefined || found === undefined)
      return refuse(404, 'no document');
    const version = url.searchParams.get('optimistic-locking-version');
    if (version !== `${found.version}`) return refuse(409, `the version is ${found.version}, not ${version}`);
    documents.set(id, {
      ...found,
      name: fields.get('name') ?? found.name,
      content,
      version: found.version + 1,
    });
    say(200, { documentMetadata: meta(id, documents.get(id) as StoredDocument) });
  };
  const server = await serveHttp(t, (request, response, nth) => {
    answer(request, response, nth).catch(() => response.destroy());
  });
  return { ...server, documents };
}

/** The fields, files as their text; undefined: it is no multipart. A file must call itself JSON. */
async function formOf({ headers, body }: SeenRequest): Promise<Map<string, string> | undefined> {
  const type = headers['content-type'] ?? '';
  if (!type.startsWith('multipart/form-data')) return undefined;
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData();
  const fields = new Map<string, string>();
  for (const [name, value] of form) {
    if (typeof value === 'string') fields.set(name, value);
    else if (value.type === 'application/json') fields.set(name, await value.text());
  }
  return fields;
}
