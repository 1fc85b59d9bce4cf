/** Diagnoses for reading, 100 columns wide. */
import type { Check, CheckStatus, Diagnosis } from '../core/doctor/checks.ts';
import { LIST_PRICE_PER_100K, costOf } from '../core/doctor/cost.ts';
import type { Forecast, ForecastDrop, ForecastMetric } from '../core/doctor/forecast-model.ts';
import type { Preset } from './doctor-options.ts';
import { metricKey } from '../core/dynatrace.ts';
import { NOT_SENT } from './drop-words.ts';
import { paragraph } from './rule-text.ts';

/** Without colour, so what matters is in capitals. */
const STATUS: Readonly<Record<CheckStatus, string>> = {
  ok: 'ok',
  warning: 'WARNING',
  failed: 'FAILED',
  skipped: 'skipped',
};

const MAX_WIDTH = 100;

/** Of the column of names: those of the checks that are made from anywhere. */
const MIN_NAME_WIDTH = 10;

/** Metrics and alterations of one page that are shown; `-o json` has all. */
const MAX_ROWS = 100;
const MAX_ALTERATION_ROWS = 8;

/**
 * Replicas send the same, which is shown once: the table remembers what it has shown. `preset`: that of all targets;
 * undefined: each job has settings of its own.
 */
export function createDoctorTable(preset: Preset | undefined): (diagnosis: Diagnosis) => string {
  const shown = new Map<string, string>();
  return (diagnosis) => {
    const width = Math.max(MIN_NAME_WIDTH, ...diagnosis.checks.map(({ name }) => name.length));
    const checks = diagnosis.checks.flatMap((check) => checkLines(check, width));
    const parts = [titleOf(diagnosis), ...checks, ''];
    if (diagnosis.kind === 'target' && diagnosis.forecast !== undefined) {
      const lines = forecastLines(diagnosis.forecast, preset);
      const text = lines.join('\n');
      const before = shown.get(text);
      parts.push(
        ...(before === undefined ? lines : [`  what goes out and what it costs: as of ${before}`]),
        '',
      );
      if (before === undefined) shown.set(text, diagnosis.url);
    }
    if (diagnosis.kind === 'target' && diagnosis.cut !== undefined) parts.push(`  ${diagnosis.cut}`, '');
    return `${parts.join('\n')}\n`;
  };
}

function titleOf(diagnosis: Diagnosis): string {
  switch (diagnosis.kind) {
    case 'target':
      return diagnosis.url;
    case 'dynatrace':
      return 'Dynatrace';
    case 'aws':
      return `AWS, as the ${diagnosis.function} function sees it`;
  }
}

/** The last line. */
export function summaryOf(diagnoses: readonly Diagnosis[]): string {
  const checks = diagnoses.flatMap((diagnosis) => diagnosis.checks);
  const count = (status: CheckStatus) => checks.filter((check) => check.status === status).length;
  const [bad, unsure, good] = [count('failed'), count('warning'), count('ok')];
  const verdict = bad > 0 ? 'not ready' : unsure > 0 ? 'ready, with warnings' : 'ready';
  return `${verdict}: ${bad} failed, ${unsure} ${unsure === 1 ? 'warning' : 'warnings'}, ${good} ok`;
}

function checkLines({ name, status, latencyMs, message, remedy }: Check, width: number): readonly string[] {
  const took = latencyMs === undefined ? '' : `${latencyMs} ms`;
  const head = `  ${STATUS[status].padEnd(8)} ${name.padEnd(width)} ${took.padStart(8)}  `;
  const below = ' '.repeat(head.length);
  return [
    ...paragraph(head, message.split(' ')),
    ...(remedy === undefined ? [] : paragraph(`${below}-> `, remedy.split(' '))),
  ];
}

function forecastLines(forecast: Forecast, preset: Preset | undefined): readonly string[] {
  return [
    ...metricLines(forecast.metrics),
    ...dropLines(forecast.dropped),
    ...alterationLines(forecast),
    '',
    ...costLines(forecast, preset),
  ];
}

function metricLines(metrics: readonly ForecastMetric[]): readonly string[] {
  const shown = metrics.slice(0, MAX_ROWS);
  const width = Math.min(52, Math.max(6, ...shown.map(({ name }) => name.length)));
  const row = (name: string, type: string, unit: string, points: string, source: string) =>
    cut(
      `  ${name.padEnd(width)}  ${type.padEnd(9)}  ${unit.padEnd(9)} ${points.padStart(7)}  ${source}`.trimEnd(),
    );
  return [
    row('goes out', 'type', 'unit', 'series', 'on the page'),
    ...shown.map(({ name, type, unit, series, sources }) =>
      row(name, type, unit, String(series), sourceOf(name, sources)),
    ),
    ...(metrics.length > MAX_ROWS ? [`  (${metrics.length - MAX_ROWS} more; -o json has all)`] : []),
  ];
}

function cut(line: string): string {
  return line.length <= MAX_WIDTH ? line : `${line.slice(0, MAX_WIDTH - 3)}...`;
}

/** Only what the name itself does not say. */
function sourceOf(name: string, sources: readonly string[]): string {
  const [first = '(added by this product)', ...others] = sources;
  if (metricKey(first) === name && others.length === 0) return '';
  if (first.endsWith(`:${name}`) && others.length === 0) return first.replace(name, '...');
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

const DROP_WORDS: Readonly<Record<ForecastDrop['reason'], string>> = {
  ...NOT_SENT,
  filtered: 'not chosen by preset, include and exclude',
  relabelled: 'dropped by metric_relabel_configs',
};

function dropLines(dropped: readonly ForecastDrop[]): readonly string[] {
  if (dropped.length === 0) return [];
  return [
    '',
    '  stays out',
    ...dropped.flatMap(({ reason, count, examples }) => {
      const such = examples.length === 0 ? '' : `, such as ${examples.join(', ')}`;
      const head = `  ${String(count).padStart(6)}  `;
      return paragraph(head, `${reason}: ${DROP_WORDS[reason]}${such}`.split(' '));
    }),
  ];
}

function alterationLines({ altered, alterations }: Forecast): readonly string[] {
  if (alterations === 0) return [];
  const shown = altered.slice(0, MAX_ALTERATION_ROWS);
  return [
    '',
    '  changed, for Dynatrace would refuse or change it',
    ...shown.flatMap(({ kind, from, to }) =>
      paragraph('    ', `${kind.replace('_', ' ')}: ${from} -> ${to}`.split(' ')),
    ),
    ...(alterations > shown.length ? [`    and ${alterations - shown.length} more`] : []),
  ];
}

function costLines(
  { points, selfPointsPerMinute }: Forecast,
  inForce: Preset | undefined,
): readonly string[] {
  const row = (name: string, minute: string, year: string, dollars: string) =>
    `  ${name.padEnd(26)} ${minute.padStart(13)} ${year.padStart(15)} ${dollars.padStart(12)}`;
  const priced = (name: string, perMinute: number) => {
    const { pointsPerYear, dollarsPerYear } = costOf(perMinute);
    const year = Math.round(pointsPerYear).toLocaleString('en');
    return row(name, number(perMinute), year, dollarsPerYear.toFixed(2));
  };
  const presets = (['core', 'default', 'all'] as const).map((preset) =>
    priced(`preset ${preset}${preset === inForce ? ' (as here)' : ''}`, points[preset].perMinute),
  );
  return [
    row('this target', 'points/minute', 'points/year', '$/year'),
    ...(inForce === undefined ? [priced('as its job says', points.given.perMinute)] : []),
    ...presets,
    `  once for up to 150 targets: ${selfPointsPerMinute} points/minute of this product itself`,
    `  estimate at a list price of ${LIST_PRICE_PER_100K} $ per 100,000 points; your rate card may differ`,
  ];
}

function number(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 1 });
}
