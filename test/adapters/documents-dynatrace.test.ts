/** Uploads against a Document API on this machine. */
import { strict as assert } from 'node:assert';
import { type TestContext, describe, test } from 'node:test';
import { systemClock } from '../../functions/adapters/clock.ts';
import {
  MAX_DOCUMENT_ANSWER_BYTES,
  type UploadOutcome,
  type UploadedDocument,
  uploadDocument,
} from '../../functions/adapters/documents-dynatrace.ts';
import { createHttp } from '../../functions/adapters/http.ts';
import { type DocumentsScript, serveDocuments } from './documents-server.ts';
import { closedPort, serveHttp } from './local-servers.ts';

const TOKEN = 'dt0s16.PUBLIC.hunter2';
const ID = 'nim-to-dynatrace-grail';
const BOTH = ['document:documents:read', 'document:documents:write'];
/** With what could upset a multipart body. */
const CONTENT = '{"title":"--boundary\\r\\n $Model é ✓"}\r\n--x--\r\n';
const DOCUMENT: UploadedDocument = { id: ID, name: 'NVIDIA NIM', type: 'dashboard', content: CONTENT };

async function upload(
  t: TestContext,
  address: string,
  document: UploadedDocument = DOCUMENT,
): Promise<UploadOutcome> {
  const http = createHttp({ clock: systemClock });
  t.after(() => http.close());
  const deps = { http, nowMs: systemClock.monotonicMs, origin: `http://${address}`, token: TOKEN };
  const outcome = await uploadDocument(deps, document);
  if ('message' in outcome) {
    assert(!outcome.message.includes('hunter2'), outcome.message);
    assert.match(outcome.message, /^cannot upload to http:\S+: [^;]+; .+$/);
  }
  return outcome;
}

function serve(t: TestContext, script: Partial<DocumentsScript> = {}) {
  return serveDocuments(t, { token: TOKEN, scopes: BOTH, ...script });
}

function assertRefused(
  outcome: UploadOutcome,
  code: UploadOutcome['code'],
  ...texts: readonly RegExp[]
): void {
  assert.equal(outcome.code, code);
  for (const text of texts) assert.match('message' in outcome ? outcome.message : '', text);
}

describe('create and update', () => {
  test('the first upload creates it, byte for byte, the second updates it under the next version', async (t) => {
    const server = await serve(t);
    assert.deepEqual(await upload(t, server.address), { code: 'created' });
    const stored = { name: 'NVIDIA NIM', type: 'dashboard', content: CONTENT };
    assert.deepEqual(server.documents.get(ID), { ...stored, version: 1 });
    const changed = { ...DOCUMENT, name: 'NIM', content: '{}' };
    assert.deepEqual(await upload(t, server.address, changed), { code: 'updated' });
    assert.deepEqual(server.documents.get(ID), { ...stored, name: 'NIM', content: '{}', version: 2 });
    assert.deepEqual(
      server.requests.map(({ method, url }) => `${method} ${url.replace('/platform/document/v1', '')}`),
      [
        `GET /documents/${ID}/metadata`,
        'POST /documents',
        `GET /documents/${ID}/metadata`,
        `PATCH /documents/${ID}?optimistic-locking-version=1`,
      ],
    );
  });

  test('a version written as text is a version', async (t) => {
    const server = await serve(t, { textVersion: true });
    await upload(t, server.address);
    assert.deepEqual(await upload(t, server.address), { code: 'updated' });
  });

  test('created by someone else in between: updated', async (t) => {
    const other = { name: 'x', type: 'dashboard', content: '{}', version: 4 };
    const server = await serve(t, {
      before: (nth, documents) => {
        if (nth === 2) documents.set(ID, other);
        return false;
      },
    });
    assert.deepEqual(await upload(t, server.address), { code: 'updated' });
    assert.equal(server.documents.get(ID)?.version, 5);
  });
});

describe('conflicts overwrite nothing', () => {
  test('changed by someone else between look and write', async (t) => {
    const server = await serve(t, {
      before: (nth, documents) => {
        const found = documents.get(ID);
        if (nth === 4 && found !== undefined)
          documents.set(ID, { ...found, content: '"theirs"', version: 2 });
        return false;
      },
    });
    await upload(t, server.address);
    assertRefused(await upload(t, server.address), 'conflict', /was changed while it was uploaded/);
    assert.equal(server.documents.get(ID)?.content, '"theirs"');
    assert.equal(server.requests.length, 4, 'it is not tried again');
  });

  test('the id belongs to a document that the token does not see', async (t) => {
    const server = await serve(t, { hidden: [ID] });
    assertRefused(await upload(t, server.address), 'conflict', /cannot see, perhaps in the trash/);
  });
});

describe('refusals say what to do', () => {
  test('401: another token', async (t) => {
    const server = await serve(t, { token: 'dt0s16.OTHER.other' });
    const outcome = await upload(t, server.address);
    assertRefused(
      outcome,
      'refused',
      /status 401 \(Unauthorized\)/,
      /valid platform token of this environment/,
    );
    assert.equal(server.requests.length, 1);
  });

  test('403: the scope that is missing is named', async (t) => {
    const noWrite = await serve(t, { scopes: ['document:documents:read'] });
    assertRefused(
      await upload(t, noWrite.address),
      'refused',
      /give the token the scope document:documents:write$/,
    );
    const noRead = await serve(t, { scopes: ['document:documents:write'] });
    assertRefused(
      await upload(t, noRead.address),
      'refused',
      /give the token the scope document:documents:read$/,
    );
    assert.equal(noWrite.documents.size + noRead.documents.size, 0);
  });

  test('403 that names none: both', async (t) => {
    const server = await serveHttp(t, (_, response) => void response.writeHead(403).end('<html>no</html>'));
    const both = /the scopes document:documents:read and document:documents:write$/;
    assertRefused(await upload(t, server.address), 'refused', both);
  });

  test('404 on everything: no host of the Document API', async (t) => {
    const server = await serveHttp(t, (_, response) => void response.writeHead(404).end('<html>no</html>'));
    assertRefused(await upload(t, server.address), 'refused', /<environment>\.apps\.dynatrace\.com$/);
    assert.equal(server.requests.length, 2);
  });

  test('a redirect is not followed: the token stays here', async (t) => {
    const other = await serve(t);
    const location = `http://${other.address}/`;
    const server = await serveHttp(t, (_, response) => void response.writeHead(302, { location }).end());
    assertRefused(await upload(t, server.address), 'refused', /redirect is never followed/);
    assert.equal(other.requests.length, 0);
  });

  test('400: what the answer says', async (t) => {
    const server = await serve(t, {
      before: (nth, _, response) => {
        if (nth !== 2) return false;
        response.writeHead(400).end(JSON.stringify({ error: { code: 400, message: 'content: bad' } }));
        return true;
      },
    });
    assertRefused(await upload(t, server.address), 'refused', /status 400 \(content: bad\)/);
  });
});

describe('no clear answer', () => {
  for (const status of [429, 500, 503]) {
    test(`${status}: another time`, async (t) => {
      const server = await serveHttp(t, (_, response) => void response.writeHead(status).end());
      assertRefused(await upload(t, server.address), 'failed', /try again later/);
    });
  }

  test('nobody listens, or hangs up', async (t) => {
    assertRefused(
      await upload(t, `127.0.0.1:${await closedPort()}`),
      'failed',
      /was refused; check --environment/,
    );
    const server = await serveHttp(t, (_, response) => void response.destroy());
    assertRefused(await upload(t, server.address), 'failed', /closed before an answer/);
  });

  for (const [what, body] of [
    ['HTML', '<html>sign in</html>'],
    ['no version', '{"id":"x"}'],
    ['a version that is none', '{"version":"1&x=2"}'],
    ['null', 'null'],
    ['too much', ' '.repeat(MAX_DOCUMENT_ANSWER_BYTES + 1)],
  ] as const) {
    test(`metadata that are none: ${what}`, async (t) => {
      const server = await serveHttp(t, (_, response) => void response.writeHead(200).end(body));
      assertRefused(await upload(t, server.address), 'failed', /no metadata of a document/);
      assert.equal(server.requests.length, 1, 'nothing was written');
    });
  }

  test('an answer that echoes the token does not print it', async (t) => {
    const message = `token ${TOKEN} is odd`;
    const body = JSON.stringify({ error: { code: 401, message } });
    const server = await serveHttp(t, (_, response) => void response.writeHead(401).end(body));
    assertRefused(await upload(t, server.address), 'refused', /token \*\*\* is odd/);
  });
});
