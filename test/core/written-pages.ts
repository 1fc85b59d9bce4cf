/** Pages from known samples, in every format and in odd but legal writing: what the fuzz tests of the parser read. */
import fc from 'fast-check';
import type { Exposition } from '../../functions/core/exposition.ts';

/** What a line says; `value` as it is written. */
export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: string;
}

/** Only the newer two may quote names; only OpenMetrics has exemplars and ends with `# EOF`. */
export type Format = 'text 0.0.4' | 'text 1.0.0' | 'openmetrics';

/** A page as lines, each with the sample that it carries, if any. */
export interface Line {
  readonly text: string;
  readonly sample?: Sample;
}

// Few letters make names that are prefixes of each other, which is what an interning parser may get wrong.
const legacyName = fc
  .tuple(
    fc.constantFrom('a', 'b', 'foo', 'A', '_', ':'),
    fc.constantFrom('', 'b', '_bar', '1', ':x', '_total'),
  )
  .map((parts) => parts.join(''));
const legacyLabel = fc.constantFrom('a', 'ab', 'b', 'le', 'B', '_', 'engine');
const anyText = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...'ab\\"n\n{}=,# \t\r'.split('')),
    fc.constantFrom('ü', '模', '😀', '\u2028', '\ufeff'),
  ),
  maxLength: 6,
});
const anyName = anyText.filter((text) => text !== '');

const double = fc.double().map((value) => (value === 0 ? 0 : value));
const value = fc.oneof(
  double.map((number) => (Number.isFinite(number) ? String(number) : 'NaN')),
  double.map((number) => (Number.isFinite(number) ? number.toExponential().toUpperCase() : '+Inf')),
  fc.integer().map((integer) => `${integer}.0`),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
  fc.constantFrom(
    '0',
    '-0',
    '+1',
    '.5',
    '1.',
    'Inf',
    '-Inf',
    '+Inf',
    'inf',
    'nan',
    'NaN',
    '1.15891634176e+011',
  ),
);

const sampleOf = (format: Format): fc.Arbitrary<Sample> => {
  const name = format === 'text 0.0.4' ? legacyName : fc.oneof(legacyName, anyName);
  const label = format === 'text 0.0.4' ? legacyLabel : fc.oneof(legacyLabel, anyName);
  const labels = fc.uniqueArray(fc.tuple(label, anyText), { maxLength: 4, selector: ([text]) => text });
  return fc.record({ name, labels: labels.map((pairs) => new Map(pairs)), value });
};

const blanks = fc.constantFrom('', '', '', ' ', '\t', '  \t');
const blank = fc.constantFrom(' ', ' ', ' ', '\t', ' \t ');
const quote = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

/** One sample as a line: quotes where needed and, in the newer formats, also where not. */
function lineOf(format: Format): fc.Arbitrary<Line> {
  const more =
    format === 'text 0.0.4' ? fc.constantFrom('', ' 1767225600000', ' -1') : fc.constantFrom('', ' 1.5');
  const exemplar =
    format === 'openmetrics' ? fc.constantFrom('', ' # {trace_id="}"} 1', ' # {} 1 2.5') : fc.constant('');
  return fc
    .tuple(
      sampleOf(format),
      fc.array(blanks, { minLength: 9, maxLength: 9 }),
      blank,
      fc.boolean(),
      fc.boolean(),
      more,
      exemplar,
    )
    .map(([sample, b, gap, comma, quoteAll, timestamp, exemplarText]) => {
      const mayQuote = format !== 'text 0.0.4' && quoteAll;
      const bareName = /^[a-zA-Z_:][\w:]*$/.test(sample.name) && !mayQuote;
      const inner = [...sample.labels].map(([label, text]) => {
        const bareLabel = /^[a-zA-Z_]\w*$/.test(label) && !mayQuote;
        return `${bareLabel ? label : quote(label)}${b[0]}=${b[1]}${quote(text)}`;
      });
      if (!bareName) inner.unshift(quote(sample.name));
      const braces =
        inner.length === 0 && !comma
          ? ''
          : `${b[2]}{${b[3]}${inner.join(`${b[4]},${b[5]}`)}${comma && inner.length > 0 ? `${b[6]},` : ''}${b[7]}}`;
      const series = `${bareName ? sample.name : ''}${bareName ? braces : braces.trimStart()}`;
      return { text: `${b[8]}${series}${gap}${sample.value}${timestamp}${exemplarText}`, sample };
    });
}

const noise: fc.Arbitrary<Line> = fc
  .constantFrom(
    '',
    ' ',
    '\t',
    '#',
    '# free text',
    '# TYPE a counter',
    '# HELP foo a\\nb',
    '# TYPE "a b" gauge',
    '#\t\t',
  )
  .map((text) => ({ text }));

/** Up to a dozen lines, comments and blank ones among them. */
export const linesOf = (format: Format): fc.Arbitrary<Line[]> =>
  fc.array(fc.oneof({ weight: 5, arbitrary: lineOf(format) }, { weight: 1, arbitrary: noise }), {
    maxLength: 12,
  });

/** All of them. */
export const formats = ['text 0.0.4', 'text 1.0.0', 'openmetrics'] as const;
/** Lines in some format, with either line end. */
export const somePage = fc.constantFrom(...formats).chain((format) =>
  fc.record({
    format: fc.constant(format),
    lines: linesOf(format),
    lineEnd: fc.constantFrom('\n', '\n', '\r\n'),
  }),
);

/** The page as it is sent. */
export function textOf(page: { format: Format; lines: readonly Line[]; lineEnd: string }): string {
  const lines = page.lines.map(({ text }) => text);
  if (page.format === 'openmetrics') lines.push('# EOF');
  return lines.map((line) => line + page.lineEnd).join('');
}

/** What a parse gave, as plain data. */
export function samplesIn(parsed: Exposition): readonly string[] {
  if (parsed.code !== 'page') return [];
  return parsed.page.series.map(({ name, labels }, i) =>
    sampleText(name, labels, parsed.page.values[i] as number),
  );
}

const sampleText = (name: string, labels: readonly string[], number: number): string =>
  JSON.stringify([name, ...labels, Object.is(number, -0) ? '-0' : String(number)]);

/** What a line must give: the oracle. */
function wanted({ name, labels, value: text }: Sample): string {
  const pairs = [...labels].filter(([, label]) => label !== '').sort(([a], [b]) => (a < b ? -1 : 1));
  const number = /inf|nan/i.test(text) ? Number(text.replace(/inf/i, 'Infinity')) : Number(text);
  return sampleText(name, pairs.flat(), number);
}

/** What these lines must give, in their order. */
export const wantedOf = (lines: readonly Line[]): readonly string[] =>
  lines.flatMap(({ sample }) => (sample === undefined ? [] : [wanted(sample)]));
