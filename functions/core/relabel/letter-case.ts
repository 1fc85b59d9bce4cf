/**
 * Letter case one code point at a time, as Go's strings.ToLower and ToUpper, so that `lowercase` and `uppercase` name
 * the same series as in Prometheus: no `ß` to `SS`, no final sigma.
 */
export function toLower(text: string): string {
  return mapLetters(text, (letter) => letter.toLowerCase());
}

export function toUpper(text: string): string {
  return mapLetters(text, (letter) => letter.toUpperCase());
}

function mapLetters(text: string, map: (letter: string) => string): string {
  if (/^[\0-\x7f]*$/.test(text)) return map(text);
  let mapped = '';
  for (const letter of text) mapped += mapLetter(letter, map(letter));
  return mapped;
}

/** `full` where it is one code point; else Unicode's simple mapping (UnicodeData.txt), mostly the letter itself. */
function mapLetter(letter: string, full: string): string {
  if (String.fromCodePoint(full.codePointAt(0) ?? 0) === full) return full;
  if (letter === 'İ') return 'i';
  // Greek with iota subscript: the capital with iota beside it is 8 code points on (ᾳ ῃ ῳ: 9).
  if (/[\u1f80-\u1f87\u1f90-\u1f97\u1fa0-\u1fa7]/.test(letter)) return shifted(letter, 8);
  return /[\u1fb3\u1fc3\u1ff3]/.test(letter) ? shifted(letter, 9) : letter;
}

function shifted(letter: string, by: number): string {
  return String.fromCharCode(letter.charCodeAt(0) + by);
}
