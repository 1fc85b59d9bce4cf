/**
 * What the rules D5 to D9 promise of a page, told from the world's truth: who made it and what it shows. Written apart
 * from the code that keeps the promise, and shorter, for it need not think of what was sent.
 */
import { type ShownPage, type ShownSeries, isOfMachine } from './nim.ts';

/** What a committed scrape has left behind. */
export interface Known {
  readonly tickMs: number;
  readonly scrapedAtMs: number;
  readonly format: ShownPage['format'];
  readonly startMs?: number;
  readonly earlierStartsMs: readonly number[];
  readonly createdMs?: number;
  /** Families of which an unknown series may be an old one. */
  readonly torn: ReadonlySet<string> | 'all';
  /** By series key. */
  readonly series: ReadonlyMap<string, KnownSeries>;
}

export interface KnownSeries {
  readonly form: string;
  readonly name: string;
  readonly kind: ShownSeries['kind'];
  readonly life: string;
  readonly values: readonly number[];
}

/** What a page means for one series. */
export interface Meaning {
  readonly key: string;
  readonly form: string;
  readonly life: string;
  /** Increase that is ours to deliver. */
  readonly increase: readonly number[];
  /** Where its window begins: unchanged, at a moment, or at one unless something is pending. */
  readonly window: { readonly fromMs?: number; readonly unlessPendingMs?: number };
  readonly drop?: 'initial' | 'replica_flip' | 'bucket_mismatch';
}

export interface Promised {
  /** Whether nothing was known of the target, or no longer. */
  readonly isNew: boolean;
  readonly next: Known;
  readonly meanings: readonly Meaning[];
  /** Forms that cannot go on: what they owe is still owed. */
  readonly ended: readonly { readonly key: string; readonly form: string }[];
}

export interface Facts {
  readonly tickMs: number;
  readonly intervalMs: number;
  readonly maxStalenessMs: number;
}

const HOUR_MS = 3_600_000;
const JITTER_MS = 5_000;
const SKEW_MS = 30_000;

type Verdict = 'new_target' | 'same' | 'restarted' | 'switched' | 'flipped';

/** Bounds belong to a histogram's key (D7). */
export function formOf(kind: string, key: string, bounds: readonly number[]): string {
  return kind === 'histogram' ? `${kind} ${key} ${bounds.join(' ')}` : `${kind} ${key}`;
}

export function promise(before: Known | undefined, page: ShownPage, facts: Facts): Promised {
  const stale =
    before !== undefined && facts.maxStalenessMs > 0 && facts.tickMs - before.tickMs > facts.maxStalenessMs;
  const known = stale ? undefined : before;
  const verdict = judge(known, page);
  const names = new Map([...(before?.series.values() ?? [])].map(({ name, kind }) => [name, kind]));
  const series = new Map<string, KnownSeries>();
  const meanings: Meaning[] = [];
  const ended: { readonly key: string; readonly form: string }[] = [];
  const torn = new Set<string>(page.torn === 'all' ? [] : page.torn);

  for (const shown of page.series) {
    // D11: a lost TYPE line changes nothing of what is known.
    if (shown.type === 'gauge' || (shown.type === 'untold' && names.get(shown.name) !== shown.kind)) {
      torn.add(shown.family);
      continue;
    }
    const { key, name, kind, life, values } = shown;
    const form = formOf(kind, key, shown.bounds);
    const old = before?.series.get(key);
    series.set(key, { form, name, kind, life, values });
    if (known !== undefined && old?.form === form)
      meanings.push(goOn(shown, form, old, verdict, known, page.format, facts));
    else {
      if (old !== undefined && old.form !== form) ended.push({ key, form: old.form });
      meanings.push(startOut(shown, form, verdict, known, old, page, before?.scrapedAtMs, facts));
    }
  }
  for (const [key, old] of before?.series ?? []) {
    if (series.has(key)) continue;
    if (known === undefined || verdict === 'flipped' || verdict === 'switched') {
      ended.push({ key, form: old.form });
      continue;
    }
    const gone = verdict === 'restarted' && !isOfMachine(key);
    series.set(key, gone ? { ...old, life: page.life, values: old.values.map(() => 0) } : old);
  }
  return { isNew: known === undefined, next: header(known, page, facts, torn, series), meanings, ended };
}

/** D7, D8, by start times. */
function judge(known: Known | undefined, { startMs }: ShownPage): Verdict {
  if (known === undefined) return 'new_target';
  if (startMs === undefined) return 'same';
  const lastMs = known.startMs ?? known.earlierStartsMs.at(-1);
  if (lastMs === undefined) return 'same';
  const near = (other: number): boolean => Math.abs(other - startMs) <= JITTER_MS;
  if (near(lastMs)) return 'same';
  if (startMs < lastMs || known.earlierStartsMs.some(near)) return 'flipped';
  // After a page that lost its start time only a later start is a restart that this page did not tell.
  if (known.startMs === undefined) return startMs > known.scrapedAtMs ? 'restarted' : 'same';
  return startMs > known.scrapedAtMs - SKEW_MS ? 'restarted' : 'switched';
}

function goOn(
  shown: ShownSeries,
  form: string,
  old: KnownSeries,
  verdict: Verdict,
  known: Known,
  format: ShownPage['format'],
  { tickMs }: Facts,
): Meaning {
  const { key, life, values } = shown;
  const same = { key, form, life, window: {} };
  if (verdict === 'flipped' || verdict === 'switched') {
    const drop = verdict === 'flipped' ? 'replica_flip' : 'initial';
    return { ...same, increase: values.map(() => 0), window: { unlessPendingMs: tickMs }, drop };
  }
  const restarted = verdict === 'restarted' && !isOfMachine(key);
  if (restarted || isRecreated(known, shown, format) || fell(shown, old))
    return { ...same, increase: values };
  return { ...same, increase: values.map((value, i) => value - (old.values[i] ?? 0)) };
}

/** A histogram is judged by its buckets, never by its sum. */
function fell({ kind, values }: ShownSeries, old: KnownSeries): boolean {
  return values.some((value, i) => (i > 0 || kind === 'counter') && value < (old.values[i] ?? 0));
}

/** A last page that did not tell all may have shown the new values without their moment. */
function isRecreated(known: Known, shown: ShownSeries, format: ShownPage['format']): boolean {
  const { createdMs } = shown;
  if (createdMs === undefined || known.createdMs === undefined) return false;
  const skewMs = isTrusted(known, shown, format) ? SKEW_MS : 0;
  return createdMs > Math.max(known.createdMs, known.scrapedAtMs - skewMs);
}

function startOut(
  shown: ShownSeries,
  form: string,
  verdict: Verdict,
  known: Known | undefined,
  old: KnownSeries | undefined,
  page: ShownPage,
  forgottenMs: number | undefined,
  { tickMs, intervalMs, maxStalenessMs }: Facts,
): Meaning {
  const { key, life, values } = shown;
  const isOurs = (momentMs: number | undefined): boolean =>
    momentMs !== undefined &&
    Math.abs(tickMs - momentMs) <= Math.min(HOUR_MS, maxStalenessMs || HOUR_MS) &&
    momentMs > (forgottenMs ?? -Infinity);
  const ours =
    known === undefined
      ? isOurs(page.startMs) || isOurs(shown.createdMs)
      : verdict === 'restarted' ||
        (verdict === 'same' &&
          (old === undefined
            ? isTrusted(known, shown, page.format)
            : isRecreated(known, shown, page.format)));
  // Pending under the same form goes on in the new one's window (D9).
  const inherits = old?.form === form;
  if (ours && !isOfMachine(key)) {
    const fromMs = known?.tickMs ?? tickMs - intervalMs;
    return { key, form, life, increase: values, window: inherits ? { unlessPendingMs: fromMs } : { fromMs } };
  }
  const drop =
    verdict === 'flipped'
      ? 'replica_flip'
      : old?.kind === shown.kind && verdict === 'same'
        ? 'bucket_mismatch'
        : 'initial';
  const window = inherits ? { unlessPendingMs: tickMs } : { fromMs: tickMs };
  return { key, form, life, increase: values.map(() => 0), window, drop };
}

/** D5: the last page would have shown it, had it been there. */
function isTrusted(known: Known, { family }: ShownSeries, format: ShownPage['format']): boolean {
  return known.format === format && known.torn !== 'all' && !known.torn.has(family);
}

function header(
  known: Known | undefined,
  page: ShownPage,
  { tickMs }: Facts,
  torn: ReadonlySet<string>,
  series: ReadonlyMap<string, KnownSeries>,
): Known {
  const created = [known?.createdMs, ...page.series.map(({ createdMs }) => createdMs)];
  const moments = created.filter((moment) => moment !== undefined);
  const { startMs } = page;
  return {
    tickMs,
    scrapedAtMs: page.scrapedAtMs,
    format: page.format,
    ...(startMs === undefined ? {} : { startMs }),
    earlierStartsMs: earlierStarts(known, page.startMs),
    ...(moments.length === 0 ? {} : { createdMs: Math.max(...moments) }),
    torn: page.torn === 'all' ? 'all' : torn,
    series,
  };
}

function earlierStarts(known: Known | undefined, startMs: number | undefined): readonly number[] {
  const earlier = known?.earlierStartsMs ?? [];
  if (known?.startMs === undefined) return earlier;
  if (startMs === undefined) return [...earlier, known.startMs];
  if (Math.abs(known.startMs - startMs) <= JITTER_MS) return earlier;
  return [...earlier.filter((other) => Math.abs(other - startMs) > JITTER_MS), known.startMs];
}
