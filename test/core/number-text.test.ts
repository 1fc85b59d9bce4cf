import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readNumber } from '../../functions/core/number-text.ts';

/** Read from the middle of a longer text, as on a page: what stands around it must not matter. */
function f(text: string, want: number | undefined): void {
  const got = readNumber(`9${text}9`, 1, 1 + text.length);
  assert(Object.is(got, want), `${JSON.stringify(text)}: ${got} instead of ${want}`);
}

describe('readNumber', () => {
  test('decimals', () => {
    f('0', 0);
    f('-0', -0);
    f('+0', 0);
    f('-0.0', -0);
    f('3.0', 3);
    f('5.', 5);
    f('.5', 0.5);
    f('-.5', -0.5);
    f('+7', 7);
    f('007', 7);
    f('0.1', 0.1);
    f('1767225600.123', 1767225600.123);
  });

  test('exponents, as Go, Java and Python write them', () => {
    f('1e3', 1000);
    f('1E3', 1000);
    f('1.5e-07', 1.5e-7);
    f('1.5E+10', 1.5e10);
    f('1.15891634176e+011', 115891634176); // three digits: the Python client past a million
    f('1e22', 1e22);
    f('5e-324', 5e-324);
    f('1e-400', 0);
    f('-1e-400', -0);
    f('1e400', Infinity);
  });

  test('NaN and infinities in any case', () => {
    f('NaN', NaN);
    f('nan', NaN);
    f('NAN', NaN);
    f('Inf', Infinity);
    f('+Inf', Infinity);
    f('-Inf', -Infinity);
    f('inf', Infinity);
    f('-INF', -Infinity);
    f('Infinity', Infinity);
    f('-infinity', -Infinity);
  });

  test('integers past 2^53 are rounded once', () => {
    f('9007199254740991', 2 ** 53 - 1);
    f('9007199254740992', 2 ** 53);
    f('9007199254740993', 2 ** 53); // half way: to even
    f('9007199254740995', 2 ** 53 + 4);
    f('9223372036854775807', 2 ** 63);
    f('9223372036854775794', 2 ** 63); // how DCGM writes a blank
    f('123456789012345678901234567890', 1.2345678901234568e29);
    f(`1${'0'.repeat(308)}`, 1e308);
    f(`1${'0'.repeat(309)}`, Infinity);
  });

  test('decimal places at the last exact power of ten and one past it', () => {
    f('0.0000000000000000000001', 1e-22);
    f('0.00000000000000000000001', 1e-23);
    f('0.1000000000000000055511151231257827', 0.1);
    f('0.30000000000000004', 0.1 + 0.2);
    f('9007199254740991.0', 2 ** 53 - 1);
    f('9007199254740993.5', 2 ** 53 + 2 ** 1);
  });

  test('no numbers', () => {
    for (const text of [
      '',
      '+',
      '-',
      '.',
      '-.',
      'e',
      'e5',
      '1e',
      '1e+',
      '1e5.5',
      '1.2.3',
      '--1',
      '+-1',
      '1-',
    ]) {
      f(text, undefined);
    }
    for (const text of ['0x1p-2', '0x10', '0b1', '0o7', '1_000', '1,5', '1n', '١', '1\u00a0', '\u{10}1']) {
      f(text, undefined);
    }
    for (const text of ['in', 'infi', 'infinit', 'infinityx', 'nanx', 'na', '+-inf', 'null', 'true', '1 2']) {
      f(text, undefined);
    }
  });

  const digits = (min: number, max: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789'.split('')), minLength: min, maxLength: max });

  test('equals the language, bit for bit, on decimal texts', () => {
    const exponent = fc
      .tuple(fc.constantFrom('e', 'E'), fc.constantFrom('', '+', '-'), digits(1, 3))
      .map((parts) => parts.join(''));
    const decimal = fc
      .tuple(
        fc.constantFrom('', '-', '+'),
        digits(0, 20),
        fc.constantFrom('', '.'),
        digits(0, 25),
        fc.oneof(fc.constant(''), exponent),
      )
      .map((parts) => parts.join(''))
      .filter((text) => /\d/.test(text.split(/e/i)[0] as string));
    fc.assert(
      fc.property(decimal, (text) => f(text, Number(text))),
      { numRuns: 5_000 },
    );
  });

  test('reads back every double as it is printed', () => {
    fc.assert(
      fc.property(fc.double(), (double) => {
        const value = double === 0 ? 0 : double; // -0 prints as 0
        f(String(value), value);
        if (Number.isFinite(value)) f(value.toExponential(), value);
      }),
      { numRuns: 2_000 },
    );
  });

  test('any other text is none, as the language says', () => {
    const text = fc.string({ unit: fc.constantFrom(...'0123456789+-.eE_xXnaif \t'.split('')), maxLength: 8 });
    fc.assert(
      fc.property(text, (written) => {
        const wanted = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(written) ? Number(written) : undefined;
        if (/[naif]/i.test(written) && wanted === undefined) return;
        f(written, wanted);
      }),
      { numRuns: 5_000 },
    );
  });
});
