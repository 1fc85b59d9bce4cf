/** What a run says of itself, held against the truth (D1: refused and dropped are counted where they happen). */
import type { LogRecord } from '../../functions/adapters/log.ts';
import type { TargetItem } from '../../functions/core/ports.ts';
import type { Evaluate } from './ledger.ts';
import { baselineOf, heldBy, secondsOf } from './ledger.ts';
import { ownerOf, ownerOfKey } from './names.ts';
import type { Posted, Run } from './runs.ts';
import { type Place, TICK_MS } from './places.ts';

interface Line {
  readonly event: string;
  readonly fields: LogRecord;
}

const MAX_POINTS_TOGETHER = 4;
/** As many, in vain as they may be, are made of one body; of a larger one they need not single out the poison. */
const MAX_DIVISIONS = 6;
const REASONS = ['initial', 'replica_flip', 'bucket_mismatch'] as const;

export function checkReport(run: Run, lines: readonly Line[], evaluate: Evaluate): void {
  const finished = lines.find(({ event }) => event === 'run_finished')?.fields;
  if (finished === undefined) return;
  const accepted = run.bodies.filter(({ outcome }) => outcome === 'accepted' || outcome === 'partial');
  const count = (choose: (body: (typeof accepted)[number]) => readonly unknown[]): number =>
    accepted.reduce((sum, body) => sum + choose(body).length, 0);
  const drops = finished['drops'] as Readonly<Record<string, number>>;
  const facts: (readonly [string, unknown, number])[] = [
    ['pointsSent', finished['pointsSent'], count(({ stored }) => stored)],
    ['pointsRejected', finished['pointsRejected'], count(({ rejected }) => rejected)],
  ];
  for (const reason of REASONS) {
    const meanings = [...run.previews.values()].flatMap(({ promised }) => promised.meanings);
    facts.push([reason, drops[reason] ?? 0, meanings.filter(({ drop }) => drop === reason).length]);
  }
  for (const [name, is, should] of facts)
    evaluate(
      'D1 counted in the report',
      is === should,
      () => `${name} is ${String(is)}, ${should} in truth, at ${secondsOf(run.tickMs)}`,
    );
}

/** D12: where nothing but a poison was wrong, nothing but the poison is held up; and nothing by a limit (413). */
export function checkPoison(
  run: Run,
  items: ReadonlyMap<string, TargetItem>,
  places: readonly Place[],
  lines: readonly Line[],
  evaluate: Evaluate,
): void {
  const { bodies } = run;
  const met = new Set(bodies.map(({ fault }) => fault));
  const isPoisoned =
    met.has('poison') &&
    met.has(undefined) &&
    !met.has('too_large') &&
    bodies.every((body) => divisionsTo(body) <= MAX_DIVISIONS);
  // A body may be halved until it holds what moves together: finished requests of all engines are four points.
  const isLimited =
    met.has('too_large') &&
    !met.has('poison') &&
    bodies.every(({ fault, points }) => fault !== 'too_large' || points.length > MAX_POINTS_TOGETHER);
  const isClear =
    run.lostBefore === 0 &&
    run.excuses.size === 0 &&
    lines.every(({ event }) => ['run_finished', 'export_failed', 'series_suspected'].includes(event)) &&
    (isPoisoned || isLimited) &&
    [...met].every((fault) => fault === undefined || fault === 'poison' || fault === 'too_large');
  if (!isClear) return;
  for (const item of items.values()) {
    const owner = ownerOfKey(item.key);
    const place = places.find(({ id }) => id === owner) as Place;
    // Of those that share an instance one sends at a tick.
    const rivals = [...items.values()].filter(
      ({ key, instance }) => instance === item.instance && run.targets.includes(ownerOfKey(key)),
    );
    if (rivals.length > 1 || hasEarlierSuspects(item, run.tickMs)) continue;
    // Under new bounds a series waits until what the old ones owed has left.
    if (run.previews.get(owner)?.account.drains.size !== 0) continue;
    for (const [part, amount] of heldBy(item)) {
      const key = part.replace(/^\w+ /, '').replace(/[ /].*$/, '');
      evaluate('D12 no poison', amount <= 0 || place.everPoison.has(key), () => `${part} is held up`);
    }
  }
}

/** Whether a larger body has made suspects before, of whom some may only have been the poison's neighbours. */
function hasEarlierSuspects(item: TargetItem, tickMs: number): boolean {
  const { suspects = [] } = baselineOf(item) ?? {};
  return suspects.some(({ tries, untilTickMs }) => tries > 1 || untilTickMs !== tickMs + 2 * TICK_MS);
}

/** Divisions that single out any point: first targets are parted, then the points of one. */
function divisionsTo({ points }: Posted): number {
  const sizes = new Map<string, number>();
  for (const point of points) sizes.set(ownerOf(point), (sizes.get(ownerOf(point)) ?? 0) + 1);
  return Math.ceil(Math.log2(sizes.size)) + Math.ceil(Math.log2(Math.max(...sizes.values())));
}
