/** Shrunk plans that once broke a promise. */
import type { ClusterKind, Event, Plan, Step } from './commands.ts';
import type { NimKind } from './nim.ts';

const TEXT: NimKind = {
  format: 'text',
  startTime: false,
  aheadS: undefined,
  framed: true,
  ageS: 100_000,
  release: 0,
};

const ANNOTATED: ClusterKind = { workload: 'Deployment', chosenBy: 'annotations', instance: 'address' };

const quiet: Step = { load: 0, events: [] };
const busy = (load: number, ...events: readonly Event[]): Step => ({ load, events });

export const KEPT: Readonly<Record<string, Plan>> = {
  'D2: targets of a dead run that its successor could not read stay unsure': {
    nims: [TEXT, TEXT, TEXT],
    steps: [
      quiet,
      busy(0, { kind: 'load', of: 0, how: 'unread' }, { kind: 'kill', at: 4, after: true }),
      busy(0, { kind: 'load', of: 1, how: 'unread' }),
    ],
  },
  'D2: a suspected gauge that is taken at last is no answer to deltas': {
    nims: [TEXT],
    steps: [
      busy(0, { kind: 'poison', of: 0, at: 299, ticks: 3 }),
      quiet,
      quiet,
      quiet,
      busy(0, { kind: 'claim', how: 'late' }),
      busy(0, { kind: 'end', how: 'failed' }),
    ],
  },
  'D5: a line cut within its number is no value': {
    nims: [{ ...TEXT, format: 'openmetrics', startTime: true }],
    steps: [busy(5), busy(7, { kind: 'page', of: 0, how: 'half', at: 69 }), busy(5)],
  },
  'D7: a page that lost its start time hides no restart behind it': {
    nims: [{ ...TEXT, startTime: true }, TEXT],
    steps: [
      quiet,
      busy(0, { kind: 'page', of: 0, how: 'half', at: 0 }),
      busy(0, { kind: 'restart', of: 0, times: 1, surge: false, bounds: true }),
    ],
  },
  'D8: nor an earlier life that answers again': {
    nims: [{ ...TEXT, startTime: true }],
    steps: [
      quiet,
      busy(1),
      busy(0, { kind: 'restart', of: 0, times: 1, surge: false, bounds: false }),
      busy(0, { kind: 'page', of: 0, how: 'half', at: 0 }),
      busy(0, { kind: 'flip', of: 0, at: 0 }),
    ],
  },
  'D5: a family is one, whether or not the baseline remembers its counter': {
    nims: [{ ...TEXT, format: 'openmetrics', startTime: true }],
    steps: [
      busy(0, { kind: 'restart', of: 0, times: 1, surge: false, bounds: false }),
      busy(0, { kind: 'flip', of: 0, at: 0 }),
      busy(0, { kind: 'page', of: 0, how: 'nan', at: 0 }),
    ],
  },
  'D5: nor whether the page names its type': {
    nims: [{ ...TEXT, format: 'openmetrics' }],
    steps: [
      quiet,
      busy(0, { kind: 'page', of: 0, how: 'nan', at: 0 }),
      busy(0, { kind: 'grow', of: 0, at: 1 }, { kind: 'scrape', of: 0, how: 'connect' }),
      busy(0, { kind: 'page', of: 0, how: 'no_types', at: 0 }),
    ],
  },
  'D5: what is told to be a gauge once is not new as a counter': {
    nims: [TEXT],
    steps: [quiet, busy(0, { kind: 'page', of: 0, how: 'gauge', at: 0 }, { kind: 'grow', of: 0, at: 10 })],
  },
  'D4: what was given up may be written late': {
    nims: [TEXT],
    steps: [
      quiet,
      busy(126, { kind: 'poison', of: 0, at: 0, ticks: 1 }),
      busy(
        0,
        { kind: 'pause', hours: 25, expires: false, vanishes: true },
        { kind: 'commit', of: 0, how: 'late' },
      ),
      busy(0, { kind: 'schedule', how: 'dropped' }),
    ],
  },
  'D7: a page cut before `_created` shows new values without their moment': {
    nims: [{ ...TEXT, format: 'openmetrics' }],
    steps: [
      quiet,
      busy(
        0,
        { kind: 'page', of: 0, how: 'half', at: 44 },
        { kind: 'restart', of: 0, times: 2, surge: false, bounds: false },
      ),
    ],
  },
  'D3: what was given up, and written late, leaves no window behind': {
    nims: [TEXT],
    steps: [
      quiet,
      busy(1, { kind: 'poison', of: 0, at: 792, ticks: 1 }),
      busy(
        0,
        { kind: 'pause', hours: 25, expires: false, vanishes: true },
        { kind: 'commit', of: 0, how: 'late' },
      ),
      busy(0, { kind: 'schedule', how: 'dropped' }),
      quiet,
    ],
  },
  'D4: what a sum fell by outlives what is given up': {
    nims: [{ ...TEXT, startTime: true }],
    steps: [
      busy(
        0,
        { kind: 'restart', of: 0, times: 1, surge: false, bounds: false },
        { kind: 'poison', of: 0, at: 837, ticks: 1 },
      ),
      busy(0, { kind: 'bounds', of: 0, at: 0 }),
      busy(0, { kind: 'outage', ticks: 2, how: 'refused' }),
      busy(1589, { kind: 'restart', of: 0, times: 2, surge: false, bounds: false }),
      busy(0, { kind: 'pause', hours: 25, expires: false, vanishes: true }),
    ],
  },
  'D3: a page cut before its first sample shows no engine': {
    nims: [TEXT, { ...TEXT, release: 2 }],
    steps: [
      busy(0, { kind: 'load', of: 0, how: 'unread' }, { kind: 'kill', at: 4, after: true }),
      busy(0, { kind: 'kill', at: 0, after: true }),
      busy(4909),
      busy(0, { kind: 'page', of: 1, how: 'half', at: 4 }),
    ],
  },
  'D11: a message that comes again late meets another pod on its address': {
    cluster: ANNOTATED,
    nims: [{ ...TEXT, startTime: true }],
    steps: [busy(0, { kind: 'kill', at: 0, after: false }), quiet, busy(0, { kind: 'replace', of: 0 })],
  },
  'D11: and so does a list that stays in force': {
    cluster: ANNOTATED,
    nims: [{ ...TEXT, startTime: true }],
    steps: [
      busy(3),
      busy(5, { kind: 'discovery', ticks: 3, cold: false }, { kind: 'replace', of: 0 }),
      busy(7),
      busy(9),
      busy(11),
    ],
  },
  'D4: a pod of the same name waits while the old one sends what it owed': {
    cluster: { workload: 'StatefulSet', chosenBy: 'rules', instance: 'address' },
    nims: [{ ...TEXT, startTime: true }],
    steps: [
      quiet,
      busy(8, { kind: 'outage', ticks: 1, how: 'retry' }),
      busy(9, { kind: 'replace', of: 0 }),
      busy(11),
    ],
  },
  'D4: and of several, which wait, one goes at a time': {
    cluster: { workload: 'StatefulSet', chosenBy: 'annotations', instance: 'pod name' },
    nims: [{ ...TEXT, startTime: true }],
    steps: [
      quiet,
      busy(8, { kind: 'outage', ticks: 4, how: 'retry' }),
      busy(9, { kind: 'replace', of: 0 }),
      busy(11, { kind: 'replace', of: 0 }),
      busy(4, { kind: 'evict', of: 0 }),
    ],
  },
  'D11: a pod whose TYPE lines are lost at first sight shows readings beside what another owes': {
    cluster: { workload: 'StatefulSet', chosenBy: 'annotations', instance: 'pod name' },
    nims: [TEXT, TEXT],
    steps: [
      busy(0, { kind: 'evict', of: 0 }),
      busy(0, { kind: 'roll' }, { kind: 'discovery', ticks: 3, cold: true }),
      quiet,
      busy(1),
      busy(0, { kind: 'answer', nth: 0, how: 'lost' }),
      busy(0, { kind: 'page', of: 1, how: 'no_types', at: 0 }),
    ],
  },
};
