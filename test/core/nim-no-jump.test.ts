/** Names act on what is due, never on what is stored (D11): engines summed, names switched, NIMs upgraded, and no jump. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { OutputSettings } from '../../functions/core/scrape-config.ts';
import { DEFAULT_OUTPUT } from '../../functions/core/output-text.ts';
import { createWorld, target } from '../fakes/ports.ts';

const only = (output: Partial<OutputSettings> = {}) =>
  target('10.0.0.1:8000', { output: { ...DEFAULT_OUTPUT, ...output } });

const TOKENS = '# TYPE vllm:prompt_tokens_total counter\n';
const tokens = (...byEngine: readonly number[]): string =>
  TOKENS + byEngine.map((n, i) => `vllm:prompt_tokens_total{engine="${i}"} ${n}\n`).join('');

describe('no jump', () => {
  const step = async (
    world: ReturnType<typeof createWorld>,
    tickS: number,
    page: string | undefined,
    output: Partial<OutputSettings> = {},
  ): Promise<readonly string[]> => {
    world.script.scrape = () => page ?? { fails: 'connect' };
    const before = world.bodies.length;
    const report = await world.run(tickS, [only(output)]);
    assert.deepEqual(report.drops['duplicate'], undefined);
    return world.bodies
      .slice(before)
      .flatMap(({ points }) => points)
      .filter(({ type }) => type !== 'gauge')
      .map(
        ({ name, value, histogram, startNs, timeNs }) =>
          `${name} ${histogram?.count ?? value} (${[startNs, timeNs].map((ns) => Number(ns / 1_000_000_000n) - 1767225600).join()}]`,
      );
  };

  test('names switched back and forth: each increase leaves once', async () => {
    const world = createWorld();
    await step(world, 60, tokens(10, 20));
    assert.deepEqual(await step(world, 120, tokens(11, 22)), ['prompt_tokens_total 3 (60,120]']);
    assert.deepEqual(await step(world, 180, tokens(15, 22), { metricNames: 'raw' }), [
      'vllm_prompt_tokens_total 4 (120,180]',
      'vllm_prompt_tokens_total 0 (120,180]',
    ]);
    assert.deepEqual(await step(world, 240, tokens(15, 30)), ['prompt_tokens_total 8 (180,240]']);
  });

  test('D3: a new engine joins a sum, the earliest window is the point’s', async () => {
    const world = createWorld();
    await step(world, 60, tokens(10));
    world.script.answer = () => 'retry';
    await step(world, 120, tokens(12));
    world.script.answer = () => 'accepted';
    assert.deepEqual(await step(world, 180, tokens(13, 5)), ['prompt_tokens_total 8 (60,180]']);
  });

  test('what was pending in an engine is settled by its sum’s body', async () => {
    const world = createWorld();
    await step(world, 60, tokens(10, 10));
    world.script.answer = () => 'retry';
    await step(world, 120, tokens(12, 13));
    await step(world, 180, undefined);
    world.script.answer = () => 'accepted';
    assert.deepEqual(await step(world, 240, undefined), ['prompt_tokens_total 5 (60,240]']);
    assert.deepEqual(await step(world, 300, undefined), []);
  });

  test('a NIM upgraded while the old one still owes: the old window goes first, the new one a tick later', async () => {
    const world = createWorld();
    const one = (n: number): string =>
      `# TYPE prompt_tokens_total counter\nprompt_tokens_total{model_name="m"} ${n}\n`;
    const two = (n: number): string => `${TOKENS}vllm:prompt_tokens_total{engine="0",model_name="m"} ${n}\n`;
    await step(world, 60, one(10));
    world.script.answer = () => 'retry';
    await step(world, 120, one(12));
    world.script.answer = () => 'accepted';
    assert.deepEqual(await step(world, 180, two(7)), ['prompt_tokens_total 2 (60,180]']);
    assert.deepEqual(await step(world, 240, two(8)), ['prompt_tokens_total 8 (120,240]']);
    assert.deepEqual(await step(world, 300, two(8)), ['prompt_tokens_total 0 (240,300]']);
  });

  test('engines with other bounds than each other take turns, and lose nothing', async () => {
    const world = createWorld();
    const page = (a: number, b: number): string => `# TYPE vllm:time_to_first_token_seconds histogram
${[
  ['0', '1', a],
  ['1', '2', b],
]
  .map(
    ([engine, le, count]) => `vllm:time_to_first_token_seconds_bucket{engine="${engine}",le="${le}"} ${count}
vllm:time_to_first_token_seconds_bucket{engine="${engine}",le="+Inf"} ${count}
vllm:time_to_first_token_seconds_sum{engine="${engine}"} 1
vllm:time_to_first_token_seconds_count{engine="${engine}"} ${count}`,
  )
  .join('\n')}
`;
    await step(world, 60, page(0, 0));
    const name = 'time_to_first_token_seconds';
    assert.deepEqual(await step(world, 120, page(1, 10)), [`${name} 1 (60,120]`]);
    assert.deepEqual(await step(world, 180, page(2, 20)), [`${name} 20 (60,180]`]);
    assert.deepEqual(await step(world, 240, page(3, 30)), [`${name} 2 (120,240]`]);
  });

  test('what a vanished target owes leaves under the names that it had', async () => {
    for (const metricNames of ['nim', 'raw'] as const) {
      const world = createWorld();
      await step(world, 60, tokens(10), { metricNames });
      world.script.answer = () => 'retry';
      await step(world, 120, tokens(12), { metricNames });
      world.script.answer = () => 'accepted';
      await world.run(180, [], { drains: [only().key] });
      const [point] = world.bodies.at(-1)?.points ?? [];
      assert.deepEqual(
        [point?.name, point?.value],
        [`${metricNames === 'raw' ? 'vllm_' : ''}prompt_tokens_total`, 2],
      );
    }
  });

  test('D12: a sum that Dynatrace refuses is one suspect, and all of it stays pending', async () => {
    const world = createWorld();
    const page = (n: number): string => `${tokens(n, n)}# TYPE a_total counter\na_total ${n}\n`;
    await step(world, 60, page(1));
    world.script.answer = (points) =>
      points.some(({ name }) => name === 'prompt_tokens_total') ? 'malformed' : 'accepted';
    await step(world, 120, page(3));
    const report = await world.run(180, [only()]);
    assert.deepEqual(report.targets[0]?.suspects, ['vllm:prompt_tokens_total']);
    world.script.answer = () => 'accepted';
    for (let tickS = 240; tickS < 1200; tickS += 60) await step(world, tickS, page(3));
    const sent = world.bodies.filter(({ answer }) => answer === 'accepted').flatMap(({ stored }) => stored);
    const values = sent.filter(({ name }) => name === 'prompt_tokens_total').map(({ value }) => value ?? 0);
    assert.equal(
      values.reduce((sum, value) => sum + value, 0),
      4,
    );
  });

  test('D1, one point per series and tick: whatever engines count, answers and names', async () => {
    const tick = fc.record({
      add: fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9)),
      engines: fc.integer({ min: 1, max: 3 }),
      raw: fc.boolean(),
      fails: fc.boolean(),
      accepted: fc.boolean(),
      skipUnchanged: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(tick, { minLength: 1, maxLength: 12 }), async (ticks) => {
        const world = createWorld();
        const counts = [0, 0, 0];
        const finish = (): string =>
          `# TYPE vllm:request_success_total counter\n${counts
            .flatMap((n, i) =>
              ['stop', 'abort'].map(
                (reason) => `vllm:request_success_total{engine="${i}",finished_reason="${reason}"} ${n}\n`,
              ),
            )
            .join('')}`;
        world.script.scrape = () => tokens(...counts) + finish();
        await world.run(60, [only()]);
        let tickS = 60;
        for (const { add, raw, fails, accepted, skipUnchanged } of [
          ...ticks,
          { add: [0, 0, 0], raw: false, fails: false, accepted: true, skipUnchanged: false },
        ]) {
          for (const [i, n] of add.entries()) counts[i] = (counts[i] ?? 0) + n;
          const page = fails ? undefined : tokens(...counts) + finish();
          world.script.scrape = () => page ?? { fails: 'connect' };
          world.script.answer = () => (accepted ? 'accepted' : 'retry');
          await world.run((tickS += 60), [only({ metricNames: raw ? 'raw' : 'nim', skipUnchanged })]);
        }
        const total = counts.reduce((sum, n) => sum + n, 0);
        const sums: Record<string, number> = {};
        for (const { stored } of world.bodies) {
          const seen = new Set(stored.map((point) => `${point.name} ${JSON.stringify(point.attributes)}`));
          assert.equal(seen.size, stored.length);
          for (const { name, value = 0, type, attributes } of stored) {
            if (type === 'gauge') continue;
            const [, reason] = attributes.find(([key]) => key === 'finished_reason') ?? [];
            const of = name === 'vllm_request_success_total' ? `raw ${reason as string}` : name;
            sums[of] = (sums[of] ?? 0) + value;
          }
        }
        const of = (name: string): number => sums[name] ?? 0;
        assert.equal(of('prompt_tokens_total') + of('vllm_prompt_tokens_total'), total);
        assert.equal(of('request_success_total') + of('raw stop'), total);
        assert.equal(of('request_failure_total') + of('raw abort'), total);
        assert.equal(of('request_finish_total') + of('raw stop') + of('raw abort'), 2 * total);
      }),
      { numRuns: 60 },
    );
  });
});
