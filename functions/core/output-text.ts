/** What a job's options say of its points: the defaults, and as text beside the state of a target. */
import type { OutputSettings } from './scrape-config.ts';

/** Longer, and a dashboard of half an hour would show nothing. */
export const DEFAULT_HEARTBEAT_MS = 10 * 60_000;
/** Some 30 times what a NIM sends, and three times a large Triton or GPU host: beyond it a page is worth a look. */
export const DEFAULT_POINTS_BUDGET = 1_000;

/** Of a job without a word under `dynatrace:`. */
export const DEFAULT_OUTPUT: OutputSettings = {
  metricNames: 'nim',
  include: [],
  exclude: [],
  skipUnchanged: false,
  heartbeatMs: DEFAULT_HEARTBEAT_MS,
  maxBuckets: 0,
  pointsBudget: DEFAULT_POINTS_BUDGET,
};

/**
 * What is owed goes out as it would have, though no document names its target any more (D4): what differs from the
 * defaults. Undefined where nothing does.
 */
export function writeOutput(output: OutputSettings): string | undefined {
  const defaults: Readonly<Record<string, unknown>> = { ...DEFAULT_OUTPUT };
  const own = Object.entries(output).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name]),
  );
  return own.length === 0 ? undefined : JSON.stringify(Object.fromEntries(own));
}

/** The defaults where there is no text, or one that this release does not understand. */
export function readOutputText(text: string | undefined): OutputSettings {
  const own = text === undefined ? {} : parse(text);
  const output: Record<string, unknown> = { ...DEFAULT_OUTPUT };
  for (const [name, value] of Object.entries(own))
    if (name === 'preset' || sameKind(output[name], value)) output[name] = value;
  return output as unknown as OutputSettings;
}

function parse(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function sameKind(a: unknown, b: unknown): boolean {
  return typeof a === typeof b && Array.isArray(a) === Array.isArray(b);
}
