/** Sizes as Prometheus writes them (alecthomas/units, ParseBase2Bytes): both `KB` and `KiB` are 1,024 bytes. */

const FACTORS = ['', 'K', 'M', 'G', 'T', 'P', 'E'];
const PART = /(\d+(?:\.\d*)?|\.\d+)([KMGTPE]?)(i?)B/y;

/** Bytes of `10MB`, `1.5GiB` or `1GiB512MiB`; undefined where it is no size. A unit is needed, but for `0`. */
export function parseByteSize(text: string): number | undefined {
  const digits = text.replace(/^\+/, '');
  if (digits === '0') return 0;
  let bytes = 0;
  let suffix: string | undefined;
  PART.lastIndex = 0;
  while (PART.lastIndex < digits.length) {
    const match = PART.exec(digits);
    if (match === null) return undefined;
    const [, number, factor = '', i = ''] = match;
    // One kind of suffix in one size, as there: 1GiB512MB is none.
    if (factor !== '' && (suffix ??= i) !== i) return undefined;
    if (factor === '' && i !== '') return undefined;
    bytes += Number(number) * 1024 ** FACTORS.indexOf(factor);
  }
  return digits === '' || bytes >= 2 ** 63 ? undefined : Math.trunc(bytes);
}
