import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { startReceiver } from '../../functions/cli/world/receiver.ts';
import { readAddress } from '../../functions/core/config/address.ts';
import { MAX_SHARD_TARGETS } from '../../functions/core/work.ts';
import { pointsOf, startCli, targetArgs, temporaryDirectory } from './harness.ts';
import { startPageServer } from './page-server.ts';

const HANGING = 30;
/** The hanging ones have half of it, everything else the rest: enough for a machine that does other things, too. */
const ONE_TICK = ['--count', '1', '--interval', '20s'];
const MAX_RSS_BYTES = 512 * 1024 * 1024;

test('150 targets, of which the first 30 hang: the others are exported and committed in time', async (context) => {
  const directory = await temporaryDirectory(context);
  const hanging = new Set<number>();
  let count = 1;
  const servers = await Promise.all(
    Array.from({ length: MAX_SHARD_TARGETS }, (_, i) =>
      startPageServer(() => (hanging.has(i) ? { hang: true } : largePage(count))),
    ),
  );
  const receiver = await startReceiver();
  context.after(async () => {
    await Promise.all([receiver, ...servers].map(({ close }) => close()));
  });
  const order = servers.map((_, i) => i).sort((a, b) => (keyOf(servers[a]) < keyOf(servers[b]) ? -1 : 1));
  for (const i of order.slice(0, HANGING)) hanging.add(i);
  const answering = new Set(order.slice(HANGING).map((i) => servers[i]?.address));
  const addresses = order.map((i) => servers[i]?.address ?? '');
  const args = ['run', '-o', 'json', '--state', directory, '--endpoint', receiver.endpoint];

  const first = await startCli([...args, ...ONE_TICK, ...targetArgs(addresses)]).ended;
  assert.equal(first.code, 0, first.stderr);
  assert((first.maxRssBytes ?? Infinity) < MAX_RSS_BYTES, `${first.maxRssBytes} bytes`);
  const up = pointsOf(first).filter(({ name }) => name === 'up');
  assert.equal(up.length, MAX_SHARD_TARGETS);
  assert.deepEqual(
    new Set(up.filter(({ value }) => value === 1).map(({ attributes }) => attributes['service.instance.id'])),
    answering,
  );
  assert.equal(first.stderr.match(/: timeout: cannot scrape /g)?.length, HANGING);

  hanging.clear();
  count = 3;
  const second = await startCli([...args, ...ONE_TICK, ...targetArgs(addresses)]).ended;
  assert.equal(second.code, 0, second.stderr);
  const increases = pointsOf(second).filter(({ name }) => name === 'c0_total');
  assert.equal(increases.length, answering.size);
  for (const { value, start, attributes } of increases) {
    assert(answering.has(attributes['service.instance.id']));
    assert.deepEqual([value, start], [2, up[0]?.tick]);
  }
  assert.deepEqual(receiver.violations, []);
});

function keyOf(server: { readonly address: string } | undefined): string {
  const target = readAddress(server?.address ?? '', 'nim');
  assert(typeof target === 'object');
  return target.key;
}

/** As many samples as a NIM with three models has: 20 counters, 20 histograms with 12 buckets, 40 gauges. */
function largePage(count: number): string {
  const lines: string[] = [];
  for (let i = 0; i < 20; i++) {
    lines.push(`# TYPE c${i}_total counter`, `c${i}_total{model_name="meta/llama-3.1-8b-instruct"} ${count}`);
    lines.push(`# TYPE h${i}_seconds histogram`);
    for (let le = 1; le < 12; le++) lines.push(`h${i}_seconds_bucket{le="${le}"} ${count * le}`);
    lines.push(`h${i}_seconds_bucket{le="+Inf"} ${count * 12}`);
    lines.push(`h${i}_seconds_sum ${count * 50}`, `h${i}_seconds_count ${count * 12}`);
    lines.push(`# TYPE g${i} gauge`, `g${i}{engine="0"} 1`, `g${i}{engine="1"} 2`);
  }
  return `${lines.join('\n')}\n`;
}
