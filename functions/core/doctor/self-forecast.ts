/** How many points the product sends of itself in a run in which all goes well. */
import type { Target } from '../model.ts';
import type { DropReason } from '../outcome.ts';
import type { Memory } from '../point-names.ts';
import type { Sendables } from '../points.ts';
import { reportRun } from '../report.ts';
import { nextSelfFacts, selfPoints } from '../self-metrics.ts';
import type { Taken } from '../take-in.ts';
import { beginRun } from '../target-run.ts';

/** What a run with this target alone leaves to the next one, which sends it. */
export function selfPointsOf(
  target: Target,
  { baseline, raw }: Taken,
  { sendables }: Sendables,
  drops: ReadonlyMap<DropReason, number>,
  tickMs: number,
  memory: Memory,
): number {
  const begun = beginRun(target, { code: 'absent' }, tickMs, memory);
  const run = { ...begun, up: true, samples: raw.values.length, baseline, sendables };
  const work = {
    tickMs,
    shard: 0,
    targets: [target],
    drains: [],
    maxStalenessMs: 0,
    writer: '',
    deadlineMs: 0,
  };
  const points = sendables.reduce((sum, sendable) => sum + sendable.points.length, 0);
  const accepted = { outcome: { code: 'accepted' }, points, bytes: 0, durationMs: 0 } as const;
  const report = reportRun(work, { code: 'ended' }, [run], drops, [accepted], 0);
  const facts = nextSelfFacts(selfPoints(undefined, work.shard, tickMs, memory), report);
  const next = selfPoints(facts, work.shard, tickMs + target.intervalMs, memory);
  return next.run.sendables.reduce((sum, sendable) => sum + sendable.points.length, 0);
}
