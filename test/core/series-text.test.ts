import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { MAX_LABELS, readSeriesText, seriesTextEnd } from '../../functions/core/series-text.ts';
import { seriesKey } from '../../functions/core/series.ts';

/** Text -> canonical text, which reads as itself; a malformed text -> `(name) cause`. */
function f(text: string, want: string): void {
  const read = readSeriesText(text);
  if (read.code === 'malformed') return assert.equal(`(${read.name}) ${read.cause}`, want);
  assert.equal(read.end, text.length);
  assert.equal(seriesTextEnd(`${text} 1\n`, 0), text.length);
  const key = seriesKey(read.name, read.labels);
  assert.equal(key, want);
  if (text !== key) f(key, key);
}

describe('readSeriesText', () => {
  test('bare names', () => {
    f('a', 'a');
    f('_a9', '_a9');
    f('vllm:num_requests_running', 'vllm:num_requests_running');
    f(':a:', ':a:');
    f('9a', '() no metric name');
    f('', '() no metric name');
  });

  test('labels are sorted, empty ones are none', () => {
    f('a{}', 'a');
    f('a{b="1"}', 'a{b="1"}');
    f('a{b="1",a="2"}', 'a{a="2",b="1"}');
    f('a{B="1",_="2",b="3",b1="4",a="5"}', 'a{B="1",_="2",a="5",b="3",b1="4"}');
    f('a{b="",c="1"}', 'a{c="1"}');
    f('a{b=""}', 'a');
  });

  test('blanks and a trailing comma', () => {
    f('a {b="1"}', 'a{b="1"}');
    f('a\t{ b\t= "1" ,\tc="2" , }', 'a{b="1",c="2"}');
    f('a{ }', 'a');
    f('a{b="1",}', 'a{b="1"}');
  });

  test('values: escapes, and characters that mean something elsewhere', () => {
    f('a{b="C:\\\\dir"}', 'a{b="C:\\\\dir"}');
    f('a{b="say \\"hi\\""}', 'a{b="say \\"hi\\""}');
    f('a{b="1\\n2"}', 'a{b="1\\n2"}');
    f('a{b="\\\\n"}', 'a{b="\\\\n"}');
    f('a{b="\\x"}', 'a{b="\\\\x"}'); // no escape: the backslash stands for itself
    f('a{b="}{,=#",c="x"}', 'a{b="}{,=#",c="x"}');
    f('a{b="\t 模型 😀"}', 'a{b="\t 模型 😀"}');
  });

  test('quoted names, of the metric and of labels', () => {
    f('{"a"}', 'a');
    f('{ "a" , }', 'a');
    f('{"a b"}', '{"a b"}');
    f('{"a.b","c.d"="1",e="2"}', '{"a.b","c.d"="1",e="2"}');
    f('{"a","b"="1"}', 'a{b="1"}');
    f('a{"b.c"="1"}', 'a{"b.c"="1"}');
    f('a{"b:c"="1"}', 'a{"b:c"="1"}'); // a colon is legal in a metric name only
    f('{"a\\"b\\n"}', '{"a\\"b\\n"}');
    f('{"9"}', '{"9"}');
  });

  test('malformed', () => {
    f('{}', '() no metric name');
    f('{""}', '() no metric name');
    f('{b="1"}', '() no metric name');
    f('a{"b"}', '(a) label b has no value');
    f('{"a","b"}', '(a) label b has no value');
    f('a{b}', '(a) label b has no value');
    f('a{b:c="1"}', '(a) label b has no value');
    f('a{b=1}', '(a) the value of label b is not a quoted string');
    f("a{b='1'}", '(a) the value of label b is not a quoted string');
    f('a{b="1}', '(a) the value of label b is not a quoted string');
    f('a{b=}', '(a) the value of label b is not a quoted string');
    f('a{b="1" c="2"}', '(a) a comma or } was expected');
    f('a{b="1"', '(a) a comma or } was expected');
    f('a{,}', '(a) a label name was expected');
    f('a{b="1",,}', '(a) a label name was expected');
    f('a{1="b"}', '(a) a label name was expected');
    f('a{é="b"}', '(a) a label name was expected');
    f('a{', '(a) a label name was expected');
    f('a{b="1",b="2"}', '(a) a label name stands twice');
    f('a{b="1","b"=""}', '(a) a label name stands twice');
  });

  test('MAX_LABELS', () => {
    const labelled = (count: number): string =>
      `a{${Array.from({ length: count }, (_, i) => `b${1000 + i}="1"`).join()}}`;
    f(labelled(MAX_LABELS), labelled(MAX_LABELS));
    f(labelled(MAX_LABELS + 1), `(a) more than ${MAX_LABELS} labels`);
  });
});

describe('seriesTextEnd', () => {
  const end = (text: string, want: number): void => assert.equal(seriesTextEnd(text, 0), want, text);

  test('behind a bare name', () => {
    end('a 1', 1);
    end('a\t1', 1);
    end('a', 1);
    end('a-1', 1);
  });

  test('behind the brace that closes', () => {
    end('a{} 1', 3);
    end('a {b="}"} 1 # {c="d"}', 9);
    end('a{b="\\"}"} 1', 10);
    end('a{b="\\\\"} 1', 9);
  });

  test('nowhere, if the line ends first', () => {
    end('a{b="1"\n} 1', -1);
    end('a{b="1\n"} 1', -1);
    end('a{b="1\\\n"} 1', -1);
    end('a{', -1);
    end('a{b="\\', -1);
  });
});
