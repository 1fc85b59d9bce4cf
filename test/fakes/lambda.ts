/** A Lambda function in a process of its own, with nothing in its environment but what Lambda and the deployment set. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** What the parent writes for one invocation. */
export interface Invoke {
  readonly event: unknown;
  readonly requestId: string;
  readonly remainingMs: number;
  /** By how much the wall clock is ahead of the host's. */
  readonly aheadMs: number;
}

export type OutputLine = Readonly<Record<string, unknown>>;

/** One invocation, as CloudWatch sees it. */
export interface Invocation {
  /** What the handler threw. */
  readonly error?: string;
  /** What it answered whoever invoked it. */
  readonly answer?: unknown;
  /** Log lines of standard output, then those of standard error. */
  readonly logs: readonly OutputLine[];
  /** Lines in embedded metric format. */
  readonly metrics: readonly OutputLine[];
}

export interface LambdaFunction {
  /** One at a time, as Lambda does. Rejects with what was printed when the module cannot be loaded. */
  readonly invoke: (
    event: unknown,
    options?: { readonly remainingMs?: number; readonly aheadMs?: number },
  ) => Promise<Invocation>;
  /** Everything printed so far. */
  readonly output: () => string;
  readonly close: () => Promise<void>;
}

/** The scrape function's timeout less the first milliseconds: no round number, as in Lambda. */
const DEFAULT_REMAINING_MS = 74_993;

/** What the Lambda runtime itself sets; AWS_LAMBDA_RUNTIME_API would keep the functions from loopback, where the tests' servers are. */
const RUNTIME_ENV = {
  AWS_REGION: 'eu-central-1',
  AWS_DEFAULT_REGION: 'eu-central-1',
  AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1024',
  AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
  AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
  LAMBDA_TASK_ROOT: '/var/task',
  TZ: ':UTC',
};

/** `file`: the module with the handler, source or bundle. It starts with its first invocation. */
export function createFunction(file: string, env: Readonly<Record<string, string>>): LambdaFunction {
  let instance: Instance | undefined;
  return {
    invoke: (event, { remainingMs = DEFAULT_REMAINING_MS, aheadMs = 0 } = {}) => {
      instance ??= startInstance(file, env);
      return instance.invoke({ event, requestId: randomUUID(), remainingMs, aheadMs });
    },
    output: () => instance?.output() ?? '',
    close: async () => instance?.close(),
  };
}

interface Instance {
  readonly invoke: (invoke: Invoke) => Promise<Invocation>;
  readonly output: () => string;
  readonly close: () => Promise<void>;
}

function startInstance(file: string, env: Readonly<Record<string, string>>): Instance {
  const runtime = fileURLToPath(new URL('lambda-runtime.ts', import.meta.url));
  const child = spawn(process.execPath, [runtime, pathToFileURL(file).href], {
    env: { ...RUNTIME_ENV, ...env },
  });
  let wake = (): void => undefined;
  const exited = once(child, 'close').then(() => wake());
  const outputs = [child.stdout, child.stderr].map((stream) => {
    const printed = { text: '' };
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed.text += text;
      wake();
    });
    return printed;
  });
  const output = () => outputs.map(({ text }) => text).join('');
  // A write to a process that ended: `invoke` says so.
  child.stdin.on('error', () => undefined);
  return {
    invoke: async (invoke) => {
      const starts = outputs.map(({ text }) => text.length);
      child.stdin.write(`${JSON.stringify(invoke)}\n`);
      const ended = new RegExp(`^END ${invoke.requestId} (.*)\n`, 'm');
      while (!outputs.every(({ text }) => ended.test(text))) {
        if (child.stdout.closed) {
          await exited;
          throw new Error(`the function ended: ${output()}`);
        }
        await new Promise<void>((resolve) => (wake = resolve));
      }
      return read(
        outputs.map(({ text }, i) => text.slice(starts[i])),
        ended,
      );
    },
    output,
    close: async () => {
      child.kill();
      await exited;
    },
  };
}

/** Every line but the runtime's own is JSON, or it does not belong there. */
function read(texts: readonly string[], ended: RegExp): Invocation {
  const { error, answer } = JSON.parse(ended.exec(texts[0] ?? '')?.[1] ?? '{}') as Invocation;
  const lines = texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line !== '' && !line.startsWith('END '))
    .map((line) => JSON.parse(line) as OutputLine);
  return {
    ...(error === undefined ? {} : { error }),
    ...(answer === undefined ? {} : { answer }),
    logs: lines.filter((line) => !('_aws' in line)),
    metrics: lines.filter((line) => '_aws' in line),
  };
}

/** The events of its log lines. */
export function eventsOf(invocation: Invocation | undefined): readonly string[] {
  return (invocation?.logs ?? []).map(({ message }) => (typeof message === 'string' ? message : '?'));
}

/** The one line of an event. */
export function lineOf(invocation: Invocation | undefined, event: string): OutputLine {
  const lines = (invocation?.logs ?? []).filter((line) => line['message'] === event);
  const [line] = lines;
  if (line === undefined || lines.length > 1)
    throw new Error(`${lines.length} lines of ${event} in ${JSON.stringify(invocation)}`);
  return line;
}
