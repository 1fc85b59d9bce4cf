/** A deployed function, invoked directly by the user's own credentials. */
import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import type { Clock } from '../core/ports.ts';
import { awsFailure } from './aws-failure.ts';
import { signalAt } from './clock.ts';

export type Invoked =
  /** The JSON value of the answer. */
  | { readonly code: 'answer'; readonly answer: unknown }
  | { readonly code: 'failed'; readonly message: string };

interface InvokeDeps {
  readonly client: LambdaClient;
  readonly clock: Clock;
}

/** Characters of what a function says of its failure. */
const MAX_CAUSE_CHARS = 200;

/** What a release before the doctor says of an event without messages, whatever its bundle calls them. */
const NOT_A_MESSAGE = /is not iterable/;

/** Waits for the answer. Never throws for what AWS does. */
export async function invokeFunction(
  { client, clock }: InvokeDeps,
  name: string,
  event: object,
  deadlineMs: number,
): Promise<Invoked> {
  const what = `invoke the function ${name}`;
  const failed = (cause: string, remedy: string) =>
    ({ code: 'failed', message: `cannot ${what}: ${cause}; ${remedy}` }) as const;
  try {
    const command = new InvokeCommand({ FunctionName: name, Payload: JSON.stringify(event) });
    const { FunctionError, Payload } = await client.send(command, {
      abortSignal: signalAt(clock, deadlineMs),
    });
    const answer = parse(Payload);
    if (FunctionError === undefined) return { code: 'answer', answer };
    const { errorType, errorMessage } = { ...(answer as FunctionFailure | null) };
    if (NOT_A_MESSAGE.test(errorMessage ?? ''))
      return failed('its release has no doctor', 'deploy this release: npx cdk deploy');
    const cause = `${errorType ?? FunctionError}, ${errorMessage ?? 'no message'}`;
    return failed(
      cause.slice(0, MAX_CAUSE_CHARS).replace(/[.\s]+$/, ''),
      'look into its log, and deploy the stack again',
    );
  } catch (error) {
    const remedies: Readonly<Record<string, string>> = {
      ResourceNotFoundException: 'check its name and the region, or deploy the stack again',
      TooManyRequestsException: "try again; the account's concurrency is used up",
      AccessDeniedException: 'allow yourself lambda:InvokeFunction on it',
    };
    const message = awsFailure(what, error, 'look into its log: it may have been stopped, or try again');
    const remedy = error instanceof Error ? remedies[error.name] : undefined;
    return {
      code: 'failed',
      message: remedy === undefined ? message : `${message.slice(0, message.lastIndexOf('; '))}; ${remedy}`,
    };
  }
}

/** As Lambda's Node runtime writes what a handler threw, and Lambda itself a timeout. */
interface FunctionFailure {
  readonly errorType?: string;
  readonly errorMessage?: string;
}

function parse(payload: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return undefined;
  }
}
