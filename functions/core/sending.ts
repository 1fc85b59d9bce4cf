/**
 * Sending what is due, body after body. One lost answer doubles one body at most (D2), one series that Dynatrace will
 * not have stops no other (D12). What was not accepted stays pending.
 */
import { type Body, bytesOf, halve, packBodies } from './bodies.ts';
import { type Caution, cautionAtEnd, maxBodyPoints } from './caution.ts';
import { type DropReason, type ExportOutcome, describeOutcome, unreachable } from './outcome.ts';
import type { Sendable } from './points.ts';
import type { Clock, Export } from './ports.ts';
import { type ExportReport, addDrops } from './report.ts';
import { resourceOf } from './targets.ts';
import type { TargetRun } from './target-run.ts';

/** Bodies divided in one run to find what made them malformed: enough to corner three series among 3,000. */
export const MAX_DIVISIONS = 40;
/** Divisions of one body of which nothing was accepted: it is an outage, not a poison. */
export const MAX_VAIN_DIVISIONS = 6;

export interface Sent {
  readonly reports: readonly ExportReport[];
  readonly caution: Caution;
}

/** Bodies that go out together: by the end of a stage it is known which of its series are to be suspected. */
interface Stage {
  readonly name: 'canary' | 'deltas' | 'suspects';
  readonly bodies: readonly Body<TargetRun>[];
}

/** The parts of one body that was malformed. */
interface Search {
  accepted: boolean;
  divisions: number;
  readonly refused: Body<TargetRun>[];
}

interface Post {
  readonly body: Body<TargetRun>;
  readonly search: Search | undefined;
}

/** Sends what the runs owe, within `deadlineMs` (monotonic). */
export async function sendAll(
  runs: readonly TargetRun[],
  caution: Caution,
  { clock, export: post }: { readonly clock: Clock; readonly export: Export },
  deadlineMs: number,
  drops: Map<DropReason, number>,
): Promise<Sent> {
  const reports: ExportReport[] = [];
  let deltas: 'answered' | 'unknown' | 'not_sent' = 'not_sent';
  let divisions = 0;
  let open = true;
  for (const { name, bodies } of stagesOf(runs, caution)) {
    const queue: Post[] = bodies.map((body) => ({ body, search: undefined }));
    const searches: Search[] = [];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { body } = next;
      if (!open) {
        record(body, undefined, drops);
        continue;
      }
      const startedMs = clock.monotonicMs();
      const outcome = await post(bytesOf(body), deadlineMs);
      reports.push({
        outcome,
        points: body.points,
        bytes: body.length,
        durationMs: clock.monotonicMs() - startedMs,
      });
      const accepted = outcome.code === 'accepted' || outcome.code === 'partial';
      if (outcome.code === 'unknown') deltas = 'unknown';
      else if (accepted && hasDeltas(body) && deltas === 'not_sent') deltas = 'answered';
      open = !endsSending(outcome);

      const search = next.search ?? (outcome.code === 'malformed' ? newSearch(searches) : undefined);
      if (accepted && search !== undefined) search.accepted = true;
      const promising = search !== undefined && (search.accepted || search.divisions < MAX_VAIN_DIVISIONS);
      const divisible =
        outcome.code === 'malformed' ? promising && divisions < MAX_DIVISIONS : outcome.code === 'too_large';
      const halves = divisible ? halve(body) : undefined;
      if (halves !== undefined) {
        if (search !== undefined) search.divisions++;
        divisions++;
        queue.unshift(...halves.map((half) => ({ body: half, search })));
      } else {
        record(body, outcome, drops);
        if (outcome.code === 'malformed') search?.refused.push(body);
      }
    }
    for (const { accepted, refused } of searches) {
      if (accepted || name === 'suspects') for (const body of refused) suspect(body);
    }
  }
  countPaused(runs, drops);
  return { reports, caution: cautionAtEnd(caution, deltas) };
}

/** After a lost answer a body of gauges goes first; deltas may have to wait (D2). Suspects go last, by themselves. */
function* stagesOf(runs: readonly TargetRun[], caution: Caution): Iterable<Stage> {
  const careful = caution.unknowns > 0;
  const maxPoints = maxBodyPoints(caution);
  const pack = (choose: (run: TargetRun, sendable: Sendable) => boolean): readonly Body<TargetRun>[] =>
    packBodies(
      runs.map((run) => ({
        owner: run,
        resource: resourceOf(run.target),
        sendables: run.sendables.filter((sendable) => choose(run, sendable)),
      })),
      maxPoints,
    );
  const isGauge = ({ states }: Sendable): boolean => states.length === 0;
  const isSuspect = (run: TargetRun, { key }: Sendable): boolean => run.suspects.has(key);
  const senders = sendersOf(runs, (run, one) => !isGauge(one) && run.suspects.get(one.key) !== 'paused');
  const mayLeave = (run: TargetRun, sendable: Sendable): boolean =>
    isGauge(sendable) || (senders.has(run) && caution.waitTicks === 0);

  if (careful) yield { name: 'canary', bodies: pack((run, one) => isGauge(one) && !isSuspect(run, one)) };
  yield {
    name: 'deltas',
    bodies: pack((run, one) => mayLeave(run, one) && !(careful && isGauge(one)) && !isSuspect(run, one)),
  };
  yield {
    name: 'suspects',
    bodies: pack((run, one) => mayLeave(run, one) && run.suspects.get(one.key) === 'due'),
  };
}

/**
 * Who may send deltas (D2, D4). Job and instance are all that Dynatrace sees of a target (D11), and a pod shares them with
 * one that it replaced on its address: of such targets one sends in a run, first what vanished, or there would be two
 * points of one series at a tick. The others wait for the next.
 */
function sendersOf(
  runs: readonly TargetRun[],
  isDue: (run: TargetRun, sendable: Sendable) => boolean,
): ReadonlySet<TargetRun> {
  const first = new Map<string, TargetRun>();
  for (const run of [
    ...runs.filter(({ vanished }) => vanished),
    ...runs.filter(({ vanished }) => !vanished),
  ]) {
    const identity = JSON.stringify([run.target.job, run.target.instance]);
    if (run.held || first.has(identity) || !run.sendables.some((one) => isDue(run, one))) continue;
    first.set(identity, run);
  }
  return new Set(first.values());
}

/** Gauges that are answered say nothing of deltas, suspects tried by themselves among them (D2). */
function hasDeltas({ parts }: Body<TargetRun>): boolean {
  return parts.some(({ sendables }) => sendables.some(({ states }) => states.length > 0));
}

function newSearch(searches: Search[]): Search {
  const search: Search = { accepted: false, divisions: 0, refused: [] };
  searches.push(search);
  return search;
}

/** Each series moves by its own body's outcome. Gauges are readings of a moment: they are not sent again. */
function record(
  { parts }: Body<TargetRun>,
  outcome: ExportOutcome | undefined,
  drops: Map<DropReason, number>,
): void {
  const accepted = outcome?.code === 'accepted' || outcome?.code === 'partial';
  for (const { owner, sendables } of parts) {
    owner.lastOutcome = outcome === undefined ? owner.lastOutcome : describeOutcome(outcome);
    for (const { key, states } of sendables) {
      if (accepted && owner.suspects.has(key)) owner.cleared.add(key);
      if (states.length === 0 && !accepted) addDrops(drops, new Map([['gauge_not_delivered', 1]]));
      if (accepted) for (const state of states) owner.settled.add(state);
    }
  }
}

/** Gauges of suspects that wait for their next try. */
function countPaused(runs: readonly TargetRun[], drops: Map<DropReason, number>): void {
  for (const { sendables, suspects } of runs) {
    if (suspects.size === 0) continue;
    const paused = sendables.filter(
      ({ key, states }) => states.length === 0 && suspects.get(key) === 'paused',
    );
    addDrops(drops, new Map([['suspect', paused.length]]));
  }
}

/** D12: still pending, in a body of its own from now on, tried again with growing pauses. */
function suspect({ parts }: Body<TargetRun>): void {
  for (const { owner, sendables } of parts) for (const { key } of sendables) owner.suspected.add(key);
}

function endsSending({ code }: ExportOutcome): boolean {
  switch (code) {
    case 'accepted':
    case 'partial':
    case 'malformed':
    case 'too_large':
      return false;
    case 'refused':
    case 'retry':
    case 'unknown':
    case 'waiting_for_token':
    case 'waiting_for_endpoint':
      return true;
    default:
      return unreachable(code);
  }
}
