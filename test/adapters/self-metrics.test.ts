import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { createSelfMetrics } from '../../functions/adapters/self-metrics.ts';

const MODULE = new URL('../../functions/adapters/self-metrics.ts', import.meta.url).href;

interface EmfLine {
  readonly _aws: {
    readonly Timestamp: number;
    readonly CloudWatchMetrics: readonly {
      readonly Namespace: string;
      readonly Dimensions: readonly (readonly string[])[];
      readonly Metrics: readonly { readonly Name: string; readonly Unit: string }[];
    }[];
  };
  readonly [key: string]: unknown;
}

/** Runs the statements with `metrics` in a process of its own: the lines go to the real standard output. */
async function linesOf(statements: string): Promise<readonly EmfLine[]> {
  const script = `import { createSelfMetrics } from ${JSON.stringify(MODULE)};
    const metrics = createSelfMetrics({ deployment: '/nim' }); ${statements}`;
  const run = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    env: { PATH: process.env['PATH'] },
  });
  assert.equal(run.stderr, '');
  return run.stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as EmfLine]));
}

/** The rules of the embedded metric format: each dimension is a string member, each metric a numeric one. */
function assertEmf(line: EmfLine): void {
  assert.ok(Math.abs(Date.now() - line._aws.Timestamp) < 60_000);
  assert.equal(line._aws.CloudWatchMetrics.length, 1);
  for (const { Namespace, Dimensions, Metrics } of line._aws.CloudWatchMetrics) {
    assert.equal(Namespace, 'NimToDynatrace');
    for (const name of Dimensions.flat()) assert.equal(typeof line[name], 'string');
    assert.ok(Metrics.length > 0 && Metrics.length <= 100);
    for (const { Name } of Metrics) assert.equal(typeof line[Name], 'number');
  }
}

describe('self-metrics', () => {
  test('one line of embedded metric format with values, units and dimensions', async () => {
    const [line, ...rest] = await linesOf(`metrics.publish([
      { name: 'points.sent', unit: 'Count', value: 12 },
      { name: 'export.duration', unit: 'Milliseconds', value: 0.5 },
      { name: 'export.size', unit: 'Bytes', value: 0 },
      { name: 'pending.age', unit: 'Seconds', value: 60 },
    ]);`);
    assert.ok(line);
    assert.equal(rest.length, 0);
    assertEmf(line);
    assert.deepEqual(line._aws.CloudWatchMetrics[0]?.Dimensions, [['deployment']]);
    assert.deepEqual(line._aws.CloudWatchMetrics[0]?.Metrics, [
      { Name: 'points.sent', Unit: 'Count' },
      { Name: 'export.duration', Unit: 'Milliseconds' },
      { Name: 'export.size', Unit: 'Bytes' },
      { Name: 'pending.age', Unit: 'Seconds' },
    ]);
    assert.deepEqual([line['points.sent'], line['export.duration'], line['deployment']], [12, 0.5, '/nim']);
  });

  test('the deployment is the only dimension, call after call', async () => {
    const lines = await linesOf(`
      metrics.publish([{ name: 'points.dropped', unit: 'Count', value: 1 }]);
      metrics.publish([{ name: 'points.sent', unit: 'Count', value: 3 }]);`);
    assert.equal(lines.length, 2);
    for (const line of lines) {
      assertEmf(line);
      assert.deepEqual(line._aws.CloudWatchMetrics[0]?.Dimensions, [['deployment']]);
      assert.equal(Object.keys(line).length, 3, 'but for _aws, dimension and metric there is nothing');
    }
  });

  test('nothing to publish prints nothing', async () => {
    assert.deepEqual(await linesOf(`metrics.publish([]);`), []);
  });

  test('at most 100 metrics in a line, each line with the dimensions', async () => {
    const publish = (n: number) => `metrics.publish(Array.from({ length: ${n} },
      (_, i) => ({ name: 'm' + i, unit: 'Count', value: i })));`;
    assert.equal((await linesOf(publish(100))).length, 1);
    const lines = await linesOf(publish(101));
    assert.equal(lines.length, 2);
    lines.forEach(assertEmf);
    assert.ok(lines.every((line) => line['deployment'] === '/nim'));
  });

  test('a value that is no finite number is a program error', () => {
    const metrics = createSelfMetrics({ deployment: '/nim' });
    for (const value of [NaN, Infinity]) {
      const publish = () => metrics.publish([{ name: 'points.sent', unit: 'Count', value }]);
      assert.throws(publish, /BUG: self-metric points\.sent is not finite/);
    }
  });
});
