/** What Dynatrace can do to a run: how each ends, what stays pending, and that the books are whole after it. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import {
  type ReceivedRequest,
  type Receiver,
  type ReceiverOptions,
  type ScriptedAnswer,
  startReceiver,
} from '../../functions/cli/world/receiver.ts';
import { type Cleaner, startCli, temporaryDirectory } from './harness.ts';
import { startPageServer } from './page-server.ts';
import {
  type ScriptedProcess,
  type Totals,
  createScriptedProcess,
  moved,
  totalsReceived,
} from './scripted-process.ts';

/** A run of three seconds: long enough for a slow CI, and short where it lasts to its end. */
const SHORT = ['--count', '1', '--interval', '3s'];

interface Fault {
  readonly name: string;
  /** In the first run; the second has ordinary answers. `closed`: nobody listens. */
  readonly answer: 'closed' | ((request: ReceivedRequest) => ScriptedAnswer | undefined);
  readonly code: 0 | 1;
  /** Whether the increases are still owed after the first run; all of them are or none. */
  readonly pending: boolean;
  /** On standard error; absent: not a word about the export. */
  readonly says?: RegExp;
}

/** The first points of a body, refused for good. */
const REJECTED = 2;
/** Of the nine in a body here. */
const MAX_POINTS = 4;

const FAULTS: readonly Fault[] = [
  {
    name: 'connection refused: nobody listens',
    answer: 'closed',
    code: 1,
    pending: true,
    says: /retry: .*the connection was refused; check host, routes and egress/,
  },
  {
    name: 'it never answers',
    answer: () => ({ hang: true }),
    code: 1,
    pending: true,
    says: /unknown: .*whether the body was accepted is not known/,
  },
  {
    name: '503 to the end of the run',
    answer: () => ({ status: 503 }),
    code: 1,
    pending: true,
    says: /retry: .*status 503; nothing was accepted and the next run sends it again/,
  },
  {
    name: '503 once: it is tried again within the run',
    answer: ({ index }) => (index === 0 ? { status: 503 } : undefined),
    code: 0,
    pending: false,
  },
  {
    name: '429 once, with the moment from which it may be tried again',
    answer: ({ index }) => (index === 0 ? { status: 429, headers: { 'retry-after': '1' } } : undefined),
    code: 0,
    pending: false,
  },
  {
    name: '413 for all but small bodies: halved until they fit',
    answer: ({ points }) => (points.length > MAX_POINTS ? { status: 413 } : undefined),
    code: 0,
    pending: false,
    says: /too_large: .*status 413; the body is halved/,
  },
  {
    name: '413 for every body',
    answer: () => ({ status: 413 }),
    code: 1,
    pending: true,
    says: /too_large: .*status 413/,
  },
  {
    name: '400 for every body',
    answer: () => ({
      status: 400,
      contentType: 'application/json',
      body: '{"error":{"code":400,"message":"no"}}',
    }),
    code: 1,
    pending: true,
    says: /malformed: .*status 400 \(no\)/,
  },
  {
    name: '200 with a JSON body is accepted',
    answer: () => ({
      acceptAnd: { status: 200, contentType: 'application/json', body: '{"partialSuccess":{}}' },
    }),
    code: 0,
    pending: false,
  },
  {
    name: '200 with a partial success: what it rejects is lost, said, and nothing else is',
    answer: () => ({ rejectPoints: REJECTED, message: 'two of them are invalid' }),
    code: 0,
    pending: false,
    says: /partial: two of them are invalid/,
  },
];

describe('a run under a fault, and one after it', { concurrency: 3 }, () => {
  for (const fault of FAULTS) {
    test(fault.name, async (context) => {
      const directory = await temporaryDirectory(context);
      const counted = youngProcess();
      const server = await startPageServer(() => counted.page());
      context.after(server.close);
      const { endpoint, recover, rejected } = await startFaulty(fault, server.address, context);
      const args = ['run', '--target', server.address, '--endpoint', endpoint, '--state', directory];

      const first = await startCli([...args, ...(fault.code === 0 ? ['--once'] : SHORT)]).ended;
      assert.equal(first.code, fault.code, first.stderr);
      assert.match(first.stdout, fault.pending ? / [1-9]\d* series pending, / : / 0 series pending, /);
      const said = first.stderr.split('\n').filter((line) => line.startsWith('export of '));
      if (fault.says === undefined) assert.deepEqual(said, []);
      else assert.match(said.join('\n'), fault.says);

      const receiver = await recover();
      grow(counted);
      const second = await startCli([...args, '--once']).ended;
      assert.equal(second.code, 0, second.stderr);
      assert.match(second.stdout, / 0 series pending, /);
      const arrived = new Map(totalsReceived(receiver, server.address));
      for (const [key, value] of rejected()) arrived.set(key, (arrived.get(key) ?? 0) + value);
      assert.deepEqual(moved(arrived), moved(counted.truth()));
      assert.deepEqual(receiver.violations, []);
    });
  }

  test('401: the remedy is named and the token is not; with the right token all of it arrives', async (context) => {
    const directory = await temporaryDirectory(context);
    const counted = youngProcess();
    const server = await startPageServer(() => counted.page());
    const receiver = await startReceiver({ token: 'dt0c01.PUBLIC.RIGHT' });
    context.after(server.close);
    context.after(receiver.close);
    const args = ['run', '--once', '--target', server.address, '--state', directory];
    const run = (token: string) =>
      startCli([...args, '--endpoint', receiver.endpoint], { DT_API_TOKEN: token }).ended;

    const first = await run('dt0c01.PUBLIC.WRONG');
    assert.equal(first.code, 1);
    assert.match(first.stderr, /refused: .*status 401.*check that the API token is valid/);
    assert.doesNotMatch(first.stdout + first.stderr, /WRONG/);
    grow(counted);
    const second = await run('dt0c01.PUBLIC.RIGHT');
    assert.equal(second.code, 0, second.stderr);
    assert.deepEqual(moved(totalsReceived(receiver, server.address)), moved(counted.truth()));
  });

  test('no token for Dynatrace: nothing is posted, and the message says where a token goes', async (context) => {
    const server = await startPageServer(() => youngProcess().page());
    context.after(server.close);
    const args = [
      '--target',
      server.address,
      '--endpoint',
      'https://abc12345.live.dynatrace.com/api/v2/otlp',
    ];
    const { code, stderr } = await startCli(['run', '--once', ...args]).ended;
    assert.equal(code, 1);
    assert.match(stderr, /waiting_for_token: .*scope metrics\.ingest\nset DT_API_TOKEN/);
  });
});

interface Faulty {
  readonly endpoint: string;
  /** Ends the fault. */
  readonly recover: () => Promise<Receiver>;
  /** What a partial success took away. */
  readonly rejected: () => Totals;
}

async function startFaulty({ answer }: Fault, instance: string, context: Cleaner): Promise<Faulty> {
  const points: ReceivedRequest['points'][number][] = [];
  let recovered = false;
  const options: ReceiverOptions = {
    answer: (request) => {
      if (recovered || answer === 'closed') return undefined;
      const given = answer(request);
      if (given !== undefined && 'rejectPoints' in given)
        points.push(...request.points.slice(0, given.rejectPoints));
      return given;
    },
  };
  let receiver = await startReceiver(options);
  context.after(() => receiver.close());
  if (answer === 'closed') await receiver.close();
  return {
    endpoint: receiver.endpoint,
    recover: async () => {
      recovered = true;
      if (answer === 'closed')
        receiver = await startReceiver({ port: Number(new URL(receiver.endpoint).port) });
      return receiver;
    },
    rejected: () => totalsReceived({ points }, instance),
  };
}

/** Everything it counts is ours from the first scrape on. */
function youngProcess(): ScriptedProcess {
  const counted = createScriptedProcess({ startMs: Date.now() - 60_000, showStart: true });
  grow(counted);
  return counted;
}

function grow(counted: ScriptedProcess): void {
  counted.count('requests_total{status="ok"}', 5);
  counted.count('requests_total{status="error"}', 1);
  counted.observe('latency_seconds', 0.25, 2, 8);
  counted.observe('queue_seconds', 0.5);
}
