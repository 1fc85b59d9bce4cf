import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { parseExposition } from '../../functions/core/exposition.ts';
import { MAX_LABELS } from '../../functions/core/series-text.ts';
import { createSeriesTable } from '../../functions/core/series.ts';
import { pageOf, printMetadata, printSamples } from './notation.ts';

/** A page -> its samples in one line. */
function f(input: string, want: string): void {
  assert.equal(printSamples(input), want, JSON.stringify(input));
}

/** Comment lines -> `family type "help" unit`. */
function comments(input: string, want: string): void {
  assert.equal(printMetadata(input), want, JSON.stringify(input));
}

function exposedGc(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

describe('sample lines', () => {
  test('name, labels, value', () => {
    f('a 1\n', 'a 1');
    f('a{b="1"} 2\nc 3\n', 'a{b="1"} 2; c 3');
    f('vllm:a{engine="0"} 1\n', 'vllm:a{engine="0"} 1');
    f('a{} 1\n', 'a 1');
    f('a{b="",c="x"} 1\n', 'a{c="x"} 1');
    f('a{c="1",b="2"} 1\n', 'a{b="2",c="1"} 1');
    f('{"a"} 1\n{"a b","c.d"="x"} 2\n', 'a 1; {"a b","c.d"="x"} 2');
    f('a{b="}{,=# 5"} 1\n', 'a{b="}{,=# 5"} 1');
  });

  test('blanks: spaces and tabs, wherever the format allows them and a little beyond', () => {
    f('a\t{\tb\t=\t"1"\t,\tc = "2" , }\t3.0\t4\t\n', 'a{b="1",c="2"} 3');
    f('  a   1   \n\t\ta{b="1"}\t2\n', 'a 1; a{b="1"} 2');
    f('a{b="1"}2\n', 'a{b="1"} 2'); // as Prometheus
    f('\n \n\t\na 1\n\n', 'a 1');
  });

  test('line ends', () => {
    f('a 1\r\nb{c="1"} 2 3\r\n\r\n', 'a 1; b{c="1"} 2');
    f('# TYPE a counter\r\na 1\r\n# EOF\r\n', 'a 1');
    f('a 1\rb 2\nc 3\n', 'c 3; refused 1: a'); // a lone carriage return ends no line
    f('a 1\r\r\nc 3\n', 'c 3; refused 1: a');
  });

  test('numbers', () => {
    f('a 1.15891634176e+011\nb -0\nc 9007199254740993\n', 'a 115891634176; b -0; c 9007199254740992');
    f('a NaN\nb +Inf\nc -inf\nd nan\n', 'a NaN; b Infinity; c -Infinity; d NaN');
    f('a 1\nb 0x1p-2\nc 1_000\nd 1,5\n', 'a 1; refused 3: b,c,d');
  });

  test('timestamps, in ms or in the seconds of OpenMetrics, are read past', () => {
    f('a 1 1767225600000\nb 2 -1\nc 3 1767225600.123\n', 'a 1; b 2; c 3');
    f('a 1 soon\nb 1\n', 'b 1; refused 1: a');
    f('a 1 2 3\nb 1\n', 'b 1; refused 1: a');
  });

  test('exemplars are read past', () => {
    f('a 1 # {trace_id="}"} 0.5\nb 2 3 # {} 0.5 1767225600.1\n# EOF\n', 'a 1; b 2');
    f('a 1#\nb 2\n', 'b 2; refused 1: a');
  });

  test('a series that stands twice is left to the grouping', () => f('a 1\na 2\n', 'a 1; a 2'));
});

describe('the end of the page', () => {
  test('a line end is not needed where HTTP told the end', () => {
    f('a 1\nb 2', 'a 1; b 2');
    f('a 1\n# HELP b', 'a 1');
  });

  test('where it did not: the last line may be cut, and more may be missing', () => {
    const cut = (text: string, want: string): void =>
      assert.equal(printSamples(text, undefined, false), want);
    cut('a 1\nb 2', 'a 1; refused 1: b; not whole: *');
    cut('a 1\n# HELP b', 'a 1; not whole: *');
    cut('a 1\nb{c="', 'a 1; refused 1: b; not whole: *');
    cut('a 1\nb 2\n', 'a 1; b 2; not whole: *');
    cut('a 1\n# EOF\n', 'a 1');
    cut('a 1\n# EOF', 'a 1');
  });

  test('an OpenMetrics page says itself that it is whole', () => {
    f('a 1\n# EOF\n', 'a 1');
    f('a 1\n# EOF', 'a 1'); // OpenMetrics 1.0: the last line feed is optional
    f('# EOF', '');
    assert.equal(pageOf('a 1\n# EOF\n').format, 'openmetrics');
    assert.equal(pageOf('a 1\n# EOF\n\n').format, 'openmetrics');
    assert.equal(pageOf('a 1\n## EOF\n').format, 'text');
    assert.equal(pageOf('# EOF\na 1\n').format, 'text');
    assert.equal(printSamples('a 1\n# EO', undefined, false), 'a 1; not whole: *');
  });

  test('an empty page is a page', () => {
    f('', '');
    f('\n', '');
    f('# a comment\n', '');
    f('# TYPE a counter\n', '');
    f('\ufeffa 1\n', 'a 1');
  });
});

describe('comment lines', () => {
  test('TYPE, HELP and UNIT in any order, with and without samples', () => {
    comments('# HELP a Some help.\n# TYPE a counter\na 1\n', 'a counter "Some help."');
    comments('# TYPE a gauge\n# UNIT a seconds\n# HELP a h\n', 'a gauge "h" seconds');
    comments('# HELP a h\na 1\n', 'a "h"');
    comments('# TYPE a counter\n# TYPE b gauge\n', 'a counter; b gauge');
    comments('a_total 1\n# TYPE a_total counter\n', 'a_total counter');
    comments('# TYPE a counter\n# TYPE a gauge\n', 'a counter'); // the first one counts
  });

  test('every type, in any case', () => {
    comments(
      '# TYPE a counter\n# TYPE b GAUGE\n# TYPE c histogram\n# TYPE d summary\n# TYPE e untyped\n# TYPE f unknown\n' +
        '# TYPE g info\n# TYPE h stateset\n# TYPE i gaugehistogram\n',
      'a counter; b gauge; c histogram; d summary; e unknown; f unknown; g info; h stateset; i gaugehistogram',
    );
  });

  test('names with colons and quoted names', () => {
    comments('# TYPE vllm:a counter\n', 'vllm:a counter');
    comments('# TYPE "a b" counter\n# HELP "a b" h\n', 'a b counter "h"');
    comments('# TYPE "a\\"b" counter\n', 'a"b counter');
  });

  test('blanks', () => {
    comments('#\tTYPE\ta \t counter \t\n#HELP a  two  blanks  \r\n', 'a counter "two  blanks"');
  });

  test('HELP escapes', () => {
    comments('# HELP a 1\\n2 \\\\ \\"q\\" "q" \\x \\\n', 'a "1\\n2 \\\\ \\"q\\" \\"q\\" \\\\x \\\\"');
    comments('# HELP a C:\\\\"dir"\n', 'a "C:\\\\\\"dir\\""');
    comments('# HELP a\n# HELP b \n', 'a; b');
  });

  test('free comments mean nothing', () => {
    f('# EOF\n#\n##\n#a 1\n# TYPES a counter\n# type a counter\n# HELPER\na 1\n', 'a 1');
    comments('# TYPES a counter\n# type a counter\n# HELPER\n# TYPE\n# TYPE \na 1\n', '');
  });

  test('a TYPE that cannot be read is a refused line: its family is not whole', () => {
    f('# TYPE a countre\na 1\n', 'a 1; refused 1: a');
    f('# TYPE a\na 1\n', 'a 1; refused 1: a');
    f('# TYPE a counter counter\na 1\n', 'a 1; refused 1: a');
  });
});

describe('malformed lines', () => {
  test('cost that line only, and name its family', () => {
    for (const line of [
      'b',
      'b ',
      'b{',
      'b{c',
      'b{c=',
      'b{c="',
      'b{c="1',
      'b{c="1"',
      'b{c="1\\',
      'b{c="1"}',
      'b{c="1"} ',
      'b{c="1"} x',
      'b{c=1} 1',
      'b{c="1" d="2"} 1',
      'b{c="1",,} 1',
      'b{c="1",c="2"} 1',
      'b} 1',
      'b"c" 1',
      'b-1',
      'b.5 7', // no blank behind the name: not b with the value 0.5
      'b[0] 1',
      'b one',
      'b = 1',
      'b 1 x',
      'b 1 2 3',
      'b 1;',
      'b\u00a01',
    ]) {
      f(`a 1\n${line}\nc 3\n`, 'a 1; c 3; refused 1: b');
      f(`# TYPE d counter\nd 1\n${line}\nc{x="}"} 3\n`, 'd 1; c{x="}"} 3; refused 1: b,d');
    }
  });

  test('whose name is not there: the family of the last comment, or all', () => {
    for (const line of ['{} 1', '{b="1"} 1', '9 1', '"b" 1', 'é 1', '=', '}', '- 1', '<p>1</p>']) {
      f(`a 1\n${line}\nc 3\n`, 'a 1; c 3; refused 1: ; not whole: *');
      f(`# TYPE d counter\nd 1\n${line}\nc 3\n`, 'd 1; c 3; refused 1: d');
    }
  });

  test('a quoted name names it too', () => f('{"b c",} x\na 1\n', 'a 1; refused 1: b c'));

  test('a label value with a raw line end is two malformed lines', () => {
    f('a{b="1\n2"} 3\nc 4\n', 'c 4; refused 2: a; not whole: *');
  });

  test('a backslash hides no line end', () => {
    f('a{b="1\\\nc{d="} 1"} 4\ne 5\n', 'c{d="} 1"} 4; e 5; refused 1: a');
  });

  test('are counted, the first few with their cause', () => {
    const { count, examples } = pageOf(`a 1\n\n${'b\n'.repeat(7)}`).refused;
    assert.equal(count, 7);
    assert.deepEqual(
      examples.map(({ line }) => line),
      [3, 4, 5, 6, 7],
    );
    assert.equal(pageOf('a 1\nb x\n').refused.examples[0]?.cause, 'no number');
    assert.equal(pageOf('a 1\nb 1 x\n').refused.examples[0]?.cause, 'text after the value');
    assert.equal(pageOf('a 1\nb{ 1\n').refused.examples[0]?.cause, 'no closing }');
  });

  test('bad UTF-8 stays within its label value', () => {
    const body = Uint8Array.from([...Buffer.from('a{b="'), 0xff, 0xc3, ...Buffer.from('"} 1\nc 2\n')]);
    assert.deepEqual(
      pageOf(body).series.map(({ key }) => key),
      ['a{b="\ufffd\ufffd"}', 'c'],
    );
  });
});

describe('limits', () => {
  const parse = (text: string, limit: number) =>
    parseExposition(new TextEncoder().encode(text), createSeriesTable(), limit);

  test('samples: at the bound a page, one past it none', () => {
    assert.equal(parse('a 1\nb x\n# c\na 2\n', 2).code, 'page');
    assert.deepEqual(parse('a 1\na 2\na 3\n', 2), {
      code: 'sample_limit',
      message: 'cannot read the page: more than 2 samples; let the server show fewer',
    });
  });

  test('labels and text of one series', () => {
    const labelled = (count: number): string =>
      `a{${Array.from({ length: count }, (_, i) => `b${i}="1"`).join()}} 1\n`;
    assert.equal(pageOf(`${labelled(MAX_LABELS)}c 1\n`).values.length, 2);
    f(`${labelled(MAX_LABELS + 1)}c 1\n`, 'c 1; refused 1: a');
    f(`a{b="${'x'.repeat(40_000)}"} 1\nc 1\n`, 'c 1; refused 1: a');
  });
});

describe('what is no exposition page', () => {
  const refusal = (body: string | Uint8Array): string => {
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
    const parsed = parseExposition(bytes, createSeriesTable(), 100);
    assert(parsed.code === 'not_exposition', `read as ${parsed.code}`);
    return parsed.message;
  };

  test('the message names the likely mistake', () => {
    assert.match(refusal('<!DOCTYPE html>\n<html><body>Not here</body></html>\n'), /HTML page; .*port and/);
    assert.match(refusal('\n  <html>\nError 404\n</html>\n'), /HTML page/); // its second line reads as a sample
    assert.match(refusal('# a comment\n<html>\n'), /HTML page/);
    assert.match(refusal('{"detail":"Not Found"}'), /JSON document/);
    assert.match(refusal('\n[1, 2]\n'), /JSON document/);
    assert.match(refusal('{\n  "object": "list",\n  "data": []\n}\n'), /JSON document/);
    assert.match(refusal(gzipSync('a 1\n')), /gzip without a Content-Encoding/);
    assert.match(refusal(Uint8Array.of(12, 10, 1, 97, 24, 0)), /binary; ask this address for text\/plain/);
    assert.match(refusal('404 page not found\n'), /line 1: no metric name; is this the address and path/);
    assert.match(refusal('\nOK'), /line 2: no number/);
    assert.match(refusal('Internal Server Error\n'), /line 1: no number/);
  });
});

describe('the series table', () => {
  test('the same page twice: the same objects', () => {
    const table = createSeriesTable();
    const page = 'a 1\na{b="1"} 2\n{"c d"} 3\n';
    const first = pageOf(page, table).series;
    const again = pageOf(page.replaceAll(/\d\n/g, '7\n'), table).series;
    assert.equal(first.length, 3);
    first.forEach((series, i) => assert.equal(series, again[i]));
    assert.equal(table.byKey.size, 3);
  });

  test('the same series in another writing: the same object', () => {
    const page = 'a{b="1",c="2"} 1\na {c="2", b="1",} 2\n{"a",b="1",c="2"} 3\n';
    const [first, second, third] = pageOf(page).series;
    assert.equal(first, second);
    assert.equal(first, third);
  });

  test('a label with an empty value is none, and is remembered for honor_labels', () => {
    const [first, second, third] = pageOf('a{b="1"} 1\na{d="",b="1",c=""} 2\na{c="",d="",b="1"} 3\n').series;
    assert.deepEqual(second, { ...first, emptied: ['c', 'd'] });
    assert.equal(second, third);
  });

  test('keeps no page alive', () => {
    const gc = exposedGc();
    const table = createSeriesTable();
    const pad = `# ${'x'.repeat(200_000)}\n`;
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 300; i++) pageOf(`a{adapter="a-value-long-enough-${i}"} 1\n${pad}`, table);
    gc();
    const keptBytes = process.memoryUsage().heapUsed - before;
    assert.equal(table.byKey.size, 300);
    assert(keptBytes < 20_000_000, `${keptBytes} bytes of 60 MB of pages are still there`);
  });

  test('what stood on earlier pages never shows', () => {
    const pages = [
      'foo 1\nfoo_bar 1\nfoo{a="1"} 1\nfoo {a="1"} 1\n',
      'foo 1\nfoo{a="1"} 1\nfoo_bar 1\n',
      'foo 1\nfoo {a="1"} 1\nfoo 2\n',
      'foo_bar 1\nfoo 1\n',
      'foo{a="1"} 1\nfoo{a="1",b="2"} 1\nfoo{a="12"} 1\nfoo\t2\n',
      'foo{a="1"}1\nfoo-1\nfoo x\nfoo\nfoo{\nfoo 1\n',
      'foo 1\nfoox 1\n',
      'foo 1\nfoo é\nfooé 1\nfoo_ 1\n',
    ];
    const table = createSeriesTable();
    for (const before of pages) {
      for (const page of pages) {
        printSamples(before, table);
        assert.equal(printSamples(page, table), printSamples(page), `${before}then\n${page}`);
      }
    }
  });
});
