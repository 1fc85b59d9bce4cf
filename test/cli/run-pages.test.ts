/** The pages of test/pages, and some worse ones, through the command: what arrives is what a second reader reads. */
import { strict as assert } from 'node:assert';
import { readFileSync, readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type Receiver, startReceiver } from '../../functions/cli/world/receiver.ts';
import { type Ended, cli, pointsOf, targetArgs } from './harness.ts';
import { keyOf, readPage } from './page-reader.ts';
import { type PageServer, startPageServer } from './page-server.ts';
import { byKey, moved, totalsOfLines } from './scripted-process.ts';

const DIRECTORY = new URL('../pages/', import.meta.url);

const PAGES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    readdirSync(DIRECTORY)
      .filter((name) => name.endsWith('.prom'))
      .map((name) => [name, readFileSync(new URL(name, DIRECTORY), 'utf8')]),
  ),
  'CRLF line ends': '# TYPE a_total counter\r\na_total{x="1"} 5\r\n# TYPE b gauge\r\nbb 7\r\n',
  'blanks, timestamps, empty labels':
    '# TYPE a_total counter\na_total{x = "1" , y="" , } 5 1767225600000\n\n  \nbb{} 7\nccc\t8\n',
  'comments of other kinds': '#\n# a word\n#TYPEWRITER\n# EOFF\nbb 7\n',
  'label values that could mislead a reader': 'bb{x="} 9",y="a=\\"b\\",c",z="# no comment",w="\\\\"} 7\n',
  'numbers of all forms': 'aa 1e3\nbb -0.5\ncc +7\ndd 0x10\nee 1E-9\nff NaN\ngg +Inf\nhh -Inf\n',
  'a histogram without a sample, and one with': `# TYPE h_seconds histogram
h_seconds_bucket{le="0.1"} 0
h_seconds_bucket{le="+Inf"} 0
h_seconds_sum 0
h_seconds_count 0
# TYPE i_seconds histogram
i_seconds_bucket{le="0.1"} 1
i_seconds_bucket{le="1e+01"} 3
i_seconds_bucket{le="+Inf"} 4
i_seconds_sum 99.5
i_seconds_count 4
`,
};

describe('pages', () => {
  const servers = new Map<string, PageServer>();
  let receiver: Receiver;
  let ended: Ended;

  before(async () => {
    receiver = await startReceiver();
    for (const [name, page] of Object.entries(PAGES))
      servers.set(name, await startPageServer(knownThen(page)));
    const addresses = [...servers.values()].map(({ address }) => address);
    const args = ['--count', '2', '--interval', '100ms', '-o', 'json', '--endpoint', receiver.endpoint];
    ended = await cli('run', ...args, ...targetArgs(addresses));
  });

  after(async () => {
    await receiver.close();
    for (const server of servers.values()) await server.close();
  });

  test('exit code 0, and Dynatrace has nothing to object to', () => {
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual(receiver.violations, []);
  });

  for (const [name, page] of Object.entries(PAGES)) {
    test(name, () => {
      const expected = readPage(page);
      const { address } = servers.get(name) as PageServer;
      const points = pointsOf(ended).filter(
        ({ attributes }) => attributes['service.instance.id'] === address,
      );
      const second = points.filter(({ tick }) => tick === points.at(-1)?.tick);
      const gauges = second.flatMap(({ type, name: gauge, value, attributes }) => {
        if (type !== 'gauge' || gauge === 'up' || gauge.startsWith('scrape_')) return [];
        const labels = Object.entries(attributes).filter(([key]) => !/^(service|server|url)\./.test(key));
        return [[keyOf(gauge, labels), value] as const];
      });
      assert.deepEqual(Object.fromEntries(gauges), expected.gauges);
      assert.deepEqual(moved(totalsOfLines(second, address)), sorted(expected.increases));
    });
  }
});

/** At first a page that has nothing to count: what the next one shows is then new, and counts from zero (D5). */
function knownThen(page: string): (index: number) => string {
  const known = `ready 1\n${page.endsWith('# EOF\n') ? '# EOF\n' : ''}`;
  return (index) => (index === 0 ? known : page);
}

function sorted(values: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(values).sort(byKey));
}
