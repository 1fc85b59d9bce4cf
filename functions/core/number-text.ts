/** Numbers as exposition formats write them: decimal, exponent, `NaN`, `Inf` with a sign, in any case. */

const POWERS_OF_TEN = Array.from({ length: 23 }, (_, power) => 10 ** power);

/**
 * The number written in text[from, to), correctly rounded; undefined if it is none. Hexadecimal, underscores and an
 * empty text are none, as in Prometheus (textparse `parseFloat`).
 *
 * Up to 2^53 and 22 decimal places, one exact division or multiplication gives the correctly rounded result (Clinger
 * 1990); everything else goes through the language's own reader.
 */
export function readNumber(text: string, from: number, to: number): number | undefined {
  let at = from;
  const sign = text.charCodeAt(at);
  if (sign === 45 || sign === 43) at++;
  const digitsFrom = at;
  let mantissa = 0;
  let places = 0;
  let digits = 0;
  let pointAt = -1;
  for (; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code >= 48 && code <= 57) {
      mantissa = mantissa * 10 + (code - 48);
      digits++;
    } else if (code === 46 && pointAt < 0) pointAt = at;
    else break;
  }
  if (at < to || digits === 0 || mantissa > Number.MAX_SAFE_INTEGER)
    return readSlowly(text, from, to, digitsFrom);
  if (pointAt >= 0) places = to - pointAt - 1;
  if (places > 22) return readSlowly(text, from, to, digitsFrom);
  const value = places === 0 ? mantissa : mantissa / (POWERS_OF_TEN[places] as number);
  return sign === 45 ? -value : value;
}

function readSlowly(text: string, from: number, to: number, digitsFrom: number): number | undefined {
  const word = text.slice(digitsFrom, to).toLowerCase();
  const negative = text.charCodeAt(from) === 45;
  if (word === 'inf' || word === 'infinity') return negative ? -Infinity : Infinity;
  if (word === 'nan') return NaN;
  for (let at = digitsFrom; at < to; at++) {
    const code = text.charCodeAt(at) | 32;
    const isDigit = code >= 48 && code <= 57;
    const isSign = text.charCodeAt(at) === 45 || text.charCodeAt(at) === 43 || text.charCodeAt(at) === 46;
    if (!isDigit && !isSign && code !== 101) return undefined;
  }
  if (word === '') return undefined;
  const value = Number(text.slice(from, to));
  return Number.isNaN(value) ? undefined : value;
}
