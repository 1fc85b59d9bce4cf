/** What can be wrong between the scrape function and Dynatrace: one readable line, and no increment lost. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { SimulatedNim } from '../../functions/cli/world/simulated-nim.ts';
import { assertDelivered } from '../fakes/delivered.ts';
import {
  type Build,
  type Deployment,
  type DeploymentOptions,
  PREFIX,
  TOKEN,
  TOKEN_NAME,
  addressOf,
  buildBundles,
  startDeployment,
} from '../fakes/deployment.ts';
import { eventsOf, lineOf } from '../fakes/lambda.ts';

const build: Build = await buildBundles(after);

type Stored = Readonly<Record<string, string>>;

/** Starts with the standard parameters changed; an empty value is no parameter. */
const start = (
  context: Parameters<typeof startDeployment>[0],
  changes: Stored,
  options: Partial<DeploymentOptions> = {},
) =>
  startDeployment(context, {
    build,
    parameters: (nims, endpoint) => stored(nims, endpoint, changes),
    ...options,
  });

function stored(nims: readonly SimulatedNim[], endpoint: string, changes: Stored): Stored {
  const all = {
    endpoint,
    'secrets/dt-api-token': TOKEN,
    'targets/nim': nims.map(addressOf).join(' '),
    ...changes,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''));
}

const served = ({ nims }: Deployment) => nims.map((nim) => nim.served());
const advance = ({ nims }: Deployment) => nims.forEach((nim) => nim.advance(60_000));

describe('a piece is missing', () => {
  test('no token yet: one readable line a run; once it is there, all that was pending arrives', async (context) => {
    const deployment = await start(context, { 'secrets/dt-api-token': '' });
    const { ssm, receiver } = deployment;
    for (let i = 0; i < 2; i++) {
      const { worked } = await deployment.tick();
      assert.deepEqual(worked.flatMap(eventsOf).toSorted(), ['run_finished', 'waiting_for_token']);
      const { level, problem, stack } = lineOf(worked[0], 'waiting_for_token');
      assert.equal(level, 'WARN');
      assert.equal(
        problem,
        'cannot export metrics: no API token is stored yet; store one with the scope metrics.ingest',
      );
      assert.equal(stack, undefined);
      const { pendingSeries, pointsSent, up } = lineOf(worked[0], 'run_finished');
      assert.ok(Number(pendingSeries) > 5);
      assert.deepEqual([pointsSent, up], [0, 1]);
      advance(deployment);
    }
    assert.equal(receiver.requests.length, 0);
    ssm.put(TOKEN_NAME, `${TOKEN}\n`, 'SecureString');
    const { worked } = await deployment.tick();
    assert.equal(lineOf(worked[0], 'run_finished')['caughtUp'], 1);
    assertDelivered(receiver.points, ...served(deployment));
    assert.deepEqual(receiver.violations, []);
  });

  test('no endpoint yet: the same', async (context) => {
    const deployment = await start(context, { endpoint: '' });
    const { ssm, receiver } = deployment;
    const { worked } = await deployment.tick();
    assert.deepEqual(worked.flatMap(eventsOf).toSorted(), ['run_finished', 'waiting_for_endpoint']);
    assert.match(String(lineOf(worked[0], 'waiting_for_endpoint')['problem']), /; store the OTLP URL of the/);
    advance(deployment);
    ssm.put(`${PREFIX}/endpoint`, receiver.endpoint);
    await deployment.tick();
    assertDelivered(receiver.points, ...served(deployment));
  });

  test('SSM refuses the token: why, then as while waiting for it', async (context) => {
    const deployment = await start(context, { 'secrets/dt-api-token': '' });
    const { ssm, receiver } = deployment;
    // The endpoint is known from here on, so that the next read is the token's.
    await deployment.tick();
    ssm.put(TOKEN_NAME, TOKEN, 'SecureString');
    await deployment.schedule();
    ssm.failNext('AccessDeniedException');
    const [worked] = await deployment.workOff();
    assert.deepEqual(eventsOf(worked).toSorted(), ['parameter_unread', 'run_finished', 'waiting_for_token']);
    assert.deepEqual(lineOf(worked, 'parameter_unread')['what'], 'API token');
    assert.equal(
      lineOf(worked, 'parameter_unread')['problem'],
      `cannot read the parameter ${TOKEN_NAME}: AccessDeniedException, AccessDeniedException on demand; ` +
        'grant the role this action',
    );
    advance(deployment);
    await deployment.tick();
    assertDelivered(receiver.points, ...served(deployment));
  });

  test('an endpoint given to the stack counts before a stored one', async (context) => {
    const env = { ENDPOINT: 'https://abc12345.apps.dynatrace.com' };
    const { tick, ssm } = await start(context, {}, { env });
    const { worked } = await tick();
    assert.match(String(lineOf(worked[0], 'export_failed')['problem']), /abc12345\.apps\.dynatrace\.com/);
    assert.ok(!ssm.calls.some(({ input }) => input['Name'] === `${PREFIX}/endpoint`));
  });
});

describe('Dynatrace refuses', () => {
  test("the browser's address is named with its remedy, nothing is posted", async (context) => {
    const deployment = await start(context, { endpoint: 'https://abc12345.apps.dynatrace.com' });
    const { worked } = await deployment.tick();
    assert.deepEqual(worked.flatMap(eventsOf).toSorted(), ['export_failed', 'run_finished']);
    const { code, problem } = lineOf(worked[0], 'export_failed');
    assert.equal(code, 'refused');
    assert.equal(
      problem,
      'cannot use the Dynatrace endpoint: abc12345.apps.dynatrace.com serves the web interface, not the API; ' +
        'store https://abc12345.live.dynatrace.com/api/v2/otlp',
    );
    assert.ok(Number(lineOf(worked[0], 'run_finished')['pendingSeries']) > 5);
  });

  test('a wrong token stays pending; rotated in SSM it is re-read once and the same run delivers', async (context) => {
    const wrong = 'dt0c01.PUBLICID.PLANTEDOLDSECRET';
    const deployment = await start(context, { 'secrets/dt-api-token': wrong });
    const { ssm, receiver } = deployment;
    const { worked: refused } = await deployment.tick();
    const { code, problem } = lineOf(refused[0], 'export_failed');
    assert.equal(code, 'refused');
    assert.match(
      String(problem),
      /status 401 .+; check that the API token is valid and belongs to this environment$/,
    );
    assert.equal(tokenReads(deployment), 2);
    assert.equal(receiver.requests.length, 1);

    advance(deployment);
    ssm.put(TOKEN_NAME, TOKEN);
    const { worked: delivered } = await deployment.tick();
    assert.deepEqual(delivered.flatMap(eventsOf), ['run_finished']);
    assert.equal(tokenReads(deployment), 3);
    assert.deepEqual(
      receiver.requests.map(({ status }) => status),
      [401, 401, 200],
    );
    assertDelivered(receiver.points, ...served(deployment));

    advance(deployment);
    await deployment.tick();
    assert.equal(tokenReads(deployment), 3);
    assertDelivered(receiver.points, ...served(deployment));
    assert.deepEqual(receiver.violations, []);
  });

  test('a proxy that echoes the request puts no token into the log', async (context) => {
    const deployment = await start(
      context,
      {},
      {
        receiver: {
          token: TOKEN,
          answer: ({ headers }) => {
            const message = `Forbidden for ${headers.authorization}`;
            return {
              status: 403,
              contentType: 'application/json',
              body: JSON.stringify({ error: { code: 403, message } }),
            };
          },
        },
      },
    );
    const { worked } = await deployment.tick();
    const { problem } = lineOf(worked[0], 'export_failed');
    assert.match(String(problem), /Forbidden for Api-Token \*\*\*/);
    assert.match(String(problem), /; give the API token the scope metrics\.ingest$/);
  });

  test('a partial success is final: named, counted, not sent again', async (context) => {
    const deployment = await start(
      context,
      {},
      {
        receiver: {
          token: TOKEN,
          answer: ({ index }) => (index === 0 ? { rejectPoints: 2, message: 'Reason: X' } : undefined),
        },
      },
    );
    const { worked } = await deployment.tick();
    const { reason, points, problem } = lineOf(worked[0], 'export_partial');
    assert.deepEqual([reason, points, problem], ['X', 2, 'Reason: X']);
    assert.deepEqual(lineOf(worked[0], 'run_finished')['rejections'], { X: 2 });
    const { pointsSent, pointsRejected, pendingSeries } = lineOf(worked[0], 'run_finished');
    assert.deepEqual([pointsSent, pointsRejected, pendingSeries], [deployment.receiver.points.length, 2, 0]);
    const { worked: next } = await deployment.tick();
    assert.deepEqual(next.flatMap(eventsOf), ['run_finished']);
  });
});

describe('Dynatrace is out', () => {
  test('503 throughout a run, then well: one point carries the gap', async (context) => {
    let out = true;
    const deployment = await start(
      context,
      {},
      {
        receiver: {
          token: TOKEN,
          // No patience within the run: the next one sends it.
          answer: () => (out ? { status: 503, headers: { 'retry-after': '3600' } } : undefined),
        },
      },
    );
    const { worked } = await deployment.tick();
    assert.equal(lineOf(worked[0], 'export_failed')['code'], 'retry');
    advance(deployment);
    out = false;
    const { worked: well } = await deployment.tick();
    assert.equal(lineOf(well[0], 'run_finished')['caughtUp'], 1);
    assertDelivered(deployment.receiver.points, ...served(deployment));
    assert.deepEqual(deployment.receiver.violations, []);
  });

  test('an answer that is lost after acceptance doubles this one body, and says so', async (context) => {
    const deployment = await start(
      context,
      {},
      {
        receiver: {
          token: TOKEN,
          answer: ({ index }) => (index === 0 ? { acceptAndReset: true } : undefined),
        },
      },
    );
    const { worked } = await deployment.tick();
    assert.equal(lineOf(worked[0], 'export_failed')['code'], 'unknown');
    assert.equal(worked[0]?.metrics[0]?.['exports.unknown'], 1);
    const [first] = served(deployment);
    assert.ok(first);
    advance(deployment);
    await deployment.tick();
    advance(deployment);
    await deployment.tick();
    assertDelivered(deployment.receiver.points, first, ...served(deployment));
  });
});

function tokenReads({ ssm }: Deployment): number {
  return ssm.calls.filter(({ input }) => input['Name'] === TOKEN_NAME).length;
}
