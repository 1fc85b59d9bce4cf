/**
 * DQL as far as the dashboard uses it, by hand: `timeseries` and one form of `fetch`, followed by fieldsAdd,
 * fieldsRemove, fields, dedup, sort and limit. Whatever else stands in a query is an error.
 */

export type AggregationName = 'sum' | 'avg' | 'max' | 'percentile';

export interface ParsedAggregation {
  readonly column: string;
  readonly function: AggregationName;
  readonly metric: string;
  readonly rank?: number;
  readonly rollup?: 'avg' | 'max';
  readonly default?: number;
  readonly rateMs?: number;
  readonly scalar: boolean;
}

export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  /** `toDouble($Name)`. */
  | { readonly kind: 'variable'; readonly name: string }
  /** `elements`: written `name[]`. */
  | { readonly kind: 'field'; readonly name: string; readonly elements: boolean }
  | {
      readonly kind: 'operation';
      readonly operator: '+' | '-' | '*' | '/';
      readonly left: Expression;
      readonly right: Expression;
    };

export type Step =
  | { readonly kind: 'fieldsAdd'; readonly name: string; readonly expression: Expression }
  | { readonly kind: 'fieldsRemove' | 'fields' | 'dedup'; readonly names: readonly string[] }
  | { readonly kind: 'sort'; readonly name: string; readonly direction: 'asc' | 'desc' }
  | { readonly kind: 'limit'; readonly rows: number };

export interface Timeseries {
  readonly kind: 'timeseries';
  readonly aggregations: readonly ParsedAggregation[];
  readonly by: readonly string[];
  /** `in(dimension, array($Variable))`, all of which hold. */
  readonly filter: readonly { readonly dimension: string; readonly variable: string }[];
  readonly union: boolean;
  readonly steps: readonly Step[];
}

/** `fetch table | filter field == "value" | summarize column = countDistinct(of)`. */
export interface Fetch {
  readonly kind: 'fetch';
  readonly table: string;
  readonly field: string;
  readonly value: string;
  readonly column: string;
  readonly of: string;
}

const TOKEN = /\s*(?:([A-Za-z_][\w.]*)|(\d+(?:\.\d+)?s?\b)|(\$\w+)|("[^"\\]*")|(\[\]|==|[{}()=,:|+\-*/]))/y;

/** @throws Error for what is not of the subset. */
export function parseDql(text: string): Timeseries | Fetch {
  const tokens = tokensOf(text);
  let at = 0;
  const peek = () => tokens[at] ?? '';
  const next = () => tokens[at++] ?? '';
  const takes = (token: string) => peek() === token && next() === token;
  const expect = (token: string) => {
    if (!takes(token)) fail(`${token} is expected where ${peek() || 'the end'} stands`, text);
  };
  const matching = (pattern: RegExp, what: string) => {
    const token = next();
    return pattern.test(token) ? token : fail(`${token || 'the end'} is no ${what}`, text);
  };
  const name = () => matching(/^[A-Za-z_]/, 'name');
  const number = () => Number(matching(/^\d+(\.\d+)?$/, 'number'));
  const list = <T>(item: () => T): T[] => {
    const items = [item()];
    while (takes(',')) items.push(item());
    return items;
  };
  const braced = <T>(item: () => T): T[] => {
    expect('{');
    const items = list(item);
    expect('}');
    return items;
  };

  const aggregation = (): ParsedAggregation => {
    const column = name();
    expect('=');
    const fn = matching(/^(sum|avg|max|percentile)$/, 'known aggregation') as AggregationName;
    expect('(');
    const metric = name();
    let parsed: ParsedAggregation = { column, function: fn, metric, scalar: false };
    if (fn === 'percentile') {
      expect(',');
      parsed = { ...parsed, rank: number() };
    }
    while (takes(',')) parsed = { ...parsed, ...parameter() };
    expect(')');
    return parsed;
  };
  const parameter = (): Partial<ParsedAggregation> => {
    const key = name();
    expect(':');
    if (key === 'rollup') return { rollup: matching(/^(avg|max)$/, 'known rollup') as 'avg' | 'max' };
    if (key === 'default') return { default: number() };
    if (key === 'rate') return { rateMs: 1000 * parseInt(matching(/^\d+s$/, 'duration in seconds'), 10) };
    if (key !== 'scalar') fail(`${key} is no known parameter`, text);
    expect('true');
    return { scalar: true };
  };
  const condition = () => {
    expect('in');
    expect('(');
    const dimension = name();
    expect(',');
    expect('array');
    expect('(');
    const variable = matching(/^\$/, 'variable').slice(1);
    expect(')');
    expect(')');
    return { dimension, variable };
  };

  const sum = (): Expression => operations(product, /^[+-]$/);
  const product = (): Expression => operations(operand, /^[*/]$/);
  const operations = (part: () => Expression, operators: RegExp): Expression => {
    let left = part();
    while (operators.test(peek())) left = { kind: 'operation', operator: next() as '+', left, right: part() };
    return left;
  };
  const operand = (): Expression => {
    if (takes('(')) {
      const inner = sum();
      expect(')');
      return inner;
    }
    if (/^\d/.test(peek())) return { kind: 'number', value: number() };
    const field = name();
    if (field !== 'toDouble') return { kind: 'field', name: field, elements: takes('[]') };
    expect('(');
    const variable = matching(/^\$/, 'variable').slice(1);
    expect(')');
    return { kind: 'variable', name: variable };
  };

  const step = (): Step => {
    const kind = next();
    switch (kind) {
      case 'fieldsAdd': {
        const added = name();
        expect('=');
        return { kind, name: added, expression: sum() };
      }
      case 'fieldsRemove':
      case 'fields':
      case 'dedup':
        return { kind, names: list(name) };
      case 'sort':
        return {
          kind,
          name: name(),
          direction: matching(/^(asc|desc)$/, 'direction') as 'asc' | 'desc',
        };
      case 'limit':
        return { kind, rows: number() };
      default:
        return fail(`${kind || 'the end'} is no known command`, text);
    }
  };

  const timeseries = (): Timeseries => {
    const aggregations = peek() === '{' ? braced(aggregation) : [aggregation()];
    let by: string[] = [];
    let filter: Timeseries['filter'] = [];
    let union = false;
    while (takes(',')) {
      const key = name();
      expect(':');
      if (key === 'by') by = braced(name);
      else if (key === 'filter') {
        expect('{');
        const conditions = [condition()];
        while (takes('and')) conditions.push(condition());
        expect('}');
        filter = conditions;
      } else if (key === 'union') {
        expect('true');
        union = true;
      } else fail(`${key} is no known parameter`, text);
    }
    const steps: Step[] = [];
    while (takes('|')) steps.push(step());
    return { kind: 'timeseries', aggregations, by, filter, union, steps };
  };
  const fetch = (): Fetch => {
    const table = name();
    expect('|');
    expect('filter');
    const field = name();
    expect('==');
    const value = matching(/^"/, 'text').slice(1, -1);
    for (const token of ['|', 'summarize']) expect(token);
    const column = name();
    for (const token of ['=', 'countDistinct', '(']) expect(token);
    const of = name();
    expect(')');
    return { kind: 'fetch', table, field, value, column, of };
  };

  const command = next();
  if (command !== 'timeseries' && command !== 'fetch') fail(`${command} is no known start`, text);
  const query = command === 'fetch' ? fetch() : timeseries();
  if (at < tokens.length) fail(`${peek()} stands behind the end`, text);
  return query;
}

function tokensOf(text: string): readonly string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const from = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (found === null) return fail(`${text.slice(from, from + 10)} is no token`, text);
    tokens.push(found[0].trimStart());
  }
  return tokens;
}

function fail(cause: string, text: string): never {
  throw new Error(`not of the DQL subset: ${cause}, in:\n${text}`);
}
