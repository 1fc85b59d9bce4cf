/**
 * The program in which `createFunction` runs a handler: an event a line on standard input, and after each
 * invocation an `END` line on both outputs, as Lambda writes one into the log.
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { Context } from 'aws-lambda';
import type { Invoke } from './lambda.ts';

type Handler = (event: unknown, context: Context) => Promise<unknown>;

const hostNowMs = Date.now;
const [, , moduleUrl = ''] = process.argv;
/** Lambda prints the error alone; Node would quote the line that threw, which a bundle has of 100 KB. */
const module: unknown = await import(moduleUrl).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
const { handler } = module as { readonly handler: Handler };

for await (const line of createInterface({ input: process.stdin })) {
  const { event, requestId, remainingMs, aheadMs } = JSON.parse(line) as Invoke;
  Date.now = () => hostNowMs() + aheadMs;
  const ended = await Promise.race([
    handler(event, contextOf(requestId, remainingMs)).then(
      (answer) => ({ answer }),
      (error: unknown) => ({ error: String(error) }),
    ),
    timedOut(remainingMs),
  ]);
  process.stderr.write(`END ${requestId} {}\n`);
  process.stdout.write(`END ${requestId} ${JSON.stringify(ended)}\n`);
}

/** Lambda ends what is not done by then. Here it goes on, unheard: the process is the test's to end. */
async function timedOut(remainingMs: number): Promise<{ readonly error: string }> {
  await delay(remainingMs, undefined, { ref: false });
  return { error: 'Sandbox.Timedout: the task timed out' };
}

/** As Lambda's Node runtime hands it over. */
function contextOf(requestId: string, remainingMs: number): Context {
  const endMs = performance.now() + remainingMs;
  const name = process.env['AWS_LAMBDA_FUNCTION_NAME'] ?? '';
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: name,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:eu-central-1:000000000000:function:${name}`,
    memoryLimitInMB: '1024',
    awsRequestId: requestId,
    logGroupName: `/aws/lambda/${name}`,
    logStreamName: '2026/01/01/[$LATEST]0123456789abcdef',
    getRemainingTimeInMillis: () => Math.max(0, Math.round(endMs - performance.now())),
    done: () => undefined,
    fail: () => undefined,
    succeed: () => undefined,
  };
}
