/** `run --config`: documents from files, as from SSM. */
import { strict as assert } from 'node:assert';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, describe, test } from 'node:test';
import { startReceiver } from '../../functions/cli/world/receiver.ts';
import { nextTick } from '../../functions/cli/run.ts';
import { cli, pointsOf, startCli, temporaryDirectory } from './harness.ts';
import type { JsonPoint } from './harness.ts';
import { startPageServer } from './page-server.ts';

const PAGE = '# TYPE running gauge\nrunning{engine="0"} 1\n# TYPE python_gc gauge\npython_gc 2\n';

async function startNim(context: TestContext, answer: Parameters<typeof startPageServer>[0] = () => PAGE) {
  const server = await startPageServer(answer);
  context.after(server.close);
  return server;
}

/** Instances of the `up` gauges of each tick, in the order of ticks. */
function upOf(points: readonly JsonPoint[]): readonly (readonly string[])[] {
  const ups = points.filter(({ name }) => name === 'up');
  return [...Map.groupBy(ups, ({ tick }) => tick).values()].map((tick) =>
    tick.map(({ attributes }) => `${attributes['service.name']} ${attributes['service.instance.id']}`).sort(),
  );
}

/** Due at each tick. */
function yaml(...targets: readonly string[]): string {
  return `scrape_interval: 100ms\nstatic_configs: [{targets: [${targets.map((target) => `'${target}'`).join(', ')}]}]\n`;
}

/** Waits for what the process brings about; it ends by itself when nothing comes of it. */
async function until(isSo: () => boolean, ended: Promise<unknown>): Promise<void> {
  let isRunning = true;
  void ended.then(() => (isRunning = false));
  while (!isSo() && isRunning) await new Promise((resolve) => setTimeout(resolve, 20));
  assert(isSo());
}

/** Replaced in one step, as most editors do it. */
async function save(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new~`, text);
  await rename(`${file}.new~`, file);
}

describe('documents', { concurrency: 2 }, () => {
  test('a directory: a file is a parameter, named without its extension; the rest is noted', async (context) => {
    const directory = await temporaryDirectory(context);
    const nims = await Promise.all([1, 2, 3, 4].map(() => startNim(context)));
    const [a = '', b = '', c = '', d = ''] = nims.map(({ address }) => address);
    await writeFile(join(directory, 'list'), `${a}\n`);
    await writeFile(join(directory, 'one.prod.yaml'), yaml(b));
    await writeFile(join(directory, 'two.json'), JSON.stringify({ static_configs: [{ targets: [c] }] }));
    await writeFile(join(directory, '.hidden.yaml'), yaml('nobody:1'));
    await writeFile(join(directory, 'one.yaml~'), yaml('nobody:2'));
    await mkdir(join(directory, 'folder'));
    await writeFile(join(directory, '.data'), yaml(d));
    await symlink(join(directory, '.data'), join(directory, 'linked.yml'));
    const ended = await cli('run', '--config', directory, '--once', '-o', 'json', '--dry-run');
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(upOf(pointsOf(ended)), [[`linked ${d}`, `list ${a}`, `one.prod ${b}`, `two ${c}`]]);
    const notes = ended.stderr.split('\n').filter((line) => line.includes(' is left out: '));
    assert.deepEqual(
      notes.map((line) => line.replace(directory, '')),
      [
        'note: /.data is left out: its name begins with a dot',
        'note: /.hidden.yaml is left out: its name begins with a dot',
        'note: /folder is left out: it is no regular file',
        'note: /one.yaml~ is left out: a document ends in .yaml, .yml, .json or .txt, or has no extension',
      ],
    );
  });

  test('a whole Prometheus file: relabelled targets, kept series, labels as attributes', async (context) => {
    const directory = await temporaryDirectory(context);
    const [kept, dropped] = await Promise.all([startNim(context), startNim(context)]);
    const file = join(directory, 'prometheus.yml');
    await writeFile(
      file,
      `global: {scrape_interval: 15s, evaluation_interval: 15s}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: vllm
    static_configs:
      - targets: ['${kept?.address}', '${dropped?.address}']
        labels: {cluster: a}
    relabel_configs:
      - {source_labels: [__address__], regex: '${dropped?.address}', action: drop}
      - {target_label: instance, replacement: 'replica-1'}
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'python_.*|up', action: drop}
      - {source_labels: [engine], target_label: rank}
`,
    );
    const ended = await cli('run', '--config', file, '--once', '-o', 'json', '--dry-run');
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual([kept?.scrapes(), dropped?.scrapes()], [1, 0]);
    const points = pointsOf(ended);
    const running = points.find(({ name }) => name === 'running')?.attributes ?? {};
    const { engine, rank, cluster } = running;
    assert.deepEqual([engine, rank, cluster], ['0', '0', 'a']);
    assert.deepEqual([running['service.name'], running['service.instance.id']], ['vllm', 'replica-1']);
    assert(!points.some(({ name }) => name === 'python_gc'));
    assert.match(ended.stderr, /^a tick every 15s: the shortest scrape_interval/m);
    assert.match(ended.stderr, /^note: .*prometheus\.yml:2:1: rule_files has no effect: /m);
  });

  test('a job that has nothing right: said with line and column, nothing is scraped, exit code 1', async (context) => {
    const file = join(await temporaryDirectory(context), 'nim.yaml');
    await writeFile(file, 'scrape_intervall: 1m\nstatic_configs: []\n');
    const { code, stdout, stderr } = await cli('run', '--config', file, '--once', '-o', 'json', '--dry-run');
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /nim\.yaml:1:1: .*scrape_interval/);
    assert.match(stderr, /nim\.yaml: nothing of it is used\n/);
    assert.match(stderr, /^there is nothing to scrape$/m);
    assert.doesNotMatch(stderr, /a tick every/);
  });

  for (const [what, write] of [
    ['no such file', () => Promise.resolve()],
    ['not UTF-8', (file: string) => writeFile(file, Buffer.from([0xff, 0xfe, 0x41, 0]))],
    ['a link to itself', (file: string) => symlink(file, file)],
  ] as const) {
    test(`${what}: said, exit code 1`, async (context) => {
      const file = join(await temporaryDirectory(context), 'nim.yaml');
      await write(file);
      const { code, stdout, stderr } = await cli('run', '--config', file, '--once', '-o', 'json');
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, /^cannot read .*nim\.yaml: .+; .+$/m);
    });
  }

  test('one page that is another job twice: both are named, the first is scraped, exit code 1', async (context) => {
    const directory = await temporaryDirectory(context);
    const { address } = await startNim(context);
    await writeFile(join(directory, 'nim.yml'), yaml(address));
    await writeFile(join(directory, 'nim.yaml'), yaml(address));
    const { code, stderr } = await cli('run', '--config', directory, '--once', '-o', 'json', '--dry-run');
    assert.equal(code, 1);
    assert.match(stderr, /^cannot use .*nim\.yml: .*nim\.yaml has the same name .*; rename one of the two$/m);
  });
});

describe('edits between ticks', { concurrency: 2 }, () => {
  test('a new target, a broken edit, a repaired one, a file that is removed', async (context) => {
    const directory = await temporaryDirectory(context);
    const nims = await Promise.all([1, 2, 3].map(() => startNim(context)));
    const [first = '', second = '', third = ''] = nims.map(({ address }) => address);
    const file = join(directory, 'nim.yaml');
    await save(file, yaml(first));
    const args = ['run', '--config', directory, '--interval', '200ms', '-o', 'json', '--dry-run'];
    const child = startCli(args);
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
    const ups = () =>
      upOf(pointsOf({ stdout: said.stdout.slice(0, said.stdout.lastIndexOf('\n') + 1) })).map((tick) =>
        tick.join(),
      );
    const both = [`nim ${first}`, `nim ${second}`].sort().join();

    await until(() => ups().at(-1) === `nim ${first}`, child.ended);
    await save(file, yaml(first, second));
    await until(() => ups().at(-1) === both, child.ended);
    await save(file, `${yaml(first)}nonsense: 1\n`);
    await until(() => said.stderr.includes('nim.yaml:3:1: '), child.ended);
    await save(file, `${yaml(first)}nonsense: 1 # the same mistake\n`);
    const ticks = ups().length;
    await until(() => ups().length >= ticks + 2, child.ended);
    assert.equal(ups().at(-1), both);
    await save(file, yaml(third));
    await until(() => ups().at(-1) === `nim ${third}`, child.ended);
    await rm(file);
    await until(() => said.stderr.includes('there is nothing to scrape'), child.ended);
    await save(join(directory, 'vllm.yml'), yaml(third));
    await until(() => ups().at(-1) === `vllm ${third}`, child.ended);
    child.kill('SIGINT');

    const { code, stderr } = await child.ended;
    assert.equal(code, 0, stderr);
    const changes = ups().filter((tick, i, all) => tick !== all[i - 1]);
    assert.deepEqual(changes, [`nim ${first}`, both, `nim ${third}`, `vllm ${third}`]);
    assert.equal(stderr.match(/nim\.yaml:3:1: cannot/g)?.length, 1, stderr);
    assert.equal(stderr.match(/nim\.yaml: its last good version stays in force/g)?.length, 1);
  });

  test('a file that cannot be read: as if SSM did not answer, what was read before stays in force', async (context) => {
    const directory = await temporaryDirectory(context);
    const { address } = await startNim(context);
    await save(join(directory, 'nim.yaml'), yaml(address));
    const args = ['run', '--config', directory, '--interval', '200ms', '-o', 'json', '--dry-run'];
    const child = startCli(args);
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
    const ticks = () => said.stdout.match(/"name":"up"/g)?.length ?? 0;
    await until(() => ticks() > 0, child.ended);
    await rm(join(directory, 'nim.yaml'));
    await symlink(join(directory, 'nowhere'), join(directory, 'nim.yaml'));
    await until(() => said.stderr.includes('cannot read'), child.ended);
    const before = ticks();
    await until(() => ticks() >= before + 2, child.ended);
    await rm(join(directory, 'nim.yaml'));
    await save(join(directory, 'nim.yaml'), yaml(address));
    const after = ticks();
    await until(() => ticks() >= after + 2, child.ended);
    child.kill('SIGINT');
    const { code, stderr } = await child.ended;
    assert.equal(code, 0, stderr);
    assert.equal(stderr.match(/\(what was read before stays in force\)/g)?.length, 1, stderr);
  });

  test('more targets than one deployment scrapes: said once', async (context) => {
    const file = join(await temporaryDirectory(context), 'nim');
    await writeFile(file, Array.from({ length: 151 }, (_, i) => `127.0.0.1:${20_000 + i}`).join(' '));
    const { code, stderr } = await cli(
      'run',
      '--config',
      file,
      '--count',
      '3',
      '--interval',
      '100ms',
      '--dry-run',
    );
    assert.equal(code, 1);
    assert.equal(stderr.match(/^cannot scrape 1 of 151 targets: /gm)?.length, 1);
  });

  test('a removed file: what its target owes is still sent, though nobody is scraped', async (context) => {
    const directory = await temporaryDirectory(context);
    const started = Date.now() / 1000 - 60;
    const page = `process_start_time_seconds ${started}\n# TYPE requests counter\nrequests_total 5\n`;
    const gone = await startNim(context, () => page);
    const stays = await startNim(context);
    await writeFile(join(directory, 'gone'), gone.address);
    await writeFile(join(directory, 'stays'), stays.address);
    const state = ['--state', join(directory, '.state'), '--config', directory, '--once', '-o', 'json'];
    const receiver = await startReceiver({ answer: () => ({ status: 401 }) });
    context.after(receiver.close);
    const refused = await cli('run', ...state, '--endpoint', receiver.endpoint);
    assert.equal(refused.code, 1);
    await rm(join(directory, 'gone'));
    const ended = await cli('run', ...state);
    assert.equal(ended.code, 0, ended.stderr);
    const sent = pointsOf(ended).find(({ name }) => name === 'requests_total' || name === 'requests');
    assert.deepEqual([sent?.value, sent?.attributes['service.instance.id']], [5, gone.address], ended.stdout);
    assert.equal(gone.scrapes(), 1);
  });
});

test('a job of a longer interval is scraped at its own; the tick is the shortest one', async (context) => {
  const file = join(await temporaryDirectory(context), 'prometheus.yml');
  const [fast, slow] = await Promise.all([startNim(context), startNim(context)]);
  await writeFile(
    file,
    `scrape_configs:
  - {job_name: fast, scrape_interval: 1s, static_configs: [{targets: ['${fast?.address}']}]}
  - {job_name: slow, scrape_interval: 1h, static_configs: [{targets: ['${slow?.address}']}]}
`,
  );
  const ended = await cli('run', '--config', file, '--count', '3', '-o', 'json', '--dry-run');
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stderr, /^a tick every 1s: /m);
  // An hour's grid point may lie between two of the ticks.
  assert.equal(fast?.scrapes(), 3);
  assert((slow?.scrapes() ?? 0) <= 2);
  const ticks = [...new Set(pointsOf(ended).map(({ tick }) => Date.parse(tick)))];
  assert.deepEqual(
    ticks.map((tick) => tick - (ticks[0] ?? 0)),
    [0, 1_000, 2_000],
  );
});

describe('ticks keep their distance', () => {
  const last = { tickMs: 1_000_000, intervalMs: 5_000 };
  for (const [what, nowMs, expected] of [
    ['the run before was short', 1_000_300, 1_005_000],
    ['it took the whole interval', 1_005_000, 1_005_000],
    ['it took a little longer', 1_005_001, 1_010_000],
    ['two were missed', 1_014_000, 1_015_000],
    ['the clock was set back', 900_000, 1_005_000],
  ] as const) {
    test(what, () => assert.equal(nextTick(last, nowMs), expected));
  }
  test('the first one is now', () => assert.equal(nextTick(undefined, 1_234), 1_234));
});
