/** Lambda's own API on the wire, as far as a direct invocation goes. */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { listen } from '../../functions/cli/world/loopback.ts';

/** What becomes of one invocation. */
export type Outcome =
  | { readonly answer: unknown }
  /** The function threw: answered 200, with the header that says so. */
  | { readonly thrown: { readonly errorType: string; readonly errorMessage: string } }
  /** Lambda itself refuses. */
  | { readonly refused: string; readonly status: number };

export interface FakeLambdaApi {
  readonly endpoint: string;
  /** Functions and events, as they came. */
  readonly calls: readonly { readonly name: string; readonly event: unknown }[];
  readonly close: () => Promise<void>;
}

type Functions = Readonly<Record<string, (event: unknown) => Promise<Outcome> | Outcome>>;

/** A name that is none of `functions` is answered as by Lambda. */
export async function startLambdaApi(functions: Functions): Promise<FakeLambdaApi> {
  const calls: { readonly name: string; readonly event: unknown }[] = [];
  const outcomeOf = async (url: string, body: string): Promise<Outcome> => {
    const name = decodeURIComponent(/^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(url)?.[1] ?? '');
    const event: unknown = JSON.parse(body);
    calls.push({ name, event });
    return functions[name]?.(event) ?? { refused: 'ResourceNotFoundException', status: 404 };
  };
  const server = createServer((request, response) => {
    void text(request)
      .then((body) => outcomeOf(request.url ?? '', body))
      .then((outcome) => {
        response.setHeader('content-type', 'application/json');
        if ('refused' in outcome) {
          response.writeHead(outcome.status, { 'x-amzn-errortype': outcome.refused });
          return response.end(JSON.stringify({ Message: `${outcome.refused} on demand.` }));
        }
        if ('thrown' in outcome) {
          response.setHeader('x-amz-function-error', 'Unhandled');
          return response.end(JSON.stringify(outcome.thrown));
        }
        return response.end(JSON.stringify(outcome.answer ?? null));
      });
  });
  const { port, close } = await listen(server, 0);
  return { endpoint: `http://127.0.0.1:${port}`, calls, close };
}
