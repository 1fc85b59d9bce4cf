import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { SSMClient } from '@aws-sdk/client-ssm';
import { createParameters, MAX_HISTORY_PAGES, MAX_PAGES } from '../../functions/adapters/parameters-ssm.ts';
import { FAILED_PAUSE_MS } from '../../functions/adapters/remembered.ts';
import type { Clock } from '../../functions/core/ports.ts';
import { FAKE_AWS } from '../fakes/aws-json.ts';
import { FIRST_EDIT_S, startSsm } from '../fakes/ssm.ts';
import type { FakeSsm } from '../fakes/ssm.ts';

const PREFIX = '/nim-to-dynatrace';
const ENDPOINT = `${PREFIX}/endpoint`;
const TOKEN = `${PREFIX}/secrets/dt-api-token`;
const GENEROUS_MS = 30_000;
/** Far behind all that a test lets pass. */
const LATER_MS = 10_000_000;
const closing: (() => unknown)[] = [];
after(() => Promise.all(closing.map((close) => close())));

async function setUp(
  options: Parameters<typeof startSsm>[0] & {
    readonly tokenName?: string;
    readonly maxAttempts?: number;
  } = {},
) {
  const ssm = await startSsm(options);
  const client = new SSMClient({
    ...FAKE_AWS,
    endpoint: ssm.endpoint,
    maxAttempts: options.maxAttempts ?? 3,
  });
  closing.push(ssm.close, () => client.destroy());
  let nowMs = 1_000_000;
  const clock: Clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const names = options.tokenName === undefined ? {} : { tokenName: options.tokenName };
  const parameters = createParameters({ client, prefix: PREFIX, clock, ...names });
  const read = () => parameters.targetDocuments(nowMs + GENEROUS_MS);
  return { ssm, parameters, read, passMs: (ms: number) => (nowMs += ms), nowMs: () => nowMs };
}

/** n documents, their names in falling order to see that the answer is sorted. */
function documents(n: number): Record<string, string> {
  const names = Array.from({ length: n }, (_, i) => `${PREFIX}/targets/t${String(n - i).padStart(4, '0')}`);
  return Object.fromEntries(names.map((name) => [name, '10.0.1.17:8000']));
}

describe('target documents', () => {
  for (const n of [0, 1, 10, 11, 101]) {
    test(`${n} documents, sorted by name`, async () => {
      const { read } = await setUp({ parameters: documents(n) });
      const answer = await read();
      assert.equal(answer.code, 'read');
      assert.deepEqual(
        answer.documents.map((one) => one.name),
        Object.keys(documents(n)).sort(),
      );
    });
  }

  test('as stored, below the path only; a secure one stays encrypted', async () => {
    const parameters = { [`${PREFIX}/targets/a/b`]: 'one', [`${PREFIX}/targetsx`]: 'no', [ENDPOINT]: 'no' };
    const { ssm, read } = await setUp({ parameters });
    ssm.put(`${PREFIX}/targets/a/b`, 'two\n');
    ssm.put(`${PREFIX}/targets/z`, 'hidden', 'SecureString');
    const answer = await read();
    assert.equal(answer.code, 'read');
    const [first, second] = answer.documents;
    const modifiedAtMs = (FIRST_EDIT_S + 3) * 1000;
    const name = `${PREFIX}/targets/a/b`;
    const expected = { name, value: 'two\n', version: 2, type: 'String', modifiedAtMs };
    assert.deepEqual(first, expected);
    assert.equal(second?.type, 'SecureString');
    assert.notEqual(second?.value, 'hidden');
    assert.equal(answer.documents.length, 2);
  });

  test('short and empty pages do not end the list', async () => {
    const { ssm, read } = await setUp({ parameters: documents(12), pageSizes: [0, 3, 0, 0, 1] });
    const answer = await read();
    assert.equal(answer.code, 'read');
    assert.equal(answer.documents.length, 12);
    assert.equal(ssm.calls.length, 6);
  });

  test('one page that fails for good fails the whole list', async () => {
    const { ssm, read } = await setUp({ parameters: documents(25), maxAttempts: 1 });
    const listing = read();
    await waitForCalls(ssm, 1);
    ssm.failNext('ThrottlingException');
    const answer = await listing;
    assert.equal(answer.code, 'failed');
    assert.match(
      answer.message,
      /^cannot read .*targets: ThrottlingException, .*; the next tick tries again$/,
    );
  });

  test("a throttled page is retried by the client's own retries", async () => {
    const { ssm, read } = await setUp({ parameters: documents(5) });
    ssm.failNext('ThrottlingException');
    assert.equal((await read()).code, 'read');
  });

  test('a missing permission names its remedy', async () => {
    const { ssm, read } = await setUp();
    ssm.failNext('AccessDeniedException');
    const answer = await read();
    assert.equal(answer.code, 'failed');
    assert.match(answer.message, /; grant the role this action$/);
  });

  test('no answer before the deadline', async () => {
    const { ssm, parameters, nowMs } = await setUp({ parameters: documents(1) });
    ssm.failNext('hang');
    const late = await parameters.targetDocuments(nowMs() + 50);
    assert.deepEqual(late, {
      code: 'failed',
      message:
        `cannot read the parameters below ${PREFIX}/targets: no answer before the deadline; ` +
        'the next tick tries again',
    });
    assert.equal((await parameters.targetDocuments(nowMs())).code, 'failed');
    assert.equal(ssm.calls.length, 1, 'nothing is asked after the deadline');
  });

  test('the number of pages is bounded', async () => {
    const atBound = { parameters: documents(1), pageSizes: Array.from({ length: MAX_PAGES - 1 }, () => 0) };
    assert.equal((await (await setUp(atBound)).read()).code, 'read');
    const pastBound = { ...atBound, pageSizes: [...atBound.pageSizes, 0] };
    const answer = await (await setUp(pastBound)).read();
    assert.equal(answer.code, 'failed');
    assert.match(answer.message, /more than 500 pages/);
  });
});

describe('the versions of a document', () => {
  const NAME = `${PREFIX}/targets/nim`;

  /** A document edited until it has `count` versions: `edit 1`, `edit 2`, ... */
  async function edited(count: number, options: Parameters<typeof setUp>[0] = {}) {
    const world = await setUp(options);
    for (let version = 1; version <= count; version += 1) world.ssm.put(NAME, `edit ${version}`);
    const versions = () => world.parameters.earlierVersions(NAME, world.nowMs() + GENEROUS_MS);
    return { ...world, versions };
  }

  for (const [edits, oldest] of [
    [1, 1],
    [50, 1],
    [51, 1],
    [100, 1],
    [101, 2],
    [250, 151],
  ] as const) {
    test(`after ${edits} edits: newest first, down to version ${oldest}`, async () => {
      const { versions } = await edited(edits);
      const answer = await versions();
      assert.equal(answer.code, 'read');
      assert.deepEqual(
        answer.versions.map(({ version, value }) => `${version}: ${value}`),
        Array.from({ length: edits - oldest + 1 }, (_, i) => `${edits - i}: edit ${edits - i}`),
      );
    });
  }

  test('as stored, each with its type; a secure one stays encrypted', async () => {
    const { ssm, versions } = await edited(1);
    ssm.put(NAME, 'hidden', 'SecureString');
    const answer = await versions();
    assert.equal(answer.code, 'read');
    const [secure, first] = answer.versions;
    const modifiedAtMs = FIRST_EDIT_S * 1000;
    assert.deepEqual(first, { name: NAME, value: 'edit 1', version: 1, type: 'String', modifiedAtMs });
    assert.equal(secure?.type, 'SecureString');
    assert.notEqual(secure?.value, 'hidden');
    assert.equal(ssm.calls[0]?.input['WithDecryption'], false);
  });

  test('only of the document that is asked for', async () => {
    const { ssm, versions } = await edited(2);
    ssm.put(`${NAME}-2`, 'another');
    const answer = await versions();
    assert.equal(answer.code, 'read');
    assert.equal(answer.versions.length, 2);
  });

  test('short and empty pages do not end them', async () => {
    const { ssm, versions } = await edited(60, { pageSizes: [0, 3, 0, 0, 1] });
    const answer = await versions();
    assert.equal(answer.code, 'read');
    assert.equal(answer.versions.length, 60);
    assert.equal(ssm.calls.length, 7);
  });

  test('a document that is gone has none; one made anew begins again', async () => {
    const { ssm, versions } = await edited(3);
    ssm.remove(NAME);
    assert.deepEqual(await versions(), { code: 'read', versions: [] });
    ssm.put(NAME, 'anew');
    const answer = await versions();
    assert.equal(answer.code, 'read');
    assert.deepEqual(
      answer.versions.map(({ version, value }) => [version, value]),
      [[1, 'anew']],
    );
  });

  test('an edit while they are read is there once', async () => {
    const { ssm, versions } = await edited(60);
    const reading = versions();
    await waitForCalls(ssm, 1);
    ssm.put(NAME, 'edit 61');
    const answer = await reading;
    assert.equal(answer.code, 'read');
    assert.deepEqual(
      answer.versions.map(({ version }) => version),
      Array.from({ length: 61 }, (_, i) => 61 - i),
    );
  });

  test('half of them are none: the newest come last', async () => {
    const { ssm, versions } = await edited(60, { maxAttempts: 1 });
    const reading = versions();
    await waitForCalls(ssm, 1);
    ssm.failNext('ThrottlingException');
    assert.deepEqual(await reading, {
      code: 'failed',
      message:
        `cannot read the history of the parameter ${NAME}: ThrottlingException, ThrottlingException on demand; ` +
        'the next tick tries again',
    });
  });

  test("a throttled page is retried by the client's own retries", async () => {
    const { ssm, versions } = await edited(2);
    ssm.failNext('ThrottlingException');
    assert.equal((await versions()).code, 'read');
  });

  test('a missing permission names its remedy', async () => {
    const { ssm, versions } = await edited(1);
    ssm.failNext('AccessDeniedException');
    const answer = await versions();
    assert.equal(answer.code, 'failed');
    assert.match(answer.message, /nim: AccessDeniedException, .*; grant the role this action$/);
  });

  test('no answer before the deadline', async () => {
    const { ssm, parameters, nowMs } = await edited(1);
    ssm.failNext('hang');
    const late = await parameters.earlierVersions(NAME, nowMs() + 50);
    assert.equal(late.code, 'failed');
    assert.match(late.message, /no answer before the deadline; the next tick tries again$/);
    assert.equal((await parameters.earlierVersions(NAME, nowMs())).code, 'failed');
    assert.equal(ssm.calls.length, 1, 'nothing is asked after the deadline');
  });

  test('the number of pages is bounded', async () => {
    const atBound = Array.from({ length: MAX_HISTORY_PAGES - 1 }, () => 0);
    assert.equal((await (await edited(1, { pageSizes: atBound })).versions()).code, 'read');
    const answer = await (await edited(1, { pageSizes: [...atBound, 0] })).versions();
    assert.equal(answer.code, 'failed');
    assert.match(answer.message, /more than 20 pages; correct the document/);
  });
});

describe('endpoint and token', () => {
  test('values are trimmed; white space alone is absent', async () => {
    const { ssm, parameters } = await setUp({ parameters: { [ENDPOINT]: '  https://e \r\n' } });
    assert.deepEqual(await parameters.endpoint(LATER_MS), { code: 'read', value: 'https://e' });
    ssm.put(TOKEN, ' \n', 'SecureString');
    assert.deepEqual(await parameters.token(false, LATER_MS), { code: 'absent' });
  });

  test('the token is decrypted, its name can be another', async () => {
    const { ssm, parameters } = await setUp({ tokenName: '/elsewhere/token' });
    ssm.put('/elsewhere/token', 'dt0c01.A.B', 'SecureString');
    assert.deepEqual(await parameters.token(false, LATER_MS), { code: 'read', value: 'dt0c01.A.B' });
  });

  test('absence is not remembered, and a removed parameter is forgotten', async () => {
    const { ssm, parameters, passMs } = await setUp();
    assert.deepEqual(await parameters.endpoint(LATER_MS), { code: 'absent' });
    ssm.put(ENDPOINT, 'https://e');
    assert.deepEqual(await parameters.endpoint(LATER_MS), { code: 'read', value: 'https://e' });
    ssm.remove(ENDPOINT);
    passMs(60_000);
    assert.deepEqual(await parameters.endpoint(LATER_MS), { code: 'absent' });
    ssm.failNext('AccessDeniedException');
    assert.equal((await parameters.endpoint(LATER_MS)).code, 'failed');
  });

  test('an endpoint is read again after a minute, a token after five, or at once when fresh', async () => {
    const { ssm, parameters, passMs } = await setUp({ parameters: { [ENDPOINT]: 'a', [TOKEN]: 'a' } });
    await parameters.endpoint(LATER_MS);
    await parameters.token(false, LATER_MS);
    ssm.put(ENDPOINT, 'b');
    ssm.put(TOKEN, 'b');
    passMs(59_999);
    assert.deepEqual(await parameters.endpoint(LATER_MS), { code: 'read', value: 'a' });
    passMs(1);
    assert.deepEqual(await parameters.endpoint(LATER_MS), { code: 'read', value: 'b' });
    passMs(239_999);
    assert.deepEqual(await parameters.token(false, LATER_MS), { code: 'read', value: 'a' });
    passMs(1);
    assert.deepEqual(await parameters.token(false, LATER_MS), { code: 'read', value: 'b' });
    ssm.put(TOKEN, 'c');
    assert.deepEqual(await parameters.token(true, LATER_MS), { code: 'read', value: 'c' });
    passMs(-1);
    ssm.put(TOKEN, 'd');
    assert.deepEqual(
      await parameters.token(false, LATER_MS),
      { code: 'read', value: 'd' },
      'a clock that went back',
    );
  });

  test('after an error the old value stays in force and the problem is told', async () => {
    const { ssm, parameters } = await setUp({ parameters: { [TOKEN]: 'old' } });
    ssm.failNext('AccessDeniedException');
    const first = await parameters.token(false, LATER_MS);
    assert.equal(first.code, 'failed');
    assert.match(first.message, /^cannot read the parameter .*dt-api-token: AccessDeniedException/);
    await parameters.token(false, LATER_MS);
    ssm.failNext('AccessDeniedException');
    const second = await parameters.token(true, LATER_MS);
    assert.equal(second.code, 'read');
    assert.equal(second.value, 'old');
    assert.equal(second.problem, first.message);
  });

  test('after a failed read the known value is in force unasked for half a minute', async () => {
    const { ssm, parameters, passMs } = await setUp({ parameters: { [ENDPOINT]: 'a' } });
    await parameters.endpoint(LATER_MS);
    passMs(60_000);
    ssm.put(ENDPOINT, 'b');
    ssm.failNext('AccessDeniedException');
    const told = await parameters.endpoint(LATER_MS);
    assert.ok(told.code === 'read' && told.problem !== undefined);
    passMs(FAILED_PAUSE_MS - 1);
    assert.deepEqual(await parameters.endpoint(LATER_MS), { code: 'read', value: 'a' });
    passMs(1);
    assert.deepEqual(await parameters.endpoint(LATER_MS), { code: 'read', value: 'b' });
  });

  test("no answer before the run's deadline, be it sooner than a read may take", async () => {
    const { ssm, parameters, nowMs } = await setUp({ parameters: { [TOKEN]: 'old' } });
    ssm.failNext('hang');
    assert.deepEqual(await parameters.endpoint(nowMs() + 50), {
      code: 'failed',
      message: `cannot read the parameter ${ENDPOINT}: no answer before the deadline; the next tick tries again`,
    });
    await parameters.token(false, LATER_MS);
    ssm.failNext('hang');
    const token = await parameters.token(true, nowMs() + 50);
    assert.deepEqual([token.code, 'value' in token && token.value], ['read', 'old']);
    const calls = ssm.calls.length;
    assert.equal((await parameters.endpoint(nowMs())).code, 'failed');
    assert.equal(ssm.calls.length, calls, 'nothing is asked after the deadline');
  });

  test('what a signature error quotes, the session token too, stays out of the message', async () => {
    const { ssm, parameters } = await setUp({ maxAttempts: 1 });
    ssm.failNext('SignatureDoesNotMatch\n\nx-amz-security-token:hunter2');
    const answer = await parameters.endpoint(LATER_MS);
    assert.equal(answer.code, 'failed');
    assert.doesNotMatch(answer.message, /hunter2/);
  });
});

async function waitForCalls(ssm: FakeSsm, count: number): Promise<void> {
  while (ssm.calls.length < count) await new Promise((resolve) => setImmediate(resolve));
}
