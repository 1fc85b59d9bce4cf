/**
 * A local server that speaks the AWS JSON protocol, for services that no package emulates. Real clients talk
 * to it.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as it came. */
export interface AwsCall {
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** An error answer: thrown by an operation, sent as the service would. */
export interface AwsError {
  readonly code: string;
  readonly message: string;
  readonly status?: number;
}

export type AwsOperation = (input: never) => Readonly<Record<string, unknown>> | AwsError;

/**
 * `drop`: the request is carried out, its answer is lost. `hang`: it is never answered. `pass`: nothing happens, so that
 * the next fault meets the request after it. Else: the error's code.
 */
export type AwsFault = 'drop' | 'hang' | 'pass' | (string & {});

export interface AwsJsonServer {
  readonly endpoint: string;
  readonly calls: readonly AwsCall[];
  /** The next request, of this operation where one is named, meets this fault; several queue up. */
  readonly failNext: (fault: AwsFault, operation?: string) => void;
  readonly close: () => Promise<void>;
}

/** Credentials and region that satisfy a client: nothing here checks a signature. */
export const FAKE_AWS = {
  region: 'eu-central-1',
  credentials: { accessKeyId: 'fake', secretAccessKey: 'fake' },
} as const;

export async function startAwsJson(
  service: string,
  operations: Readonly<Record<string, AwsOperation>>,
): Promise<AwsJsonServer> {
  const calls: AwsCall[] = [];
  const faults: { readonly fault: AwsFault; readonly operation: string | undefined }[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request);
    const [target, operation = ''] = String(request.headers['x-amz-target']).split('.');
    const input = JSON.parse(body) as Readonly<Record<string, unknown>>;
    calls.push({ operation, input });
    const at = faults.findIndex((one) => one.operation === undefined || one.operation === operation);
    const fault = at < 0 ? undefined : faults.splice(at, 1)[0]?.fault;
    if (fault === 'hang') return;
    if (fault !== undefined && fault !== 'drop' && fault !== 'pass') {
      send(response, { code: fault, message: `${fault} on demand.` });
      return;
    }
    const perform = target === service ? operations[operation] : undefined;
    const unknown: AwsError = { code: 'UnknownOperationException', message: operation };
    const answer = perform === undefined ? unknown : perform(input as never);
    if (fault === 'drop') request.socket.destroy();
    else send(response, answer);
  };
  const server = createServer((request, response) => {
    // A client that went away mid-request: the connection ends, as it would.
    handle(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    failNext: (fault, operation) => void faults.push({ fault, operation }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(response: ServerResponse, answer: Readonly<Record<string, unknown>> | AwsError): void {
  const error = 'code' in answer && 'message' in answer ? (answer as AwsError) : undefined;
  response.statusCode = error === undefined ? 200 : (error.status ?? 400);
  response.setHeader('content-type', 'application/x-amz-json-1.1');
  response.end(JSON.stringify(error === undefined ? answer : { __type: error.code, message: error.message }));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
