/**
 * What the state adapter says about a write or a read, held against the table, for exchanges with DynamoDB cut at
 * bytes of the request or the answer. The client tries again by itself: the table at the end is the judge.
 */
import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { systemClock as clock } from '../../functions/adapters/clock.ts';
import { createState, createTableIfAbsent } from '../../functions/adapters/state-dynamodb.ts';
import type { Legacy, State, TargetItem } from '../../functions/core/ports.ts';
import { FAKE_AWS } from '../fakes/aws-json.ts';
import {
  arrivals,
  cutPoints,
  inPool,
  leave,
  messageBytes,
  whileServing,
  writeCut,
} from './cutting-servers.ts';
import type { Ending } from './cutting-servers.ts';

const TABLE = 'nim-state';
const TICK_MS = Date.UTC(2026, 10, 24, 12, 0);
/** Outlasts the client's own retries, and what a stalled case costs. */
const DEADLINE_MS = 10_000;
const STALL_DEADLINE_MS = 250;
const WIDTH = 24;

let server: Server;
let port = 0;
/** Past every proxy. */
let client: DynamoDBClient;
let direct: State;

before(async () => {
  server = dynalite({ createTableMs: 0 });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  client = new DynamoDBClient({ ...FAKE_AWS, endpoint: `http://127.0.0.1:${port}` });
  assert.deepEqual(await createTableIfAbsent(client, TABLE), { code: 'ready' });
  direct = createState({ client, tableName: TABLE, clock });
});

after(async () => {
  client.destroy();
  await new Promise<void>((resolve) => void server.close(() => resolve()));
});

interface Cut {
  readonly side: 'request' | 'answer';
  readonly cutAt: number;
  readonly ending: Ending;
  /** So many connections are cut; later ones are not. */
  readonly connections: number;
}

/** Bytes that were carried either way. */
interface Sizes {
  request: number;
  answer: number;
}

/**
 * Carries a connection to DynamoDB, up to the byte where it is cut. A request goes on when it is whole, as the
 * service reads it; it is carried out then, even when nobody is left to hear of it.
 */
function proxy(cut: Cut | undefined, sizes: Sizes) {
  return (downstream: Socket, nth: number) => {
    const upstream = connect(port, '127.0.0.1');
    const limitOf = (side: Cut['side']) =>
      cut?.side === side && nth <= cut.connections ? cut.cutAt : Infinity;
    const ending = cut?.ending ?? 'close';
    let request: Buffer = Buffer.alloc(0);
    let requestRoom = limitOf('request');
    let answerRoom = limitOf('answer');
    let isCut = false;
    const cutRequest = () => {
      isCut = true;
      downstream.off('data', onRequest);
      leave(downstream, ending);
    };
    const onRequest = (chunk: Buffer) => {
      const part = chunk.subarray(0, requestRoom);
      requestRoom -= part.length;
      sizes.request += part.length;
      request = Buffer.concat([request, part]);
      if (request.length >= messageBytes(request)) {
        upstream.write(request);
        request = Buffer.alloc(0);
      }
      if (requestRoom === 0) cutRequest();
    };
    upstream.on('data', (chunk) => {
      if (isCut) return;
      const part = chunk.subarray(0, answerRoom);
      answerRoom -= part.length;
      sizes.answer += part.length;
      isCut = answerRoom === 0;
      if (isCut) writeCut(downstream, part, part.length, ending);
      else downstream.write(part);
    });
    upstream.on('error', () => downstream.destroy());
    downstream.on('data', onRequest).on('close', () => upstream.end());
    if (requestRoom === 0) cutRequest();
  };
}

async function through<Result>(
  cut: Cut | undefined,
  call: (state: State, deadlineMs: number) => Promise<Result>,
  sizes: Sizes = { request: 0, answer: 0 },
): Promise<Result> {
  const withinMs = cut?.ending === 'stall' ? STALL_DEADLINE_MS : DEADLINE_MS;
  return whileServing(proxy(cut, sizes), async (address) => {
    const result = await at(address, (state) => call(state, clock.monotonicMs() + withinMs));
    await arrivals();
    return result;
  });
}

/** A state of its own, so that no case spends the retries of another. */
async function at<Result>(address: string, call: (state: State) => Promise<Result>): Promise<Result> {
  const own = new DynamoDBClient({ ...FAKE_AWS, endpoint: `http://${address}` });
  try {
    return await call(createState({ client: own, tableName: TABLE, clock }));
  } finally {
    own.destroy();
  }
}

let sequence = 0;

function item(key: string, more: Partial<TargetItem> = {}): TargetItem {
  return {
    key,
    job: 'nim',
    instance: '10.0.1.17:8000',
    url: 'http://10.0.1.17:8000/v1/metrics',
    up: true,
    samples: 392,
    version: 1,
    writer: 'ours',
    baseline: new TextEncoder().encode('request_success_total 7'),
    ...more,
  };
}

const soon = () => clock.monotonicMs() + DEADLINE_MS;

async function stored(pk: string): Promise<Record<string, AttributeValue>> {
  const get = new GetItemCommand({ TableName: TABLE, Key: { pk: { S: pk } }, ConsistentRead: true });
  return (await client.send(get)).Item ?? {};
}

/** One operation on items of its own. */
interface Operation {
  readonly prepare: (nth: number) => Promise<void>;
  readonly call: (state: State, nth: number, deadlineMs: number) => Promise<string>;
  /** Whether what was called is in the table. */
  readonly applied: (nth: number) => Promise<boolean>;
  /** Codes that say it is, and that it surely is not. */
  readonly done: string;
  readonly refused: string;
}

const LEGACY: Legacy = { uncommitted: ['target/a', 'target/b'], caution: { unknowns: 2, waitTicks: 1 } };

const commitFirst: Operation = {
  prepare: () => Promise.resolve(),
  call: async (state, nth, deadlineMs) => (await state.commit(item(`target/${nth}`), deadlineMs)).code,
  applied: async (nth) => (await stored(`target/${nth}`))['writer']?.S === 'ours',
  done: 'committed',
  refused: 'conflict',
};

const commitSecond: Operation = {
  ...commitFirst,
  prepare: async (nth) => void (await direct.commit(item(`target/${nth}`, { writer: 'before' }), soon())),
  call: async (state, nth, deadlineMs) =>
    (await state.commit(item(`target/${nth}`, { version: 2 }), deadlineMs)).code,
};

const claim: Operation = {
  prepare: async (nth) => {
    await direct.claim(nth, TICK_MS - 60_000, 'before', soon());
    await direct.end(nth, TICK_MS - 60_000, 'before', LEGACY, soon());
  },
  call: async (state, nth, deadlineMs) => {
    const answer = await state.claim(nth, TICK_MS, 'ours', deadlineMs);
    if (answer.code === 'claimed') assert.deepEqual(answer, { code: 'claimed', unended: 0, ...LEGACY });
    return answer.code;
  },
  applied: async (nth) => (await stored(`shard/${nth}`))['writer']?.S === 'ours',
  done: 'claimed',
  refused: 'not_newer',
};

const end: Operation = {
  prepare: async (nth) => void (await direct.claim(nth, TICK_MS, 'ours', soon())),
  call: async (state, nth, deadlineMs) => (await state.end(nth, TICK_MS, 'ours', LEGACY, deadlineMs)).code,
  applied: async (nth) =>
    (await stored(`shard/${nth}`))['uncommitted']?.L?.length === LEGACY.uncommitted.length,
  done: 'committed',
  refused: 'conflict',
};

/** The same, after somebody else was there first: it can only be refused. */
const late: Readonly<Record<string, Operation>> = {
  'commit after another': {
    ...commitFirst,
    prepare: async (nth) => void (await direct.commit(item(`target/${nth}`, { writer: 'other' }), soon())),
  },
  'claim after a newer one': {
    ...claim,
    prepare: async (nth) => void (await direct.claim(nth, TICK_MS + 60_000, 'other', soon())),
  },
  'claim of the same tick': {
    ...claim,
    prepare: async (nth) => void (await direct.claim(nth, TICK_MS, 'other', soon())),
  },
  'end after a newer claim': {
    ...end,
    prepare: async (nth) => void (await direct.claim(nth, TICK_MS + 60_000, 'other', soon())),
  },
};

async function measure(call: (state: State, deadlineMs: number) => Promise<unknown>): Promise<Sizes> {
  const sizes: Sizes = { request: 0, answer: 0 };
  await through(undefined, call, sizes);
  return sizes;
}

type Way = readonly [Ending, connections: number];

const SOME_WAYS: readonly Way[] = [
  ['reset', 1],
  ['reset', Infinity],
];
const WAYS: readonly Way[] = [...SOME_WAYS, ['close', 1], ['stall', 1]];

/** Both sides, cut in each of the ways. */
function grid(sizes: Sizes, step: number, ways: readonly Way[]): Cut[] {
  return (['request', 'answer'] as const).flatMap((side) =>
    cutPoints(sizes[side], step).flatMap((cutAt) =>
      ways.map(([ending, connections]) => ({ side, cutAt, ending, connections })),
    ),
  );
}

/** Counts the codes, so that a test can tell that its grid met them. */
async function judge(
  operation: Operation,
  step: number,
  ways: readonly Way[],
): Promise<ReadonlyMap<string, number>> {
  const first = ++sequence;
  await operation.prepare(first);
  const sizes = await measure((state, deadlineMs) => operation.call(state, first, deadlineMs));
  const tally = new Map<string, number>();
  const lies: string[] = [];
  await inPool(grid(sizes, step, ways), WIDTH, async (cut) => {
    const nth = ++sequence;
    await operation.prepare(nth);
    const code = await through(cut, (state, deadlineMs) => operation.call(state, nth, deadlineMs));
    tally.set(code, (tally.get(code) ?? 0) + 1);
    const applied = await operation.applied(nth);
    const isLie = (code === operation.refused && applied) || (code === operation.done && !applied);
    if (isLie) lies.push(JSON.stringify({ ...cut, code, applied }));
  });
  assert.equal(lies.length, 0, `${lies.length} lies\n${lies.slice(0, 20).join('\n')}`);
  return tally;
}

describe('a write that is cut', { concurrency: 3 }, () => {
  for (const [name, operation] of Object.entries({ commitFirst, commitSecond, claim, end })) {
    test(`${name}: done or not known, and nobody else was there`, async () => {
      const tally = await judge(operation, 300, WAYS);
      assert.deepEqual([...tally.keys()].sort(), [operation.done, 'failed'].sort());
    });
  }

  for (const [name, operation] of Object.entries(late)) {
    test(`${name}: refused or not known`, async () => {
      const tally = await judge(operation, 480, SOME_WAYS);
      assert.deepEqual([...tally.keys()].sort(), [operation.refused, 'failed'].sort());
    });
  }
});

describe('a read that is cut', () => {
  test('is unread, and what is there is never absent', async () => {
    const there = item('target/there', { writer: 'before' });
    await direct.commit(there, soon());
    const load = async (state: State, deadlineMs: number) => {
      const answers = await state.load([there.key, 'target/not-there'], deadlineMs);
      const found = answers.get(there.key);
      if (found?.code === 'found') assert.deepEqual(found.item, there);
      return `${found?.code}, ${answers.get('target/not-there')?.code}`;
    };
    const codes = new Set<string>();
    await inPool(grid(await measure(load), 61, WAYS), WIDTH, async (cut) => {
      const code = await through(cut, load);
      codes.add(code);
      assert.match(code, /^(?:found, absent|unread, unread)$/, JSON.stringify(cut));
    });
    assert.equal(codes.size, 2);
  });
});

describe('an answer without a length, cut before its first byte', () => {
  /** What is left of any answer then: HTTP takes it for whole, and the client for an empty document. */
  function emptyAnswers<Result>(call: (state: State) => Promise<Result>): Promise<Result> {
    const nothing = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\n\r\n');
    const onSocket = (socket: Socket) => {
      socket.once('data', () => writeCut(socket, nothing, nothing.length, 'close'));
    };
    return whileServing(onSocket, (address) => at(address, call));
  }

  test('reads nothing, and no item is absent', async () => {
    const answers = await emptyAnswers((state) => state.load(['target/1', 'target/2'], soon()));
    assert.deepEqual(
      [...answers.values()].map(({ code }) => code),
      ['unread', 'unread'],
    );
  });

  test('claims nothing: who was left uncommitted is not known', async () => {
    const answer = await emptyAnswers((state) => state.claim(1, TICK_MS, 'ours', soon()));
    assert.equal(answer.code, 'failed');
  });
});
