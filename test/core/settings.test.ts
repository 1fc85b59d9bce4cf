import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  MAX_KEY_LENGTH,
  MAX_PROBLEMS_PER_DOCUMENT,
  readAddress,
  readDocuments,
} from '../../functions/core/settings.ts';

/** `job instance url` of each target; what is wrong, beside it. */
function read(...documents: readonly (readonly [name: string, value: string])[]) {
  const { targets, problems } = readDocuments(
    documents.map(([name, value]) => ({ name: `/prefix/targets/${name}`, value })),
  );
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
    ['nim:8000/metrics?a=1&b=x%20y&a=2', 'nim:8000 http://nim:8000/metrics a=1 b=x y a=2'],
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

describe('a document', () => {
  test('separates addresses by blanks, commas and new lines, in any number', () => {
    for (const text of ['a:1 b:2', 'a:1,b:2', 'a:1\nb:2', ' \n, a:1 ,\r\n\t b:2,, \n']) {
      assert.deepEqual(read(['nim', text]), {
        targets: ['nim a:1 http://a:1', 'nim b:2 http://b:2'],
        problems: [],
      });
    }
  });

  test('may be empty', () => {
    for (const text of ['', ' ', ',\n,'])
      assert.deepEqual(read(['nim', text]), { targets: [], problems: [] });
    assert.deepEqual(readDocuments([]), { targets: [], problems: [] });
  });

  test('names its job by the last part of its own name', () => {
    assert.deepEqual(read(['a', 'x:1'], ['deep/er/b', 'x:1']).targets, [
      'a x:1 http://x:1',
      'b x:1 http://x:1',
    ]);
  });

  test('is read as far as it can be', () => {
    const { targets, problems } = read(['nim', 'a:1 b:0 c:3'], ['bad', '???'], ['good', 'd:4']);
    assert.deepEqual(targets, ['nim a:1 http://a:1', 'nim c:3 http://c:3', 'good d:4 http://d:4']);
    assert.deepEqual(
      problems.map((problem) => problem.split(': ').slice(0, 2)),
      [
        ['nim', 'cannot read the address "b:0"'],
        ['bad', 'cannot read the address "???"'],
      ],
    );
  });

  test(`has up to ${MAX_PROBLEMS_PER_DOCUMENT} problems named`, () => {
    const bad = (n: number) => Array.from({ length: n }, (_, i) => `x:${70_000 + i}`).join(' ');
    assert.equal(read(['nim', bad(MAX_PROBLEMS_PER_DOCUMENT)]).problems.length, MAX_PROBLEMS_PER_DOCUMENT);
    const { problems } = read(['nim', bad(MAX_PROBLEMS_PER_DOCUMENT + 1)], ['other', bad(1)]);
    assert.equal(problems.length, MAX_PROBLEMS_PER_DOCUMENT + 1);
    assert.match(problems.at(-1) ?? '', /^other: /);
  });

  test('of YAML gives one message and no target, though every word of it passes for a host', () => {
    for (const text of [
      'scrape_configs:\n- job_name: nim\n  static_configs:\n  - targets: [10.0.1.17:8000]\n',
      'job_name: nim\nstatic_configs:\n  - targets:\n      - 10.0.1.17:8000\n',
      'nim: 8000',
    ]) {
      assert.deepEqual(read(['nim', text]), {
        targets: [],
        problems: [
          'nim: cannot read the document: it is YAML, not a list; write addresses, such as 10.0.1.17:8000 10.0.1.18:8000',
        ],
      });
    }
  });

  test('as a list of YAML or JSON keeps the addresses that it can and names what is none', () => {
    assert.deepEqual(read(['nim', '- a:1\n- b:2\n']).targets, ['nim a:1 http://a:1', 'nim b:2 http://b:2']);
    assert.equal(read(['nim', '- a:1\n- b:2\n']).problems.length, 2);
    assert.deepEqual(read(['nim', '["a:1", "b:2"]']).targets, []);
    assert.equal(read(['nim', '["a:1", "b:2"]']).problems.length, 2);
  });

  test('that is a SecureString is cipher text: one message, no target, nothing of it printed', () => {
    const name = '/prefix/targets/nim';
    const secure = readDocuments([{ name, value: 'AQICAHplanted', type: 'SecureString' }]);
    assert.deepEqual(secure, {
      targets: [],
      problems: [
        {
          document: name,
          message:
            'cannot read the document: it is a SecureString; store it as a String, addresses are no secret',
        },
      ],
    });
    for (const type of ['String', 'StringList'] as const) {
      assert.equal(readDocuments([{ name, value: 'a:1,b:2', type }]).targets.length, 2);
    }
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
    const { targets } = readDocuments([
      { name: '/p/one', value: 'a:1' },
      { name: '/p/two', value: 'a:1' },
    ]);
    assert.equal(new Set(targets.map(({ key }) => key)).size, 2);
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
