/** What Prometheus does not decide: our bounds, our messages, the steps. The rest is in relabel-vectors.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  createLabelBuilder,
  getLabel,
  labelsOf,
  setLabel,
  wasSet,
} from '../../functions/core/relabel/label-builder.ts';
import {
  checkRelabel,
  compileRelabel,
  MAX_LABELS,
  MAX_MATCH_STEPS,
  MAX_NAME_LENGTH,
  MAX_REGEX_LENGTH,
  MAX_REPETITION_SIZE,
  MAX_RULES,
  MAX_RULES_SIZE,
  MAX_SOURCE_LABELS,
  MAX_VALUE_LENGTH,
  relabel,
  relabelSteps,
} from '../../functions/core/relabel/relabel.ts';
import { regexSize } from '../../functions/core/relabel/regex-size.ts';
import { configOf, rulesOf, type VectorRule } from './relabel-vectors.ts';

const check = (rule: VectorRule): string | undefined => checkRelabel(configOf(rule));
const keep = (regex: string): VectorRule => ({ action: 'keep', regex });

describe('a rule that cannot work says why and what to write', () => {
  for (const [rule, message] of [
    [{}, 'cannot relabel by replace: target_label is missing; name a label, such as target_label: instance'],
    [
      { action: 'hashmod', target_label: 'shard' },
      'cannot relabel by hashmod: modulus is missing or 0; write into how many parts to divide, such as modulus: 8',
    ],
    [
      { action: 'hashmod', target_label: 'shard', modulus: 2 ** 53 },
      'cannot relabel by hashmod: modulus is no whole number up to 9007199254740991; write one, such as modulus: 8',
    ],
    [
      { action: 'labeldrop', source_labels: ['a'], regex: 'b' },
      'cannot relabel by labeldrop: source_labels has no meaning there; remove it, this action takes only regex',
    ],
    [
      { action: 'keepequal', source_labels: ['a'], target_label: 'b', regex: 'c' },
      'cannot relabel by keepequal: regex has no meaning there; remove it, this action takes only source_labels, target_label',
    ],
    [
      { action: 'labelmap', replacement: '' },
      'cannot relabel by labelmap: replacement is empty, which is no label name; write one, such as replacement: $1',
    ],
    [
      keep('nim-(\\d+'),
      'cannot relabel by keep: the regex does not compile: missing closing ): `^(?s:nim-(\\d+)$`; ' +
        "write it in RE2's syntax, as for Prometheus",
    ],
    [
      keep('(?!nim).*'),
      'cannot relabel by keep: the regex does not compile: invalid or unsupported Perl syntax: `(?!`; ' +
        "write it in RE2's syntax, as for Prometheus",
    ],
    // Go lets two groups share a name; RE2 itself does not.
    [
      keep('(?P<n>a)|(?P<n>b)'),
      'cannot relabel by keep: the regex does not compile: duplicate capture group name: `n`; ' +
        "write it in RE2's syntax, as for Prometheus",
    ],
    [
      { target_label: '\ud800', replacement: 'x' },
      'cannot relabel by replace: it holds half of a character (a lone surrogate); write it in UTF-8',
    ],
  ] as readonly (readonly [VectorRule, string])[]) {
    test(JSON.stringify(rule), () => {
      assert.equal(check(rule), message);
      assert.deepEqual(compileRelabel([configOf(keep('a')), configOf(rule)]), { code: 'wrong', message });
    });
  }

  test('a modulus up to 2^53 - 1 is one', () => {
    assert.equal(check({ action: 'hashmod', target_label: 'a', modulus: 2 ** 53 - 1 }), undefined);
    for (const modulus of [-1, 1.5, NaN]) {
      assert.match(check({ action: 'hashmod', target_label: 'a', modulus }) ?? '', /no whole number/);
    }
  });
});

describe('the bounds of rules', () => {
  test(`a regex of ${MAX_REGEX_LENGTH} characters is one, one more is too long`, () => {
    assert.equal(check(keep('a'.repeat(MAX_REGEX_LENGTH))), undefined);
    assert.match(
      check(keep('a'.repeat(MAX_REGEX_LENGTH + 1))) ?? '',
      /longer than 8192 characters; divide it/,
    );
  });

  test(`repetitions may add ${MAX_REPETITION_SIZE} instructions to the length of a regex, not one more`, () => {
    const size = (regex: string) => regexSize(regex, Infinity) - regex.length;
    assert.equal(size('a{1000}b{12}'), MAX_REPETITION_SIZE);
    assert.equal(check(keep('a{1000}b{12}')), undefined);
    assert.equal(size('a{1000}b{13}'), MAX_REPETITION_SIZE + 1);
    assert.match(
      check(keep('a{1000}b{13}')) ?? '',
      /the repetitions in the regex make more than 1000 instructions; use fewer or smaller/,
    );
  });

  test('repetition bombs are refused before they are compiled', () => {
    for (const bomb of [
      '((a{1000}){1000}){1000}',
      'a{1000}'.repeat(1_000),
      '\\pL{1000}',
      '(?:[^\\pN]{99}){99}',
      '(((((((a{9}){9}){9}){9}){9}){9}){9}){9}',
      '(?:a{1,999}|b{999,}){9}',
      '(?:[)(]x{99}){99}',
      '(?:\\)x{99}){99}',
      '(?:\\Q)\\Ex{99}){99}',
      '(?:[]x(]y{99}){99}',
      '(?:[[:alpha:](]y{99}){99}',
    ]) {
      assert.match(check(keep(bomb)) ?? '', /the repetitions in the regex make more/, bomb);
    }
  });

  test('what people write is far from the bounds', () => {
    for (const regex of [
      '([^:]+)(?::\\d+)?;(\\d+)',
      '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
      '(?:(?:25[0-5]|2[0-4]\\d|1?\\d{1,2})(?:\\.|$)){4}',
      '[0-9a-f]{64}',
      '[\\p{L}\\p{N}_]{1,16}',
      Array.from({ length: 250 }, (_, i) => `container_network_${i}_total`).join('|'),
    ]) {
      assert.equal(check(keep(regex)), undefined, regex);
    }
  });

  test(`${MAX_RULES} rules are a list, one more is too many`, () => {
    const rules = (count: number) => Array.from({ length: count }, () => configOf(keep('a')));
    assert.equal(compileRelabel(rules(MAX_RULES)).code, 'rules');
    assert.deepEqual(compileRelabel(rules(MAX_RULES + 1)), {
      code: 'wrong',
      message:
        'cannot use the relabel rules: 501 rules are more than 500; join some of them by | in one regex',
    });
  });

  test(`regexes of ${MAX_RULES_SIZE} instructions in all are a list, one more is too large`, () => {
    const half = configOf(keep('a'.repeat(MAX_RULES_SIZE / 10)));
    const rules = Array.from({ length: 10 }, () => half);
    assert.equal(compileRelabel(rules).code, 'rules');
    const over = compileRelabel([...rules, configOf(keep('a'))]);
    assert(over.code === 'wrong');
    assert.match(over.message, /the regexes are together larger than 50000 instructions; use fewer/);
  });

  test(`a rule joins up to ${MAX_SOURCE_LABELS} labels, and sets a name of up to ${MAX_NAME_LENGTH} characters`, () => {
    const rule = (sources: number, name: number): VectorRule => ({
      source_labels: Array.from({ length: sources }, () => 'a'),
      target_label: 'x'.repeat(name),
    });
    assert.equal(check(rule(MAX_SOURCE_LABELS, MAX_NAME_LENGTH)), undefined);
    assert.match(check(rule(MAX_SOURCE_LABELS + 1, 1)) ?? '', /65 source labels are more than 64/);
    assert.match(check(rule(1, MAX_NAME_LENGTH + 1)) ?? '', /target_label is longer than 1024/);
  });
});

describe('the bounds of labels: past them a rule drops', () => {
  test(`a value of ${MAX_VALUE_LENGTH} characters is set, a longer one is not`, () => {
    const double = rulesOf({ source_labels: ['a', 'a'], separator: '', target_label: 'a' });
    const half = 'x'.repeat(MAX_VALUE_LENGTH / 2);
    assert.equal(relabel(['a', half], double)?.[1]?.length, MAX_VALUE_LENGTH);
    assert.equal(relabel(['a', `${half}x`], double), undefined);
  });

  test('values that double with each rule come to an end', () => {
    const rules = rulesOf(
      ...Array.from({ length: 100 }, () => ({
        source_labels: ['a'],
        target_label: 'a',
        replacement: '$1$1',
      })),
    );
    assert.equal(relabel(['a', 'x'], rules), undefined);
  });

  test(`a mapped name of ${MAX_NAME_LENGTH} characters is set, a longer one is not`, () => {
    const map = rulesOf({ action: 'labelmap', regex: '(.*)', replacement: 'x$1' });
    assert.equal(relabel(['a'.repeat(MAX_NAME_LENGTH - 1), 'v'], map)?.length, 4);
    assert.equal(relabel(['a'.repeat(MAX_NAME_LENGTH), 'v'], map), undefined);
  });

  test(`${MAX_LABELS} labels may be mapped together, one more may not`, () => {
    const labels = (count: number) =>
      Array.from({ length: count }, (_, i) => [`a${String(i).padStart(4, '0')}`, 'v']).flat();
    const map = rulesOf({ action: 'labelmap', regex: 'a(.*)', replacement: 'b$1' });
    assert.equal(relabel(labels(MAX_LABELS / 2), map)?.length, 2 * MAX_LABELS);
    assert.equal(relabel(labels(MAX_LABELS / 2 + 1), map), undefined);
  });

  test('a regex reads as much text as its size allows, no character more', () => {
    const regex = 'x{1,999}.*';
    const most = Math.floor(MAX_MATCH_STEPS / (regexSize(regex, Infinity) + 1));
    for (const rule of [
      { action: 'keep', source_labels: ['a'], regex },
      { source_labels: ['a'], regex, target_label: 'b', replacement: 'x' },
    ] as const) {
      assert.notEqual(relabel(['a', 'x'.repeat(most)], rulesOf(rule)), undefined);
      assert.equal(relabel(['a', 'x'.repeat(most + 1)], rulesOf(rule)), undefined);
    }
    for (const action of ['labeldrop', 'labelkeep', 'labelmap'] as const) {
      const rules = rulesOf({ action, regex });
      assert.notEqual(relabel(['y'.repeat(most), 'v'], rules), undefined);
      assert.equal(relabel(['y'.repeat(most + 1), 'v'], rules), undefined);
    }
  });

  test('a label mapped to no name is none', () => {
    assert.deepEqual(
      relabel(['a', 'v'], rulesOf({ action: 'labelmap', regex: 'a(b)?', replacement: '$1' })),
      ['a', 'v'],
    );
  });

  test('what takes a backtracking engine the age of the universe is over at once', () => {
    const rules = rulesOf(
      { source_labels: ['a'], regex: '(x+x+)+y', target_label: 'b' },
      { source_labels: ['a'], regex: '((x|x)*)*z', target_label: 'b' },
      { action: 'drop', source_labels: ['a'], regex: '(.*?,){11}P.*|(\\s*\\w+)*!' },
    );
    const labels = ['a', 'x'.repeat(10_000)];
    assert.deepEqual(relabel(labels, rules), labels);
  });
});

describe('the steps', () => {
  const rules = rulesOf(
    { source_labels: ['a'], target_label: 'b' },
    { action: 'labeldrop', regex: 'a' },
    { action: 'keep', source_labels: ['b'], regex: 'x' },
    { target_label: 'c', replacement: 'd' },
  );
  test('tell the labels before and after each rule', () => {
    assert.deepEqual(
      relabelSteps(['a', 'x'], rules).map(({ config, before, after }) => [config.action, before, after]),
      [
        ['replace', ['a', 'x'], ['a', 'x', 'b', 'x']],
        ['labeldrop', ['a', 'x', 'b', 'x'], ['b', 'x']],
        ['keep', ['b', 'x'], ['b', 'x']],
        ['replace', ['b', 'x'], ['b', 'x', 'c', 'd']],
      ],
    );
  });
  test('end with the rule that drops', () => {
    const steps = relabelSteps(['a', 'y'], rules);
    assert.equal(steps.length, 3);
    assert.equal(steps.at(-1)?.after, undefined);
    assert.deepEqual(relabelSteps(['a', 'y'], []), []);
  });
});

const NAMES = ['B', '__name__', 'a', 'b', 'le', 'é'] as const;
const change = fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom('', 'x', 'y'));

describe('properties', () => {
  test('labels under construction are those of a map, sorted, and remember what was set', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(change, { selector: ([name]) => name }),
        fc.array(change),
        (start, changes) => {
          const sorted = start.toSorted(([a], [b]) => (a < b ? -1 : 1));
          const builder = createLabelBuilder(sorted.flat());
          const map = new Map<string, string>(sorted.filter(([, value]) => value !== ''));
          const set = new Set<string>();
          for (const [name, value] of changes) {
            setLabel(builder, name, value);
            if (value === '') map.delete(name);
            else map.set(name, value);
            if (value === '') set.delete(name);
            else set.add(name);
          }
          const expected = [...map].toSorted(([a], [b]) => (a < b ? -1 : 1)).flat();
          assert.deepEqual(labelsOf(builder), expected);
          for (const name of NAMES) {
            assert.equal(getLabel(builder, name), map.get(name) ?? '');
            assert.equal(wasSet(builder, name), set.has(name));
          }
        },
      ),
    );
  });

  test('labelkeep and labeldrop divide the labels between them, and a second time changes nothing', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[a-c]{1,3}$/)),
        fc.constantFrom('a.*', '.*b', '[ab]+', 'c|ab', ''),
        (names, regex) => {
          const labels = names.toSorted().flatMap((name) => [name, 'v']);
          const kept = relabel(labels, rulesOf({ action: 'labelkeep', regex })) ?? [];
          const dropped = relabel(labels, rulesOf({ action: 'labeldrop', regex })) ?? [];
          const both = [...kept, ...dropped].filter((_, i) => i % 2 === 0);
          assert.deepEqual(both.toSorted(), names.toSorted());
          assert.deepEqual(relabel(kept, rulesOf({ action: 'labelkeep', regex })), kept);
        },
      ),
    );
  });

  test('hashmod spreads over all parts, and stays within them', () => {
    const rules = rulesOf({ action: 'hashmod', source_labels: ['a'], modulus: 4, target_label: 'part' });
    const parts = new Set(Array.from({ length: 50 }, (_, i) => relabel(['a', `nim-${i}`], rules)?.[3]));
    assert.deepEqual(parts, new Set(['0', '1', '2', '3']));
  });

  test('any text is either a rule or named, and never throws', () => {
    const pieces =
      '( ) [ ] {2} {9,} * + ? | \\ \\Q \\E \\p{L} ^ $ . (?i) (?P<n> [^ [:alpha:] a é 😀 \ud800 $1 ${ }';
    const piece = fc.constantFrom(...pieces.split(' '));
    const text = fc.array(piece, { maxLength: 12 }).map((some) => some.join(''));
    fc.assert(
      fc.property(text, text, text, (regex, target_label, value) => {
        const compiled = compileRelabel([configOf({ source_labels: ['a'], regex, target_label })]);
        if (compiled.code === 'wrong') assert.match(compiled.message, /^cannot relabel by replace: .+; /s);
        else relabel(['a', value], compiled.rules);
      }),
      { numRuns: 2_000 },
    );
  });
});
