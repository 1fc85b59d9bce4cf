import { strict as assert } from 'node:assert';
import { on } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { startReceiver } from '../../functions/cli/world/receiver.ts';
import { cli, pointsOf, startCli, temporaryDirectory } from './harness.ts';
import { startPageServer } from './page-server.ts';
import { createScriptedProcess, moved, totalsReceived, windowProblems } from './scripted-process.ts';

function youngProcess() {
  return createScriptedProcess({ startMs: Date.now() - 60_000, showStart: true });
}

describe('the demo: nothing is given, everything is brought along', { concurrency: 2 }, () => {
  test('ticks as tables, restarts among them: the books balance, exit code 0', async () => {
    const { code, stdout, stderr } = await cli('run', '--count', '24', '--interval', '100ms');
    assert.equal(code, 0);
    assert.match(
      stderr,
      /^scraping 127.0.0.1:\d+, 127.0.0.1:\d+\nsending to http:\/\/127.*\(simulated Dynatrace\)\n$/,
    );
    const heads = stdout.match(/^tick \S+: [1-9]\d* points delivered, 0 series pending, \d+ ms$/gm);
    assert.equal(heads?.length, 24);
    assert.equal(stdout.match(/seen = delivered \+ pending in every row and bucket/g)?.length, 24);
    assert.match(stdout, /restarts so far: 2\n/);
    assert.match(stdout, /prompt_tokens_total +\d+/);
    // The second NIM goes on behind the last page: what is unseen may be anything, what was seen is delivered.
    const rows = [...stdout.matchAll(/^ {2}(\S+_total\S*)((?: +[\d.]+){5})$/gm)];
    assert(rows.length >= 24 * 7, `${rows.length} rows`);
    for (const [, name, figures = ''] of rows) {
      const [, seen, delivered, pending] = figures.trim().split(/ +/).map(Number);
      assert.deepEqual([delivered, pending], [seen, 0], name);
    }
  });

  test('-o json: every line is a data point and nothing else, and the numbers are those of the receiver', async () => {
    await using receiver = disposable(await startReceiver());
    const args = [
      'run',
      '--count',
      '3',
      '--interval',
      '500ms',
      '-o',
      'json',
      '--endpoint',
      receiver.endpoint,
    ];
    const { code, stdout, stderr } = await startCli(args).ended;
    assert.equal(code, 0, stderr);
    assert.deepEqual(receiver.violations, []);
    const points = pointsOf({ stdout });
    assert.equal(points.length, receiver.points.length);
    assert.equal(new Set(points.map(({ tick }) => tick)).size, 3);
    assert.deepEqual(windowProblems(points), []);
    for (const point of points) {
      const keys = Object.keys(point);
      const values = point.type === 'histogram' ? ['count', 'sum', 'bounds', 'buckets'] : ['value'];
      assert.deepEqual(keys, ['tick', 'name', 'type', 'unit', 'start', 'time', ...values, 'attributes']);
      assert.equal(point.start === null, point.type === 'gauge');
      assert.match(point.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert(Object.values(point.attributes).every((value) => typeof value === 'string'));
    }
    const kinds = points.map(({ type, name, value, sum, count }) => [type, name, value ?? [sum, count]]);
    assert.deepEqual(
      kinds,
      receiver.points.map((point) => [
        point.kind,
        point.name,
        point.kind === 'histogram' ? [point.sum, point.count] : point.value,
      ]),
    );
  });
});

describe('what the product says of itself', { concurrency: 2 }, () => {
  const own = (ended: Parameters<typeof pointsOf>[0], of: string) =>
    pointsOf(ended).flatMap(({ name, type, value, start, time, attributes }) =>
      name === `nim_to_dynatrace.${of}`
        ? [{ type, value, start, time, from: attributes['service.instance.id'] }]
        : [],
    );

  for (const extra of [[], ['--dry-run']]) {
    test(['from the second tick on, of the tick before', ...extra].join(' '), async () => {
      const ended = await cli('run', '--count', '3', '--interval', '200ms', '-o', 'json', ...extra);
      assert.equal(ended.code, 0, ended.stderr);
      const points = pointsOf(ended);
      const ticks = [...new Set(points.map(({ tick }) => tick))];
      const sent = ticks.map((tick) => points.filter((point) => point.tick === tick).length);
      assert.deepEqual(
        own(ended, 'points.sent'),
        [0, 1].map((i) => {
          const window = { start: ticks[i], time: ticks[i + 1] };
          return { type: 'counter', value: sent[i], ...window, from: 'shard-0' };
        }),
      );
      assert.deepEqual(
        own(ended, 'pending.points').map(({ value }) => value),
        [0, 0],
      );
    });
  }

  test('the table has no column for it, and says where it is', async () => {
    const { code, stdout } = await cli('run', '--count', '2', '--interval', '100ms');
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /shard-0/);
    assert.equal(stdout.match(/^ {2}\(8 points of nim_to_dynatrace\.\*, told by -o json\)$/gm)?.length, 1);
  });
});

describe('the end of a run that has none', { concurrency: 2 }, () => {
  test('Ctrl-C between two ticks: the tick is whole, exit code 0', async () => {
    const child = startCli(['run', '--interval', '1h', '-o', 'json']);
    for await (const [line] of on(createInterface(child.stdout), 'line')) {
      assert.match(String(line), /^\{/);
      child.kill('SIGINT');
      break;
    }
    const { code, signal, stderr } = await child.ended;
    assert.deepEqual([code, signal], [0, null]);
    assert.match(stderr, /\nending after this tick; Ctrl-C again stops at once\n$/);
    assert.throws(() => process.kill(child.pid, 0), { code: 'ESRCH' });
  });

  test('Ctrl-C in the middle of a tick: it is finished, what was delivered is committed', async (context) => {
    const directory = await temporaryDirectory(context);
    const counted = youngProcess();
    counted.count('requests_total', 5);
    await using server = disposable(await startPageServer(() => counted.page()));
    let interrupt = true;
    await using receiver = disposable(
      await startReceiver({
        answer: () => {
          if (interrupt) child.kill('SIGINT');
          interrupt = false;
          return undefined;
        },
      }),
    );
    const args = ['run', '--target', server.address, '--endpoint', receiver.endpoint, '--state', directory];
    const child = startCli([...args, '--interval', '1h']);
    assert.equal((await child.ended).code, 0);
    counted.count('requests_total', 2);
    assert.equal((await cli(...args, '--once')).code, 0);
    assert.deepEqual(moved(totalsReceived(receiver, server.address)), { requests_total: 7 });
    assert.deepEqual(receiver.violations, []);
  });

  test('a second Ctrl-C stops at once what still waits for an answer', async () => {
    await using server = disposable(
      await startPageServer(() => {
        child.kill('SIGINT');
        setTimeout(() => child.kill('SIGINT'), 200);
        return { hang: true };
      }),
    );
    const child = startCli(['run', '--target', server.address, '--interval', '1h']);
    const { signal } = await child.ended;
    assert.equal(signal, 'SIGINT');
  });

  test('the reader of the pipe leaves (`| head -1`): the run ends without a word', async () => {
    const child = startCli(['run', '--interval', '100ms', '-o', 'json']);
    child.stdout.once('data', () => child.stdout.destroy());
    const { code, stderr } = await child.ended;
    assert.equal(code, 0);
    assert.doesNotMatch(stderr, /EPIPE|^ending/m);
  });
});

test('a target slower than the interval: ticks come later, none is lost', async () => {
  const counted = youngProcess();
  await using server = disposable(
    await startPageServer(async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      counted.count('requests_total', 1);
      return counted.page();
    }),
  );
  await using receiver = disposable(await startReceiver());
  const args = ['--target', server.address, '--endpoint', receiver.endpoint, '-o', 'json'];
  const ended = await cli('run', '--count', '3', '--interval', '100ms', ...args);
  assert.equal(ended.code, 0, ended.stderr);
  const points = pointsOf(ended);
  assert.equal(new Set(points.map(({ tick }) => tick)).size, 3);
  assert.deepEqual(windowProblems(points), []);
  assert.deepEqual(moved(totalsReceived(receiver, server.address)), { requests_total: 3 });
});

test('--dry-run --count 2: the second tick has what was counted since the first; nothing is kept', async (context) => {
  const directory = await temporaryDirectory(context);
  let served = 0;
  await using server = disposable(
    await startPageServer(() => `# TYPE requests_total counter\nrequests_total ${(served += 5)}\n`),
  );
  const args = ['run', '--target', server.address, '--interval', '100ms', '--state', directory];
  for (let call = 0; call < 2; call++) {
    const { code, stdout } = await cli(...args, '--count', '2', '--dry-run', '-o', 'json');
    const lines = stdout.trim().split('\n');
    const increases = lines.filter((line) => line.includes('"requests_total"'));
    assert.deepEqual(
      [code, increases.length, /"value":5\b/.test(String(increases[0]))],
      [0, 1, true],
      stdout,
    );
  }
});

test('a line that cannot be read is named, and the rest of the page is taken', async () => {
  await using server = disposable(await startPageServer(() => 'good_metric 1\nbad_metric{ 2\n'));
  const { code, stdout, stderr } = await cli('run', '--target', server.address, '--once', '--dry-run');
  assert.equal(code, 0);
  assert.match(stderr, /: cannot read 1 lines of the page \(line 2: .+\); the others were taken/);
  assert.match(stdout, /good_metric/);
});

test('--dry-run posts nothing and commits nothing: the real run after it gives the same points', async (context) => {
  const directory = await temporaryDirectory(context);
  const counted = youngProcess();
  counted.count('requests_total{status="ok"}', 5);
  counted.observe('latency_seconds', 0.25, 2);
  await using server = disposable(await startPageServer(() => counted.page()));
  await using receiver = disposable(await startReceiver());
  const args = ['run', '--once', '--target', server.address, '--endpoint', receiver.endpoint];
  const real = [...args, '--state', directory, '-o', 'json'];
  const increases = (ended: Parameters<typeof pointsOf>[0]) =>
    pointsOf(ended).flatMap(({ type, name, value, count, sum, buckets, attributes }) =>
      type === 'gauge' ? [] : [{ type, name, value, count, sum, buckets, attributes }],
    );

  const dryFirst = await cli(...real, '--dry-run');
  assert.deepEqual([dryFirst.code, receiver.requests.length], [0, 0]);
  assert.match(dryFirst.stderr, /sending to nobody \(dry run\)/);
  const first = await cli(...real);
  assert.deepEqual(increases(dryFirst), increases(first));
  assert.equal(increases(first).length, 2);

  counted.count('requests_total{status="ok"}', 7);
  const requests = receiver.requests.length;
  const drySecond = await cli(...args, '--state', directory, '--dry-run');
  assert.equal(receiver.requests.length, requests);
  assert.match(drySecond.stdout, /^tick \S+: \d+ points would be sent, \d+ ms\n {2}to send /);
  const second = await cli(...real);
  assert.deepEqual(windowProblems([...pointsOf(first), ...pointsOf(second)]), []);
  assert.deepEqual(moved(totalsReceived(receiver, server.address)), moved(counted.truth()));
});

test('killed: after Dynatrace accepted that is sent once more, before it nothing is', async (context) => {
  const directory = await temporaryDirectory(context);
  const counted = youngProcess();
  let killAt: 'scrape' | 'export' | 'never' = 'never';
  await using server = disposable(
    await startPageServer(() => {
      if (killAt === 'scrape') child.kill('SIGKILL');
      return counted.page();
    }),
  );
  await using receiver = disposable(
    await startReceiver({
      answer: () => {
        if (killAt === 'export') child.kill('SIGKILL');
        return undefined;
      },
    }),
  );
  const args = ['run', '--once', '--target', server.address, '--endpoint', receiver.endpoint];
  let child: ReturnType<typeof startCli>;
  /** What has arrived after a run in which so many were counted. */
  const run = async (by: number, kill: typeof killAt): Promise<unknown> => {
    counted.count('requests_total', by);
    killAt = kill;
    child = startCli([...args, '--state', directory]);
    const { code, signal, stderr } = await child.ended;
    assert.deepEqual([code, signal], kill === 'never' ? [0, null] : [null, 'SIGKILL'], stderr);
    return moved(totalsReceived(receiver, server.address));
  };
  assert.deepEqual(await run(5, 'never'), { requests_total: 5 });
  assert.deepEqual(await run(7, 'scrape'), { requests_total: 5 });
  assert.deepEqual(await run(11, 'never'), { requests_total: 23 });
  assert.deepEqual(await run(13, 'export'), { requests_total: 36 });
  assert.deepEqual(receiver.violations, []);
  // The 13 that were on their way come again with the 17, and then no more.
  assert.deepEqual(await run(17, 'never'), { requests_total: 36 + 13 + 17 });
  assert.deepEqual(await run(19, 'never'), { requests_total: 36 + 13 + 17 + 19 });
});

/** Closes what was started when the test's block ends. */
function disposable<T extends { readonly close: () => Promise<void> }>(started: T): T & AsyncDisposable {
  return { ...started, [Symbol.asyncDispose]: started.close };
}
