/**
 * Queries of the subset on points as Dynatrace stores them: one slot a minute, a series for each metric and set of
 * dimensions (docs.dynatrace.com, "DQL metric commands"). What is legal but misleads is an error: a gauge added up
 * without a rollup, the mean of a counter, arithmetic on a series without `[]`.
 */
import {
  type Expression,
  type ParsedAggregation,
  type Step,
  type Timeseries,
  parseDql,
} from './dql-parser.ts';

export interface StoredPoint {
  readonly metric: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly dimensions: Readonly<Record<string, string>>;
  readonly timeMs: number;
  /** Of a counter or gauge. */
  readonly value?: number;
  readonly histogram?: StoredHistogram;
}

export interface StoredHistogram {
  readonly count: number;
  readonly sum: number;
  readonly bounds: readonly number[];
  readonly buckets: readonly number[];
}

export interface Store {
  readonly points: readonly StoredPoint[];
  /** Records of other tables. */
  readonly tables: Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>;
  /** Several values of a query variable, one text of a text variable. */
  readonly variables: Readonly<Record<string, string | readonly string[]>>;
  /** From the first minute to the end of the last one. */
  readonly fromMs: number;
  readonly toMs: number;
}

export type SeriesCell = readonly (number | null)[];
export type Cell = string | number | null | SeriesCell;
export type DqlRecord = Readonly<Record<string, Cell>>;

const SLOT_MS = 60_000;

/** @throws Error for a query outside of the subset, or one that misleads. */
export function evaluateDql(text: string, store: Store): readonly DqlRecord[] {
  const query = parseDql(text);
  if (query.kind === 'timeseries') {
    return query.steps.reduce(
      (records: readonly DqlRecord[], step) => applyStep(records, step, store),
      timeseries(query, store),
    );
  }
  const rows = (store.tables[query.table] ?? []).filter((row) => row[query.field] === query.value);
  return [{ [query.column]: new Set(rows.map((row) => row[query.of])).size }];
}

function timeseries({ aggregations, by, filter, union }: Timeseries, store: Store): readonly DqlRecord[] {
  const passing = store.points.filter(({ dimensions }) =>
    filter.every(({ dimension, variable }) => {
      const allowed = store.variables[variable];
      if (!Array.isArray(allowed)) throw new Error(`$${variable} is no list`);
      return (allowed as readonly string[]).includes(dimensions[dimension] ?? '');
    }),
  );
  const groups = new Map<string, Record<string, Cell>>();
  const columns = aggregations.map((aggregation) => {
    const grouped = Map.groupBy(
      passing.filter(({ metric }) => metric === aggregation.metric),
      ({ dimensions }) => JSON.stringify(by.map((name) => dimensions[name] ?? null)),
    );
    for (const [key, [first]] of grouped) {
      groups.set(key, Object.fromEntries(by.map((name) => [name, first?.dimensions[name] ?? null])));
    }
    return grouped;
  });
  return [...groups]
    .filter(([key]) => union || columns.every((grouped) => grouped.has(key)))
    .map(([key, dimensions]) => {
      const cells = aggregations.map((aggregation, i) => [
        aggregation.column,
        cellOf(aggregation, columns[i]?.get(key) ?? [], store),
      ]);
      return { ...dimensions, ...(Object.fromEntries(cells) as DqlRecord) };
    });
}

function cellOf(
  aggregation: ParsedAggregation,
  points: readonly StoredPoint[],
  { fromMs, toMs }: Store,
): Cell {
  const { scalar, rateMs } = aggregation;
  if (scalar && rateMs !== undefined) throw new Error('a rate over the whole timeframe is not of the subset');
  const filled = (value: number | null) => value ?? aggregation.default ?? null;
  if (scalar) return filled(valueOf(aggregation, points));
  const slots = Array.from({ length: (toMs - fromMs) / SLOT_MS }, (_, i) => fromMs + i * SLOT_MS);
  return slots.map((slotMs) => {
    const inSlot = points.filter(({ timeMs }) => timeMs >= slotMs && timeMs < slotMs + SLOT_MS);
    const value = valueOf(aggregation, inSlot);
    return filled(value === null || rateMs === undefined ? value : (value * rateMs) / SLOT_MS);
  });
}

function valueOf(aggregation: ParsedAggregation, points: readonly StoredPoint[]): number | null {
  const { function: fn, metric, rank, rollup } = aggregation;
  const kinds = new Set(points.map(({ kind }) => kind));
  const only = (...allowed: readonly StoredPoint['kind'][]) => {
    for (const kind of kinds) {
      if (!allowed.includes(kind))
        throw new Error(
          `${fn}${rollup === undefined ? '' : ` with a rollup`} misleads on ${metric}, a ${kind}`,
        );
    }
  };
  if (points.length === 0) return null;
  const values = points.map(({ value }) => value ?? NaN);
  switch (fn) {
    case 'sum': {
      only(rollup === undefined ? 'counter' : 'gauge');
      if (rollup === undefined) return total(values);
      const series = Map.groupBy(points, ({ dimensions }) =>
        JSON.stringify(Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1))),
      );
      return total([...series.values()].map((ofSeries) => reading(rollup, ofSeries)));
    }
    case 'avg': {
      only('gauge', 'histogram');
      const count = total(points.map(({ histogram }) => histogram?.count ?? 1));
      return count === 0
        ? null
        : total(points.map(({ histogram, value }) => histogram?.sum ?? value ?? NaN)) / count;
    }
    case 'max':
      only('gauge');
      return Math.max(...values);
    case 'percentile':
      only('histogram');
      return percentile(
        points.flatMap(({ histogram }) => histogram ?? []),
        rank ?? NaN,
      );
  }
}

function reading(rollup: 'avg' | 'max', points: readonly StoredPoint[]): number {
  const values = points.map(({ value }) => value ?? NaN);
  return rollup === 'max' ? Math.max(...values) : total(values) / values.length;
}

/** Linear within a bucket; what lies above the last bound is said to be at it. */
function percentile(histograms: readonly StoredHistogram[], rank: number): number | null {
  const merged = new Map<number, number>();
  for (const { bounds, buckets } of histograms) {
    buckets.forEach((count, i) => {
      const upper = bounds[i] ?? Infinity;
      merged.set(upper, (merged.get(upper) ?? 0) + count);
    });
  }
  const sorted = [...merged].sort(([a], [b]) => a - b);
  const wanted = (rank / 100) * total(sorted.map(([, count]) => count));
  let below = 0;
  let lower = 0;
  for (const [upper, count] of sorted) {
    if (count > 0 && below + count >= wanted)
      return upper === Infinity ? lower : lower + ((upper - lower) * (wanted - below)) / count;
    below += count;
    lower = upper;
  }
  return null;
}

function applyStep(records: readonly DqlRecord[], step: Step, store: Store): readonly DqlRecord[] {
  switch (step.kind) {
    case 'fieldsAdd':
      return records.map((record) => ({ ...record, [step.name]: compute(step.expression, record, store) }));
    case 'fieldsRemove':
      return records.map((record) => {
        for (const name of step.names) fieldOf(record, name);
        return Object.fromEntries(Object.entries(record).filter(([name]) => !step.names.includes(name)));
      });
    case 'fields':
      return records.map((record) =>
        Object.fromEntries(step.names.map((name) => [name, fieldOf(record, name)])),
      );
    case 'dedup': {
      const key = (record: DqlRecord) => JSON.stringify(step.names.map((name) => fieldOf(record, name)));
      return [...new Map(records.map((record) => [key(record), record])).values()];
    }
    case 'sort': {
      const sign = step.direction === 'asc' ? 1 : -1;
      const value = (record: DqlRecord) => Number(fieldOf(record, step.name));
      return records.toSorted((a, b) => sign * (value(a) - value(b)));
    }
    case 'limit':
      return records.slice(0, step.rows);
  }
}

function fieldOf(record: DqlRecord, name: string): Cell {
  const cell = record[name];
  if (cell === undefined) throw new Error(`there is no field ${name}`);
  return cell;
}

function compute(expression: Expression, record: DqlRecord, store: Store): number | null | SeriesCell {
  switch (expression.kind) {
    case 'number':
      return expression.value;
    case 'variable': {
      const value = store.variables[expression.name];
      if (typeof value !== 'string' || value === '') throw new Error(`$${expression.name} is no text`);
      return Number(value);
    }
    case 'field': {
      const cell = fieldOf(record, expression.name);
      if (typeof cell === 'string') throw new Error(`${expression.name} is no number`);
      if (Array.isArray(cell) === expression.elements) return cell;
      throw new Error(`arithmetic on ${expression.name} ${expression.elements ? 'has' : 'lacks'} []`);
    }
    case 'operation': {
      const left = compute(expression.left, record, store);
      const right = compute(expression.right, record, store);
      const length = Array.isArray(left) ? left.length : Array.isArray(right) ? right.length : undefined;
      if (length === undefined)
        return calculate(expression.operator, left as number | null, right as number | null);
      const element = (side: typeof left, i: number) =>
        typeof side === 'object' ? (side?.[i] ?? null) : side;
      return Array.from({ length }, (_, i) =>
        calculate(expression.operator, element(left, i), element(right, i)),
      );
    }
  }
}

function calculate(
  operator: '+' | '-' | '*' | '/',
  left: number | null,
  right: number | null,
): number | null {
  if (left === null || right === null || (operator === '/' && right === 0)) return null;
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
  }
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
