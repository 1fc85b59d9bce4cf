/**
 * Pages made from known samples, in every format and odd but legal writing, must give exactly these samples back;
 * pages damaged afterwards must never fail, and must keep every line that was not touched. A failure prints its
 * seed and path; what was ever found stands in the tables of kept cases.
 */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Exposition, parseExposition } from '../../functions/core/exposition.ts';
import { type SeriesTable, createSeriesTable } from '../../functions/core/series.ts';
import { SAMPLE_LIMIT, printFamilies } from './notation.ts';
import { type Line, formats, linesOf, samplesIn, somePage, textOf, wantedOf } from './written-pages.ts';

const RUNS = 400;

const parse = (text: string, table: SeriesTable = createSeriesTable()): Exposition =>
  parseExposition(new TextEncoder().encode(text), table, SAMPLE_LIMIT);

describe('pages of known samples', () => {
  for (const format of formats) {
    test(`${format}: what was written is read`, () => {
      const page = fc.record({ lines: linesOf(format), lineEnd: fc.constantFrom('\n', '\n', '\r\n') });
      fc.assert(
        fc.property(page, ({ lines, lineEnd }) => {
          const parsed = parse(textOf({ format, lines, lineEnd }));
          assert(parsed.code === 'page');
          assert.deepEqual(samplesIn(parsed), wantedOf(lines));
          assert.deepEqual([parsed.page.refused.count, parsed.page.refused.anywhere], [0, false]);
          for (const { key } of parsed.page.series) {
            const again = parse(`${key} 1\n`);
            assert(again.code === 'page');
            assert.equal(again.page.series[0]?.key, key);
          }
        }),
        { numRuns: RUNS },
      );
    });
  }
});

/** Damage to the text of a page, told in parts of its length, so that it shrinks with the page. */
type Damage =
  | { readonly kind: 'flip'; readonly at: number; readonly to: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'insert'; readonly at: number; readonly line: string };

const part = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const garbage = fc.string({ unit: fc.constantFrom(...'ab1{}"\\=,# \t\r.-éx'.split('')), maxLength: 12 });
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: part, to: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: part }),
  fc.record({ kind: fc.constant('insert' as const), at: part, line: garbage }),
);

/** The damaged body, and how many lines before and after the damage were not touched. */
function inflict(
  lines: readonly string[],
  harm: Damage,
): { body: Uint8Array; before: number; after: number } {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  if (harm.kind === 'insert') {
    const before = Math.floor(harm.at * (lines.length + 1));
    const body = encode([...lines.slice(0, before), `${harm.line}\n`, ...lines.slice(before)].join(''));
    return { body, before, after: lines.length - before };
  }
  const whole = encode(lines.join(''));
  const at = Math.floor(harm.at * whole.length);
  let before = 0;
  let start = 0;
  while (before < lines.length && start + encode(lines[before] as string).length <= at) {
    start += encode(lines[before] as string).length;
    before++;
  }
  if (harm.kind === 'cut') return { body: whole.slice(0, at), before, after: 0 };
  const joined = whole[at] === 10 ? 1 : 0; // without its end, a line takes the next one with it
  if (at < whole.length) whole[at] = harm.to;
  return { body: whole, before, after: Math.max(0, lines.length - before - 1 - joined) };
}

describe('damaged pages', () => {
  const check = (lines: readonly Line[], harm: Damage): void => {
    const { body, before, after } = inflict(
      lines.map(({ text }) => `${text}\n`),
      harm,
    );
    const parsed = parseExposition(body, createSeriesTable(), SAMPLE_LIMIT, harm.kind !== 'cut');
    const kept = wantedOf(lines.slice(0, before));
    const keptAfter = wantedOf(lines.slice(lines.length - after));
    if (parsed.code !== 'page') {
      // Only the very first characters of a body, or nothing that could be read, make it another kind of body.
      const start = new TextDecoder().decode(body).trimStart();
      assert(
        kept.length + keptAfter.length === 0 || start.startsWith('<'),
        'message' in parsed ? parsed.message : '',
      );
      return;
    }
    const got = samplesIn(parsed);
    assert.deepEqual(got.slice(0, kept.length), kept);
    assert.deepEqual(got.slice(got.length - keptAfter.length), keptAfter);
    assert(got.length >= kept.length + keptAfter.length);
    if (harm.kind === 'cut' && body.length > 0 && body.at(-1) !== 10) assert(parsed.page.refused.anywhere);
  };

  test('never throw, and keep what was not touched', () => {
    const lines = fc.constantFrom(...formats).chain((format) => linesOf(format));
    fc.assert(fc.property(lines, damage, check), { numRuns: 6 * RUNS });
  });

  test('any bytes at all never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (body) => {
        assert.match(
          parseExposition(body, createSeriesTable(), SAMPLE_LIMIT).code,
          /^(page|not_exposition)$/,
        );
      }),
      { numRuns: 2 * RUNS },
    );
  });

  const KEPT: readonly (readonly [why: string, lines: readonly Line[], harm: Damage])[] = [
    [
      'a backslash before a line end hid the end of the line',
      [
        { text: 'a{b="x1' },
        { text: 'c{d="} 1"} 4', sample: { name: 'c', labels: new Map([['d', '} 1']]), value: '4' } },
      ],
      { kind: 'flip', at: 0.3, to: 92 },
    ],
  ];
  for (const [why, lines, harm] of KEPT) test(`kept: ${why}`, () => check(lines, harm));
});

describe('what the table saw before', () => {
  const pieces = fc.constantFrom(
    'foo',
    'foo ',
    'foo\t',
    'foo_bar',
    'foo{a="1"}',
    'foo {a="1"}',
    'foo{a="1",}',
    'foo{a="12"}',
    'foo{',
    '{"foo"}',
    'f',
    '',
    ' ',
    'foo{a="1',
    '#',
    'foo{a="1"} 1 2',
    'foo\\',
  );
  const rough = fc
    .array(
      fc.tuple(
        pieces,
        fc.constantFrom('', ' ', '\t'),
        fc.constantFrom('1', '2', 'x', '', '-1', '{', '{a="1"} 1'),
      ),
    )
    .map((lines) => lines.map((line) => `${line.join('')}\n`).join(''));
  const page = fc.oneof(rough, somePage.map(textOf));
  const seen = (parsed: Exposition): unknown => {
    if (parsed.code !== 'page') return parsed;
    const { format, metadata, refused } = parsed.page;
    return { samples: samplesIn(parsed), format, metadata, refused };
  };
  const check = (earlier: readonly string[], text: string): void => {
    const table = createSeriesTable();
    for (const before of earlier) parse(before, table);
    const warm = parse(text, table);
    assert.deepEqual(seen(warm), seen(parse(text)));
    const again = parse(text, table);
    if (warm.code === 'page' && again.code === 'page') {
      warm.page.series.forEach((series, i) => assert.equal(series, again.page.series[i]));
    }
  };

  test('never shows', () => {
    fc.assert(fc.property(fc.array(page, { minLength: 1, maxLength: 3 }), page, check), {
      numRuns: 3 * RUNS,
    });
  });

  test('nor do lines that change places between two scrapes', () => {
    const shuffled = somePage.chain((made) =>
      fc
        .shuffledSubarray(made.lines, { minLength: made.lines.length })
        .map((lines) => [textOf(made), textOf({ ...made, lines })] as const),
    );
    fc.assert(
      fc.property(shuffled, ([first, second]) => check([first, second], first)),
      { numRuns: RUNS },
    );
  });

  test('kept: a name without a blank behind it read as a value, or not, by what stood before', () => {
    check(['foo 1\n'], 'foo 1\nfoo-1\n');
    check(['foo-1\nfoo 1\n'], 'foo 1\nfoo-1\n');
  });
});

describe('the order of the lines', () => {
  const labels = fc.constantFrom('', 'm="x"', 'm="y"');
  const family = fc.record({
    type: fc.constantFrom('counter', 'gauge', 'histogram', 'summary', ''),
    labels,
    counts: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 }),
    created: fc.boolean(),
  });
  const samplesOf = (
    name: string,
    made: { type: string; labels: string; counts: readonly number[]; created: boolean },
  ): string[] => {
    const braces = (more: string): string => `{${[made.labels, more].filter(Boolean).join()}}`;
    const created = made.created && made.type !== 'gauge' ? [`${name}_created${braces('')} 5`] : [];
    if (made.type !== 'histogram' && made.type !== 'summary')
      return [`${name}${braces('')} ${made.counts[0]}`, ...created];
    let total = 0;
    const buckets = made.counts.map((count, i) => `${name}_bucket${braces(`le="${i}"`)} ${(total += count)}`);
    return [
      ...(made.type === 'histogram' ? buckets : []),
      `${name}_count${braces('')} ${total}`,
      `${name}_sum${braces('')} 2`,
      ...created,
    ];
  };

  test('means nothing to the families', () => {
    const pages = fc.array(family, { maxLength: 5 }).chain((families) => {
      const lines = families.flatMap((made, i) => [
        ...(made.type === '' ? [] : [`# TYPE f${i} ${made.type}`]),
        ...samplesOf(`f${i}`, made),
      ]);
      return fc.tuple(fc.constant(lines), fc.shuffledSubarray(lines, { minLength: lines.length }));
    });
    const sorted = (lines: readonly string[]): string[] =>
      printFamilies(lines.map((l) => `${l}\n`).join(''))
        .split('; ')
        .sort();
    fc.assert(
      fc.property(pages, ([lines, shuffled]) => assert.deepEqual(sorted(shuffled), sorted(lines))),
      { numRuns: RUNS },
    );
  });
});
