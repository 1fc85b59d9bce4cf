/**
 * Stands between a real client and a real DynamoDB endpoint and does to requests what networks and services
 * do.
 */
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type DynamoDbFault =
  /** Carried out, but the connection breaks before the answer. */
  | { readonly kind: 'lose' }
  /** Carried out, answered after so many milliseconds. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Never answered, never carried out. */
  | { readonly kind: 'hang' }
  /** Not carried out, answered with this error. */
  | { readonly kind: 'refuse'; readonly error: string }
  /** Of a BatchGetItem only the first keys are read, the others come back unprocessed. */
  | { readonly kind: 'unprocessed'; readonly processed: number };

export interface DynamoDbFaults {
  readonly endpoint: string;
  /** Names of the operations as they came, retries included. */
  readonly operations: readonly string[];
  /** The next request of this operation meets the fault; several queue up. */
  readonly next: (operation: string, fault: DynamoDbFault) => void;
  /** Forgets the faults that no request has met. */
  readonly clear: () => void;
  readonly close: () => Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

export async function startDynamoDbFaults(upstream: string): Promise<DynamoDbFaults> {
  const operations: string[] = [];
  const faults = new Map<string, DynamoDbFault[]>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request);
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    operations.push(operation);
    const fault = faults.get(operation)?.shift();
    switch (fault?.kind) {
      case undefined:
        return send(response, await forward(upstream, request.headers, body));
      case 'lose':
        await forward(upstream, request.headers, body);
        request.socket.destroy();
        return;
      case 'delay': {
        const answer = await forward(upstream, request.headers, body);
        await new Promise((resolve) => setTimeout(resolve, fault.ms));
        return send(response, answer);
      }
      case 'hang':
        return;
      case 'refuse':
        return send(response, { status: 400, body: JSON.stringify({ __type: fault.error, message: 'No.' }) });
      case 'unprocessed':
        return send(response, await processSome(upstream, request.headers, body, fault.processed));
    }
  };
  const server = createServer((request, response) => {
    // A client that went away mid-request, or a closed upstream: the connection ends, as it would.
    handle(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    operations,
    next: (operation, fault) => void faults.set(operation, [...(faults.get(operation) ?? []), fault]),
    clear: () => faults.clear(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface BatchGet {
  readonly RequestItems: Readonly<Record<string, { readonly Keys: readonly unknown[] }>>;
}

async function processSome(
  upstream: string,
  headers: IncomingHttpHeaders,
  body: string,
  processed: number,
): Promise<Answer> {
  const { RequestItems } = JSON.parse(body) as BatchGet;
  const [[table, request] = ['', { Keys: [] }]] = Object.entries(RequestItems);
  const unprocessed = { [table]: { ...request, Keys: request.Keys.slice(processed) } };
  let responses: unknown = { [table]: [] };
  if (processed > 0) {
    const some = { RequestItems: { [table]: { ...request, Keys: request.Keys.slice(0, processed) } } };
    const answer = await forward(upstream, headers, JSON.stringify(some));
    responses = (JSON.parse(answer.body) as { readonly Responses: unknown }).Responses;
  }
  return { status: 200, body: JSON.stringify({ Responses: responses, UnprocessedKeys: unprocessed }) };
}

function forward(upstream: string, headers: IncomingHttpHeaders, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = String(Buffer.byteLength(body));
    const options = { method: 'POST', headers: { ...headers, 'content-length': length } };
    const outgoing = httpRequest(upstream, options, (incoming) => {
      void readBody(incoming).then(
        (text) => resolve({ status: incoming.statusCode ?? 0, body: text }),
        reject,
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function send(response: ServerResponse, answer: Answer): void {
  response.statusCode = answer.status;
  response.setHeader('content-type', 'application/x-amz-json-1.0');
  response.end(answer.body);
}

async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
