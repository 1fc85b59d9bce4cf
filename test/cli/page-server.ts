/** A target that serves what the test says: a page, another answer, or none. */
import { respond, startLoopback } from '../../functions/cli/world/loopback.ts';

/** A page's text, any other answer, or silence. */
export type Answer =
  | string
  | { readonly status: number; readonly contentType?: string; readonly body?: string }
  | { readonly hang: true };

export interface PageServer {
  /** host:port, for `--target`; it is also the instance. */
  readonly address: string;
  /** GETs that were answered, or left unanswered, so far. */
  readonly scrapes: () => number;
  readonly close: () => Promise<void>;
}

/** Asks `answer` at each GET of /v1/metrics, with the number of GETs before it. */
export async function startPageServer(
  answer: (index: number) => Answer | Promise<Answer>,
): Promise<PageServer> {
  let scrapes = 0;
  const { port, close } = await startLoopback(async (request, response) => {
    if (request.url !== '/v1/metrics') return respond(response, { status: 404 });
    const given = await answer(scrapes++);
    if (typeof given === 'string') {
      respond(response, { status: 200, contentType: 'text/plain; version=0.0.4', body: given });
    } else if ('status' in given) respond(response, given);
  }, 0);
  return { address: `127.0.0.1:${port}`, scrapes: () => scrapes, close };
}
