/** Durations as Prometheus writes them (prometheus/common, model.ParseDuration). */

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['y', 365 * 86_400_000],
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];

const DURATION = new RegExp(`^${UNITS.map(([unit]) => `(?:(\\d+)${unit})?`).join('')}$`);

/** Milliseconds of `1h30m` or `0`; undefined where it is no duration, or one of more than 2^53 ms. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = text === '' ? null : DURATION.exec(text);
  if (match === null) return undefined;
  const totalMs = UNITS.reduce((sum, [, ms], index) => sum + Number(match[index + 1] ?? 0) * ms, 0);
  return Number.isSafeInteger(totalMs) ? totalMs : undefined;
}
