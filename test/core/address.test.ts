import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_KEY_LENGTH, readAddress } from '../../functions/core/config/address.ts';
import { readDocuments } from '../../functions/core/config/documents.ts';
import { targetsOfJob, withoutTwins } from '../../functions/core/job-targets.ts';

/** `job instance url` of each target; what is wrong, beside it. */
function read(...documents: readonly (readonly [name: string, value: string])[]) {
  const { configs, problems } = readDocuments(
    documents.map(([name, value]) => ({ name: `/prefix/targets/${name}`, value })),
  );
  const { targets } = withoutTwins(configs.map((config) => targetsOfJob(config, config.staticConfigs, [])));
  return {
    targets: targets.map(
      ({ job, instance, scheme, address, path, params }) =>
        `${job} ${instance} ${scheme}://${address}${path}${params.map(([name, value]) => ` ${name}=${value}`).join('')}`,
    ),
    problems: problems.map(
      ({ document, message }) => `${document.replace('/prefix/targets/', '')}: ${message}`,
    ),
  };
}

describe('an address', () => {
  for (const [text, target] of [
    ['10.0.1.17:8000', '10.0.1.17:8000 http://10.0.1.17:8000'],
    ['10.0.1.17', '10.0.1.17 http://10.0.1.17'],
    ['nim:8000', 'nim:8000 http://nim:8000'],
    [
      'nim-0.nim.llm.svc.cluster.local:8000',
      'nim-0.nim.llm.svc.cluster.local:8000 http://nim-0.nim.llm.svc.cluster.local:8000',
    ],
    ['my_nim:1', 'my_nim:1 http://my_nim:1'],
    ['nim:65535', 'nim:65535 http://nim:65535'],
    ['[::1]:8000', '[::1]:8000 http://[::1]:8000'],
    ['[2001:db8::17]', '[2001:db8::17] http://[2001:db8::17]'],
    ['http://nim:8000', 'nim:8000 http://nim:8000'],
    ['https://nim.example.com', 'nim.example.com https://nim.example.com'],
    ['https://[2001:db8::17]:8443/metrics', '[2001:db8::17]:8443 https://[2001:db8::17]:8443/metrics'],
    ['nim:8000/', 'nim:8000 http://nim:8000'],
    ['http://nim:8000/', 'nim:8000 http://nim:8000'],
    ['nim:8000/v1/metrics', 'nim:8000 http://nim:8000/v1/metrics'],
    ['nim:8000/v1/metrics/', 'nim:8000 http://nim:8000/v1/metrics/'],
    ['nim:8000/a/../metrics', 'nim:8000 http://nim:8000/metrics'],
    ['nim:8000/metrics?a=1&b=x%20y&a=2', 'nim:8000 http://nim:8000/metrics a=1 a=2 b=x y'],
    ['nim:8000?a=b/c', 'nim:8000 http://nim:8000 a=b/c'],
  ] as const) {
    test(`${text} is a target`, () => {
      assert.deepEqual(read(['nim', text]), { targets: [`nim ${target}`], problems: [] });
    });
  }

  for (const text of [
    'nim:0',
    'nim:65536',
    'nim:999999',
    'nim:',
    ':8000',
    'nim:eight',
    'nim:8000:8000',
    '::1',
    '2001:db8::17',
    '[::1',
    '[nim]:8000',
    '[::g]:8000',
    '256.0.0.1:8000',
    '-',
    '/metrics',
    'http://',
    'http:///metrics',
    'http:nim:8000',
    'ftp://nim:8000',
    'HTTP://nim:8000',
    'nim:8000#part',
    'nim%zz:8000',
    'näm:8000',
    '{"targets":["10.0.1.17:8000"]}',
    '"10.0.1.17:8000"',
  ]) {
    test(`${text} is none`, () => {
      assert.equal(
        readAddress(text, 'nim'),
        `cannot read the address ${JSON.stringify(text)}: it is no host and port; ` +
          'write host:port, or http(s)://host:port/path',
      );
    });
  }

  test('user information is refused and never printed', () => {
    for (const text of [
      'planted:planted@nim:8000',
      'http://planted@nim:8000',
      'https://planted:pl/anted@nim:8000/metrics',
      'ftp://planted:planted@nim',
      'nim:0/@planted',
    ]) {
      const { targets, problems } = read(['nim', text]);
      assert.deepEqual(targets, []);
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? '', /it holds a user name or password; write host:port/);
      assert.doesNotMatch(problems[0] ?? '', /plant|anted/);
    }
  });

  test('a message quotes 80 characters at most', () => {
    const message = readAddress(`${'x'.repeat(80)}tail:port`, 'nim');
    assert.ok(typeof message === 'string' && message.includes(`"${'x'.repeat(80)}"`));
  });

  test('a key of 2,048 characters is a target, one more is too long', () => {
    const short = readAddress('nim:8000/', 'nim');
    assert.ok(typeof short === 'object');
    const fill = 'x'.repeat(MAX_KEY_LENGTH - short.key.length - 1);
    const longest = readAddress(`nim:8000/${fill}`, 'nim');
    assert.ok(typeof longest === 'object');
    assert.equal(longest.key.length, MAX_KEY_LENGTH);
    const over = readAddress(`nim:8000/${fill}x`, 'nim');
    assert.ok(typeof over === 'string');
    assert.match(over, /: it is too long; shorten its path and query$/);
  });
});

describe('the same target', () => {
  test('twice in a document, or in two documents of one job, is scraped once', () => {
    assert.deepEqual(read(['nim', 'a:1 http://a:1 a:1/']), { targets: ['nim a:1 http://a:1'], problems: [] });
    assert.deepEqual(read(['x/nim', 'a:1'], ['y/nim', 'a:1 b:2']), {
      targets: ['nim a:1 http://a:1', 'nim b:2 http://b:2'],
      problems: [],
    });
  });

  test('in two jobs is two targets', () => {
    assert.deepEqual(read(['one', 'a:1'], ['two', 'a:1']).targets, [
      'one a:1 http://a:1',
      'two a:1 http://a:1',
    ]);
  });

  test('with another path, scheme or query in the same job would be added up in Dynatrace: refused', () => {
    for (const other of ['a:1/metrics', 'https://a:1', 'a:1?x=1']) {
      for (const { targets, problems } of [
        read(['nim', `a:1 ${other}`]),
        read(['x/nim', 'a:1'], ['y/nim', other]),
      ]) {
        assert.deepEqual(targets, ['nim a:1 http://a:1']);
        assert.equal(problems.length, 1);
        assert.match(
          problems[0] ?? '',
          /cannot scrape a:1 twice in the job nim: .+; give one of them a document of its own$/,
        );
      }
    }
    assert.equal(read(['one', 'a:1'], ['two', 'a:1/metrics']).targets.length, 2);
  });
});
