/** `nim-to-dynatrace doctor` as a process, against real servers. */
import { strict as assert } from 'node:assert';
import { readFileSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DOCTOR_OPTIONS, readDoctorOptions } from '../../functions/cli/doctor-options.ts';
import { startReceiver } from '../../functions/cli/world/receiver.ts';
import type { Check, Diagnosis, TargetDiagnosis } from '../../functions/core/doctor/checks.ts';
import { MAX_SHARD_TARGETS } from '../../functions/core/work.ts';
import { type Answer, PKI, closedPort, serveHttp } from '../adapters/local-servers.ts';
import { fileOf } from './explained.ts';
import { type Ended, cli, startCli, temporaryDirectory, unfolded } from './harness.ts';

const PUBLIC = 'ST2EY72KQINMH574WMNVI7YN';
const SECRET = 'G3DFPBEJYMODIDAEX454M7YWBUVEFOWKPRVMWFASS64NFH52PX6BNDVFFM572RZM';
const TOKEN = `dt0c01.${PUBLIC}.${SECRET}`;

const NIM_1 = `# TYPE generation_tokens_total counter
generation_tokens_total{model_name="meta/llama"} 7
# TYPE num_requests_running gauge
num_requests_running{model_name="meta/llama"} 1
# TYPE e2e_request_latency_seconds histogram
e2e_request_latency_seconds_bucket{le="1",model_name="meta/llama"} 2
e2e_request_latency_seconds_bucket{le="+Inf",model_name="meta/llama"} 3
e2e_request_latency_seconds_count{model_name="meta/llama"} 3
e2e_request_latency_seconds_sum{model_name="meta/llama"} 4.5
# TYPE python_gc_objects_collected_total counter
python_gc_objects_collected_total{generation="0"} 9
process_start_time_seconds 1.76e9
`;

const NIM_2 = `# TYPE vllm:generation_tokens counter
vllm:generation_tokens_total{engine="0",model_name="m"} 7
vllm:generation_tokens_total{engine="1",model_name="m"} 8
process_start_time_seconds 1.76e9
`;

/** Each path's body; a number: that status. */
function answering(paths: Readonly<Record<string, string | number>>): Answer {
  return ({ url }, response) => {
    const body = paths[url] ?? 404;
    if (typeof body === 'number') response.writeHead(body).end();
    else response.writeHead(200, { 'content-type': 'text/plain' }).end(body);
  };
}

async function doctor(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const ended = await startCli(['doctor', ...args], env).ended;
  for (const part of [SECRET, PUBLIC])
    assert(!`${ended.stdout}${ended.stderr}`.includes(part), 'a token is told');
  return ended;
}

type Line = Diagnosis & {
  readonly sound: boolean;
  readonly cost?: Readonly<Record<string, { readonly pointsPerYear: number }>>;
};

function linesOf({ stdout }: Ended): readonly Line[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function checkOf(line: Line | undefined, name: Check['name']): Check | undefined {
  return line?.checks.find((check) => check.name === name);
}

/** The first diagnosis of `-o json`, its exit code beside it. */
async function diagnosed(...args: readonly string[]) {
  const ended = await doctor([...args, '-o', 'json']);
  return { ...ended, lines: linesOf(ended), target: linesOf(ended)[0] as TargetDiagnosis & Line };
}

describe('a target', { concurrency: 2 }, () => {
  test('a NIM 1.x: who it is, what goes out, what stays, what it costs; exit code 0', async (t) => {
    const server = await serveHttp(
      t,
      answering({
        '/v1/metrics': NIM_1,
        '/v1/health/ready': '{}',
        '/v1/metadata': JSON.stringify({ version: '1.8.2', modelInfo: [] }),
        '/v1/models': JSON.stringify({ object: 'list', data: [{ id: 'meta/llama' }] }),
      }),
    );
    const { code, stdout, stderr } = await doctor([server.address]);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, new RegExp(`^http://${server.address}/v1/metrics\n`));
    for (const line of [
      / {2}ok {7}generation +NIM for LLMs 1\.x 1\.8\.2, meta\/llama: /,
      / {2}ok {7}ready +\/v1\/health\/ready answered 200\n/,
      / {2}ok {7}process +4 looks met one process\n/,
      / {2}generation_tokens_total +counter +\{token\} +1\n/,
      / {2}e2e_request_latency_seconds +histogram +s +1\n/,
      / {2}up +gauge +1 {2}\(added by this product\)\n/,
      /\n {2}stays out\n +\d+ {2}filtered: .*python_gc_objects_collected_total/s,
      / {2}preset default \(as here\) +8 +4,204,800 +6\.31\n/,
      / {2}skipped {2}endpoint +Dynatrace was not checked/,
      /\nready: 0 failed, \d warnings?, \d+ ok\n$/,
    ])
      assert.match(stdout, line);
    assert(stdout.split('\n').every((line) => line.length <= 100));
  });

  test('a NIM 2.x below /metrics, by https with an authority of its own: another name, engines as one', async (t) => {
    const server = await serveHttp(t, answering({ '/metrics': NIM_2 }), PKI.server);
    const url = `https://localhost:${server.port}`;
    const file = join(await temporaryDirectory(t), 'ca.pem');
    await writeFile(file, PKI.ca);
    const trusting = await doctor([url, '-o', 'json'], { NODE_EXTRA_CA_CERTS: file });
    assert.equal(trusting.code, 0, trusting.stdout);
    const [target] = linesOf(trusting) as [TargetDiagnosis & Line];
    assert.deepEqual(
      [target.url, target.sound, checkOf(target, 'tls')?.status],
      [`${url}/metrics`, true, 'ok'],
    );
    assert.equal(target.generation?.code, 'vllm');
    const tokens = target.forecast?.metrics.find(({ name }) => name === 'generation_tokens_total');
    assert.deepEqual([tokens?.series, tokens?.sources], [1, ['vllm:generation_tokens_total']]);

    const refusing = await diagnosed(url);
    assert.equal(refusing.code, 1);
    assert.match(checkOf(refusing.target, 'tls')?.remedy ?? '', /NODE_EXTRA_CA_CERTS/);
  });

  test('a load balancer over two processes', async (t) => {
    const starts = await serveHttp(t, ({ url }, response, nth) => {
      if (url !== '/v1/metrics') return void response.writeHead(404).end();
      response.end(NIM_1.replace('1.76e9', nth % 2 === 0 ? '1.76e9' : '1.77e9'));
    });
    const { code, target } = await diagnosed(starts.address);
    assert.equal(code, 1);
    assert.deepEqual([checkOf(target, 'process')?.status, target.sound], ['failed', false]);
    assert.match(checkOf(target, 'process')?.remedy ?? '', /dns_sd_configs/);
  });

  test('no page: exit code 1, and what to do', async (t) => {
    const server = await serveHttp(t, answering({ '/v1/metrics': '<!doctype html><html></html>' }));
    const { code, stdout } = await doctor([server.address]);
    assert.equal(code, 1);
    assert.match(stdout, / {2}FAILED {3}format +cannot read the page: it is an HTML page\n +-> .+check port/);
    assert.match(stdout, /\nnot ready: 1 failed, 0 warnings, 4 ok\n$/);
  });

  test('not reached: a closed port, a name that does not exist, link-local, https where http is spoken', async (t) => {
    const plain = await serveHttp(t, answering({ '/v1/metrics': NIM_1 }));
    const closed = `127.0.0.1:${await closedPort()}`;
    const urls = [closed, 'http://nim.invalid:8000', '169.254.169.254', `https://${plain.address}`];
    const { code, lines } = await diagnosed(...urls);
    assert.equal(code, 1);
    const failures = lines.map(({ checks }) => checks.find(({ status }) => status === 'failed')?.name);
    assert.deepEqual(failures, ['tcp', 'dns', 'dns', 'tls', undefined]);
    assert.match(checkOf(lines[3], 'tls')?.remedy ?? '', /write http:\/\/127\.0\.0\.1/);
  });

  test('a redirect to another host is not asked beside the page', async (t) => {
    const other = await serveHttp(t, answering({ '/page': NIM_1 }));
    const server = await serveHttp(t, (_, response) => {
      response.writeHead(302, { location: `http://${other.address}/page` }).end();
    });
    assert.equal((await diagnosed(server.address)).code, 0);
    // The page and its further looks; /v1/models and the like are the target's own affair.
    assert.deepEqual(
      other.requests.map(({ url }) => url),
      ['/page', '/page', '/page', '/page'],
    );
  });

  test('replicas that send the same are shown once; what a page says drives no terminal', async (t) => {
    const page = NIM_1.replace('generation="0"', 'generation="evil\u001b[2J"');
    const [one, two] = [
      await serveHttp(t, answering({ '/v1/metrics': page })),
      await serveHttp(t, answering({ '/v1/metrics': page })),
    ];
    const { stdout } = await doctor([one.address, two.address]);
    assert.equal(stdout.split('goes out  ').length, 2);
    assert(stdout.includes(`as of http://${one.address}/v1/metrics`));
    assert(stdout.includes('evil\\u001b[2J') && !stdout.includes('\u001b'));
  });

  test('Ctrl-C ends it at once', async (t) => {
    const asked = Promise.withResolvers<void>();
    const server = await serveHttp(t, () => asked.resolve());
    const running = startCli(['doctor', server.address]);
    await asked.promise;
    running.kill('SIGINT');
    const { signal, stdout } = await running.ended;
    assert.deepEqual([signal, stdout], ['SIGINT', '']);
  });
});

describe('saved pages', { concurrency: 2 }, () => {
  test('nothing is asked; each has its forecast, by preset', async (t) => {
    const file = await fileOf(t, 'nim.prom', NIM_1);
    const { code, target } = await diagnosed('--page', file, '--preset', 'core');
    assert.deepEqual([code, target.url], [0, file]);
    assert.deepEqual(
      target.checks.map(({ name }) => name),
      ['format', 'generation', 'names'],
    );
    const names = target.forecast?.metrics.map(({ name }) => name);
    assert.deepEqual(names, [
      'e2e_request_latency_seconds',
      'generation_tokens_total',
      'num_requests_running',
      'up',
    ]);
    assert.equal(target.cost?.['given']?.pointsPerYear, 4 * 525_600);
  });

  test('NIMs of every generation: no check fails, and no line is too wide', async () => {
    const directory = fileURLToPath(new URL('../pages/nim/', import.meta.url));
    const pages = readdirSync(directory).filter((name) => name.endsWith('.prom'));
    const { code, stdout } = await doctor(pages.flatMap((name) => ['--page', join(directory, name)]));
    assert.deepEqual([code, pages.length], [0, 6]);
    const wide = stdout.split('\n').filter((line) => line.length > 100 && !line.includes(directory));
    assert.deepEqual(wide, []);
  });

  test('no such file, no page', async (t) => {
    const html = await fileOf(t, 'nim.html', '<html></html>');
    const { code, lines } = await diagnosed('--page', html, '--page', `${html}x`);
    assert.equal(code, 1);
    assert.match(checkOf(lines[0], 'format')?.message ?? '', /HTML/);
    assert.match(checkOf(lines[1], 'format')?.message ?? '', /there is no such file/);
  });
});

describe('Dynatrace', { concurrency: 2 }, () => {
  async function dynatraceOf(t: TestContext, token: string) {
    const receiver = await startReceiver({ token: TOKEN });
    t.after(receiver.close);
    const ended = await doctor(['--endpoint', receiver.endpoint, '-o', 'json'], { DT_API_TOKEN: token });
    return { code: ended.code, line: linesOf(ended)[0], receiver };
  }

  test('the right token: let in, and nothing is stored', async (t) => {
    const { code, line, receiver } = await dynatraceOf(t, `${TOKEN}\n`);
    assert.deepEqual([code, line?.kind, checkOf(line, 'ingest')?.status], [0, 'dynatrace', 'ok']);
    assert.deepEqual([receiver.points.length, receiver.requests.map(({ status }) => status)], [0, [200]]);
    assert.equal(checkOf(line, 'token')?.message, 'a classic access token (dt0c01), sent as Api-Token');
  });

  test('another token: exit code 1', async (t) => {
    const { code, line } = await dynatraceOf(t, `dt0c01.${PUBLIC}.${SECRET.slice(0, -1)}A`);
    assert.deepEqual([code, line?.sound, checkOf(line, 'ingest')?.status], [1, false, 'failed']);
  });

  test('an endpoint and a token that cannot be right: both are named, nothing is posted', async () => {
    const ended = await doctor(['--endpoint', `https://abc.live.dynatrace.com/${TOKEN}`, '-o', 'json'], {
      DT_API_TOKEN: `Api-Token ${TOKEN}`,
    });
    const [line] = linesOf(ended);
    const statuses = line?.checks.map(({ name, status }) => `${name} ${status}`);
    assert.deepEqual([ended.code, statuses], [1, ['endpoint failed', 'token failed', 'ingest skipped']]);
  });
});

describe('options', () => {
  const targets = (args: readonly string[]) => {
    const read = readDoctorOptions(args);
    return read.code === 'settings'
      ? read.settings.targets.map(({ address, path }) => address + path)
      : read.code;
  };

  test('host:port and URLs, each once', () => {
    assert.deepEqual(targets(['10.0.1.17:8000', 'https://nim:8443/x', '10.0.1.17:8000']), [
      '10.0.1.17:8000',
      'nim:8443/x',
    ]);
  });

  test('wrong usage: exit code 2, the remedy, nothing on standard output', async () => {
    const wrong: readonly (readonly [args: readonly string[], says: RegExp])[] = [
      [[], /nothing is named; write the URL of a NIM, --page FILE, --endpoint URL or --stack NAME/],
      [['not an address'], /is no host and port/],
      [['http://user:hunter2@nim:8000'], /a user name or password/],
      [['nim:8000', '--preset', 'some'], /--preset some: it is none of core, default, all/],
      [['nim:8000', '-o', 'xml'], /neither table nor json/],
      [['--page', ''], /empty text/],
      [['--nonsense'], /cannot read the options/],
      [['a:1', '--page', 'b', '--endpoint'], /cannot read the options/],
    ];
    for (const [args, says] of wrong) {
      const read = readDoctorOptions(args);
      assert(read.code === 'wrong', args.join(' '));
      assert.match(read.problems.join('\n'), says);
      assert(!read.problems.join('\n').includes('hunter2'));
    }
    const ended = await cli('doctor');
    assert.deepEqual([ended.code, ended.stdout], [2, '']);
  });

  test('as many as one run scrapes, and one more', () => {
    const urls = Array.from({ length: MAX_SHARD_TARGETS + 1 }, (_, i) => `nim-${i}:8000`);
    assert.equal(readDoctorOptions(urls.slice(1)).code, 'settings');
    assert.equal(readDoctorOptions(urls).code, 'wrong');
  });

  test('--help names every option, and the usage names the command', async () => {
    const { code, stdout } = await cli('doctor', '--help');
    assert.equal(code, 0);
    for (const { name, about } of DOCTOR_OPTIONS)
      assert(stdout.includes(`--${name}`) && unfolded(stdout).includes(about));
    assert.match((await cli('--help')).stdout, /^ {2}doctor +check a NIM and Dynatrace/m);
  });
});

describe('docs/doctor.md', () => {
  const text = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8');

  test('has the options of the code', () => {
    const rows = DOCTOR_OPTIONS.map(({ name, short, value, default: preset, about }) => {
      const long = `--${name}${value === undefined ? '' : ` ${value.replaceAll('|', '\\|')}`}`;
      return `| ${short === undefined ? '' : `\`-${short}\`, `}\`${long}\` | ${preset} | ${about} |`;
    });
    assert.deepEqual(
      text.split('\n').filter((line) => /^\| (`-\w`, )?`--/.test(line)),
      rows,
    );
  });

  test('has every check', () => {
    const source = readFileSync(new URL('../../functions/core/doctor/checks.ts', import.meta.url), 'utf8');
    const [union = ''] = /export type CheckName =[^;]+;/.exec(source) ?? [];
    const names = [...union.matchAll(/\| '(\w+)'/g)].map(([, name]) => name as string);
    assert.equal(names.length, 19);
    for (const name of names) assert(text.includes(`| \`${name}\` |`), name);
  });
});
