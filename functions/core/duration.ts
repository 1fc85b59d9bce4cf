/** Prometheus' durations, `1m30s`: one parser for documents, labels and the command line (prometheus/common model). */

/** Largest first: the order in which units must stand, each at most once. A day has 24 hours, a year 365 days. */
const UNITS: readonly (readonly [unit: string, ms: number, onlyExact: boolean])[] = [
  ['y', 31_536_000_000, true],
  ['w', 604_800_000, true],
  ['d', 86_400_000, false],
  ['h', 3_600_000, false],
  ['m', 60_000, false],
  ['s', 1_000, false],
  ['ms', 1, false],
];

const DURATION = new RegExp(`^${UNITS.map(([unit]) => `(?:(\\d+)${unit})?`).join('')}$`);

/** 292 years: what Go's 64-bit nanoseconds hold, and so what Prometheus accepts. */
export const MAX_DURATION_MS = 9_223_372_036_854;

/** Milliseconds; undefined if the text is no duration. `0` needs no unit. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const amounts = text === '' ? null : DURATION.exec(text);
  if (amounts === null) return undefined;
  const totalMs = UNITS.reduce((sum, [, ms], i) => sum + Number(amounts[i + 1] ?? 0) * ms, 0);
  return totalMs <= MAX_DURATION_MS ? totalMs : undefined;
}

/** As Prometheus writes whole milliseconds: `1m30s`; years and weeks only where nothing else remains, so `90d`. */
export function formatDuration(durationMs: number): string {
  let text = '';
  let restMs = durationMs;
  for (const [unit, ms, onlyExact] of UNITS) {
    const amount = Math.floor(restMs / ms);
    if (amount === 0 || (onlyExact && restMs % ms !== 0)) continue;
    text += `${amount}${unit}`;
    restMs -= amount * ms;
  }
  return text === '' ? '0s' : text;
}
