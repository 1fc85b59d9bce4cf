/** NIM processes as they truly count, and the pages that they show: whole, cut, lying or hiding something. */

/** What does not change of a target. */
export interface NimKind {
  readonly format: 'text' | 'openmetrics';
  /** Whether pages carry `process_start_time_seconds`. */
  readonly startTime: boolean;
  /** The target's clock runs ahead of ours by this, and the response has a `Date`. */
  readonly aheadS: number | undefined;
  /** Whether HTTP tells where its pages end; one that was cut is never told. */
  readonly framed: boolean;
  /** How long its first process had been running when the world began. */
  readonly ageS: number;
  /** Whose names its first process shows: none, those of NIM 1.x, or those of its engines. */
  readonly release: Release;
}

export type Release = 0 | 1 | 2;

/** One life of one process. */
export interface NimProcess {
  readonly id: string;
  /** On our clock. */
  readonly startMs: number;
  readonly release: Release;
  bounds: readonly number[];
  /** How often its histograms began anew. */
  generation: number;
  /** Label sets that have counted, and when each appeared. */
  readonly models: Map<string, number>;
  /** By series key: as a reading has them. */
  readonly values: Map<string, number[]>;
}

export interface Nim {
  readonly kind: NimKind;
  readonly id: string;
  /** The last one is the newest life; the others are replicas that may answer instead. */
  readonly processes: NimProcess[];
  /** Counts of the machine, which outlive every process. */
  readonly machine: NimProcess;
  lives: number;
}

/** How a page differs from the truth. */
export interface PageFault {
  readonly how: 'half' | 'no_types' | 'gauge' | 'nan' | 'empty' | 'hides';
  /** Where it is cut, or which label set is hidden: a part of 1,000. */
  readonly at: number;
}

/** A cumulative series, as a page shows it. */
export interface ShownSeries {
  readonly key: string;
  readonly name: string;
  readonly family: string;
  readonly kind: 'counter' | 'histogram' | 'summary';
  readonly bounds: readonly number[];
  readonly values: readonly number[];
  readonly createdMs?: number;
  readonly life: string;
  /** What the page says of its type. */
  readonly type: 'told' | 'untold' | 'gauge';
}

export interface ShownPage {
  readonly text: string;
  /** Whether HTTP told its end. */
  readonly complete: boolean;
  readonly format: 'text' | 'openmetrics';
  readonly life: string;
  readonly startMs?: number;
  /** On the target's clock where there is a `Date`. */
  readonly scrapedAtMs: number;
  readonly series: readonly ShownSeries[];
  /** Families of which something is missing; all of them if it ends early. */
  readonly torn: ReadonlySet<string> | 'all';
}

export const FIRST_BOUNDS: readonly number[] = [0.5, 1, 2.5];
export const OTHER_BOUNDS: readonly number[] = [0.5, 2, 4];
export const FIRST_MODEL = 'a';
/** Label sets at most. */
export const MODELS = [FIRST_MODEL, 'b', 'c'] as const;
/** Before the world began. */
const LONG_AGO_MS = 100_000_000;
/** Two starts closer than this are one, jittering. */
export const MIN_LIFE_MS = 11_000;

interface Spec {
  readonly name: string;
  readonly kind: ShownSeries['kind'];
  readonly perModel?: true;
  readonly machine?: true;
  /** Only pages of this release have it. */
  readonly release?: Release;
  /** Label sets beside those of models. */
  readonly labels?: readonly Labels[];
}

/** Names and values, sorted by name. */
type Labels = Readonly<Record<string, string>>;

const ENGINES = ['0', '1'].map((engine) => ({ engine }));
const FINISHES = ENGINES.flatMap(({ engine }) =>
  ['stop', 'abort'].map((reason) => ({ engine, finished_reason: reason })),
);

const SPECS: readonly Spec[] = [
  { name: 'requests_total', kind: 'counter' },
  { name: 'tokens_total', kind: 'counter', perModel: true },
  { name: 'latency_seconds', kind: 'histogram' },
  { name: 'wait_seconds', kind: 'histogram', perModel: true },
  { name: 'size', kind: 'summary' },
  { name: 'python_gc_total', kind: 'counter' },
  { name: 'DCGM_energy_total', kind: 'counter', machine: true },
  { name: 'prompt_tokens_total', kind: 'counter', release: 1 },
  { name: 'time_to_first_token_seconds', kind: 'histogram', release: 1 },
  { name: 'vllm:prompt_tokens_total', kind: 'counter', release: 2, labels: ENGINES },
  { name: 'vllm:request_success_total', kind: 'counter', release: 2, labels: FINISHES },
  { name: 'vllm:time_to_first_token_seconds', kind: 'histogram', release: 2, labels: ENGINES },
];

/** Series that are never sent by choice. */
export function isFiltered(key: string): boolean {
  return key.startsWith('python_');
}

/** Series whose counts belong to the machine. */
export function isOfMachine(key: string): boolean {
  return key.startsWith('DCGM_');
}

/** `id`: what tells the lives of its processes from those of another. */
export function createNim(kind: NimKind, nowMs: number, id = ''): Nim {
  const nim: Nim = {
    kind,
    id,
    processes: [],
    machine: createProcess('machine', nowMs - LONG_AGO_MS, 0),
    lives: 0,
  };
  begin(nim, Math.round(nowMs - kind.ageS * 1_000));
  count(nim, 7, 40);
  return nim;
}

function createProcess(id: string, startMs: number, release: Release): NimProcess {
  const models = new Map([[FIRST_MODEL as string, startMs]]);
  return { id, startMs, release, bounds: FIRST_BOUNDS, generation: 0, models, values: new Map() };
}

/** A new life; the older ones stay, in case one of them answers again. */
export function begin(nim: Nim, startMs: number, release = nim.processes.at(-1)?.release): NimProcess {
  const process = createProcess(`${nim.id}life ${nim.lives++}`, startMs, release ?? nim.kind.release);
  nim.processes.push(process);
  return process;
}

export function newest({ processes }: Nim): NimProcess {
  return processes.at(-1) as NimProcess;
}

/** All processes of an address count, each a little differently; `load` 0: nothing happens. */
export function count(nim: Nim, load: number, times = 1): void {
  for (const [p, process] of [nim.machine, ...nim.processes].entries())
    countOne(process, load + p, times, load);
}

export function countOne(process: NimProcess, mix: number, times: number, load: number): void {
  if (load === 0) return;
  let i = 0;
  for (const { key, kind } of seriesOf(process)) {
    const values = valuesOf(process, key, kind);
    const first = kind === 'counter' ? 0 : 1;
    for (let part = first; part < values.length; part++) {
      const amount = amountOf(mix, i++) * times;
      values[part] = (values[part] as number) + amount;
      // Observations of the first histogram can be negative: its sum falls without a restart.
      const observed = part * 0.25 - (key === 'latency_seconds' ? 0.5 : 0);
      if (kind !== 'counter') values[0] = (values[0] as number) + amount * observed;
    }
  }
}

/** Small, mixed, often zero; the same for the same load. */
function amountOf(load: number, i: number): number {
  const mixed = Math.imul(Math.imul(load, 0x9e3779b1) ^ (i + 1), 0x85ebca6b) >>> 8;
  return Math.max(0, (mixed % 9) - 3);
}

type SpecifiedSeries = Spec & { readonly key: string; readonly own: Labels; readonly model?: string };

function* seriesOf({ models, id, release }: NimProcess): Iterable<SpecifiedSeries> {
  for (const spec of SPECS) {
    if ((spec.machine === true) !== (id === 'machine')) continue;
    if (spec.release !== undefined && spec.release !== release) continue;
    if (spec.perModel === true)
      for (const model of models.keys()) yield { ...specified(spec, { model }), model };
    else for (const own of spec.labels ?? [{}]) yield specified(spec, own);
  }
}

function specified(spec: Spec, own: Labels): SpecifiedSeries {
  return { ...spec, own, key: `${spec.name}${labelText(own)}` };
}

function valuesOf({ values, bounds }: NimProcess, key: string, kind: ShownSeries['kind']): number[] {
  let found = values.get(key);
  if (found === undefined) {
    const width = kind === 'counter' ? 1 : kind === 'summary' ? 2 : bounds.length + 2;
    found = Array.from({ length: width }, () => 0);
    values.set(key, found);
  }
  return found;
}

/** Other buckets from now on, their counts at zero; the process itself goes on. */
export function changeBounds(process: NimProcess): void {
  process.generation++;
  process.bounds = process.bounds === FIRST_BOUNDS ? OTHER_BOUNDS : FIRST_BOUNDS;
  for (const { key, kind } of seriesOf(process)) if (kind === 'histogram') process.values.delete(key);
}

interface Line {
  readonly text: string;
  readonly key?: string;
  readonly family?: string;
  readonly created?: true;
  readonly type?: true;
}

/** The page that `process` shows at `nowMs`. */
export function show(
  nim: Nim,
  process: NimProcess,
  nowMs: number,
  jitterMs: number,
  faults: readonly PageFault[],
): ShownPage {
  const { kind } = nim;
  const aheadMs = (kind.aheadS ?? 0) * 1000;
  const fault = (how: PageFault['how']): PageFault | undefined => faults.find((one) => one.how === how);
  const startMs = kind.startTime ? process.startMs + aheadMs + jitterMs : undefined;
  const hidden = fault('hides') === undefined ? undefined : MODELS[(fault('hides')?.at ?? 0) % MODELS.length];
  // In OpenMetrics a gauge has no sample with this suffix: nothing is told of it.
  const lie = kind.format === 'openmetrics' ? 'untold' : 'gauge';
  const tokens = fault('gauge') === undefined ? 'told' : lie;
  const nan = fault('nan') === undefined ? undefined : 'tokens';
  const untold = fault('no_types') !== undefined;

  const lines: Line[] = [];
  if (startMs !== undefined) {
    lines.push({ text: '# TYPE process_start_time_seconds gauge' });
    lines.push({ text: `process_start_time_seconds ${startMs / 1000}`, key: 'start' });
  }
  const series: ShownSeries[] = [];
  let family = '';
  for (const owner of [process, nim.machine]) {
    for (const spec of seriesOf(owner)) {
      if (spec.model !== undefined && spec.model === hidden) continue;
      const isOpenMetrics = kind.format === 'openmetrics';
      const own = isOpenMetrics ? spec.name.replace(/_total$/, '') : spec.name;
      const type = spec.name === 'tokens_total' ? tokens : 'told';
      if (own !== family && !untold)
        lines.push({
          text: `# TYPE ${own} ${type === 'told' ? spec.kind : 'gauge'}`,
          family: own,
          type: true,
        });
      family = own;
      const values = [...valuesOf(owner, spec.key, spec.kind)];
      const isNan = nan !== undefined && spec.name === 'tokens_total';
      const bounds = spec.kind === 'histogram' ? owner.bounds : [];
      for (const text of linesOf(spec, bounds, isNan ? [NaN] : values))
        lines.push({ text, key: spec.key, family: own });
      const createdMs =
        isOpenMetrics && owner !== nim.machine
          ? (owner.models.get(spec.model ?? FIRST_MODEL) ?? owner.startMs) + aheadMs
          : undefined;
      if (createdMs !== undefined)
        lines.push({
          text: `${own}_created${labelText(spec.own)} ${createdMs / 1000}`,
          key: spec.key,
          family: own,
          created: true,
        });
      if (isNan) continue;
      series.push({
        key: spec.key,
        name: spec.name,
        family: own,
        kind: spec.kind,
        bounds,
        values,
        ...(createdMs === undefined ? {} : { createdMs: Math.floor((createdMs / 1000) * 1000) }),
        life: `${owner.id}.${owner.generation}`,
        type: untold ? 'untold' : type,
      });
    }
  }
  lines.push({ text: '# TYPE running gauge' }, { text: 'running 3', key: 'running' });
  if (kind.format === 'openmetrics') lines.push({ text: '# EOF' });
  const showsTokens = lines.some(({ key }) => key?.startsWith('tokens_total') === true);
  const tornFamilies = new Set(nan !== undefined && showsTokens ? [nan, 'tokens_total'] : []);
  const page = {
    text: lines.map(({ text }) => `${text}\n`).join(''),
    complete: kind.framed,
    format: kind.format,
    life: process.id,
    ...(startMs === undefined ? {} : { startMs }),
    scrapedAtMs: nowMs + aheadMs,
    series,
    torn: kind.framed || kind.format === 'openmetrics' ? tornFamilies : ('all' as const),
  };
  if (fault('empty') !== undefined) return emptied(page);
  const half = fault('half');
  return half === undefined ? page : cut(page, lines, half.at);
}

function linesOf(
  { name, kind, own }: SpecifiedSeries,
  bounds: readonly number[],
  values: readonly number[],
): readonly string[] {
  const labels = labelText(own);
  if (kind === 'counter') return [`${name}${labels} ${values[0]}`];
  const [sum = 0, ...counts] = values;
  const total = counts.reduce((all, one) => all + one, 0);
  const ends = [`${name}_count${labels} ${total}`, `${name}_sum${labels} ${sum}`];
  if (kind === 'summary') return ends;
  let below = 0;
  const buckets = [...bounds, '+Inf'].map((bound, i) => {
    below += counts[i] ?? 0;
    return `${name}_bucket${labelText({ ...own, le: String(bound) })} ${below}`;
  });
  return [...buckets, ...ends];
}

/** `{engine="0"}`, empty without labels. */
export function labelText(labels: Labels): string {
  const words = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return words.length === 0 ? '' : `{${words.join(',')}}`;
}

function emptied({ life, scrapedAtMs }: ShownPage): ShownPage {
  return { life, scrapedAtMs, complete: true, format: 'text', text: '', series: [], torn: 'all' };
}

/** Cut within a line: what stands whole before the cut is there, the rest is not. */
function cut({ startMs, ...page }: ShownPage, lines: readonly Line[], at: number): ShownPage {
  let end = Math.floor((page.text.length * at) / 1_000);
  if (page.text.charCodeAt(end - 1) === 10) end++;
  const text = page.text.slice(0, end);
  const whole = text.split('\n').length - 1;
  const isThere = (choose: (line: Line) => boolean): boolean =>
    lines.every((line, i) => !choose(line) || i < whole);
  const series = page.series.flatMap(({ createdMs, ...one }): readonly ShownSeries[] => {
    if (!isThere(({ key, created }) => key === one.key && created === undefined)) return [];
    const showsCreated = isThere(({ key, created }) => key === one.key && created === true);
    return [{ ...one, ...(createdMs !== undefined && showsCreated ? { createdMs } : {}) }];
  });
  const showsStart = isThere(({ key }) => key === 'start');
  return {
    ...page,
    ...(startMs !== undefined && showsStart ? { startMs } : {}),
    complete: false,
    format: 'text',
    text,
    series,
    torn: 'all',
  };
}
