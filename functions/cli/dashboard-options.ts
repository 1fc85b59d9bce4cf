/** The options of `dashboard`: one table, which the reader, `--help` and the table of docs/dashboard.md all come from. */
import type { DashboardOptions } from '../core/dashboard/dashboard.ts';
import { TOKEN_VARIABLE, environmentOrigin } from '../core/dashboard/environment.ts';
import { type CliOption, optionLines, parseOptions } from './options.ts';

export const DASHBOARD_OPTIONS: readonly CliOption[] = [
  {
    name: 'variant',
    value: 'grail|summary',
    default: 'grail',
    about: 'latencies as percentiles, or as means where histograms are stored without buckets',
  },
  {
    name: 'histogram-suffix',
    value: 'none|_bucket',
    default: 'none',
    about: 'what the environment adds to the key of a histogram',
  },
  {
    name: 'prompt-price',
    value: 'NUMBER',
    default: '0',
    about: 'price of a million prompt tokens, in any currency',
  },
  {
    name: 'generation-price',
    value: 'NUMBER',
    default: '0',
    about: 'price of a million generated tokens',
  },
  { name: 'upload', default: 'off', about: 'create or update the dashboard instead of printing it' },
  {
    name: 'environment',
    value: 'URL',
    default: 'none',
    about: `with --upload: https://<environment>.apps.dynatrace.com; the platform token is read from ${TOKEN_VARIABLE}`,
  },
  { name: 'help', short: 'h', default: 'off', about: 'this text' },
];

export interface DashboardSettings {
  readonly dashboard: DashboardOptions;
  /** Where to upload; undefined: print. */
  readonly origin: string | undefined;
}

export type ReadDashboardOptions =
  | { readonly code: 'settings'; readonly settings: DashboardSettings }
  | { readonly code: 'help' }
  | { readonly code: 'wrong'; readonly problems: readonly string[] };

export function readDashboardOptions(args: readonly string[]): ReadDashboardOptions {
  const options = parseOptions(args, DASHBOARD_OPTIONS, false);
  if (typeof options === 'string') return { code: 'wrong', problems: [options] };
  if (options.isOn('help')) return { code: 'help' };
  const { text, isOn } = options;
  const problems: string[] = [];
  const suffix = oneOf('histogram-suffix', text('histogram-suffix'), ['none', '_bucket'], problems);
  const settings: DashboardSettings = {
    dashboard: {
      variant: oneOf('variant', text('variant'), ['grail', 'summary'], problems),
      histogramSuffix: suffix === 'none' ? '' : suffix,
      promptPrice: readPrice('prompt-price', text('prompt-price'), problems),
      generationPrice: readPrice('generation-price', text('generation-price'), problems),
    },
    origin: readEnvironment(text('environment'), isOn('upload'), problems),
  };
  return problems.length > 0 ? { code: 'wrong', problems } : { code: 'settings', settings };
}

/** The first one is the default. */
function oneOf<T extends string>(
  name: string,
  text: string | undefined,
  values: readonly [T, T],
  problems: string[],
): T {
  const found = text === undefined ? values[0] : values.find((value) => value === text);
  if (found !== undefined) return found;
  problems.push(
    `cannot use --${name} ${text}: it is neither ${values.join(' nor ')}; write --${name} ${values[0]}`,
  );
  return values[0];
}

/** As DQL's toDouble reads it: no sign, no exponent, no thousands. */
function readPrice(name: string, text: string | undefined, problems: string[]): string {
  if (text === undefined || /^\d{1,12}(\.\d{1,12})?$/.test(text)) return text ?? '0';
  problems.push(`cannot use --${name} ${text}: it is no decimal number; write --${name} 0.15`);
  return '0';
}

function readEnvironment(
  text: string | undefined,
  isUpload: boolean,
  problems: string[],
): string | undefined {
  if (text === undefined) {
    if (isUpload) {
      problems.push(
        'cannot upload the dashboard: no environment is given; add --environment https://<environment>.apps.dynatrace.com',
      );
    }
    return undefined;
  }
  const read = environmentOrigin(text);
  if ('problem' in read) problems.push(read.problem);
  else if (isUpload) return read.origin;
  else problems.push('cannot use --environment alone: the dashboard is only printed; add --upload');
  return undefined;
}

export function dashboardHelp(): string {
  return [
    'nim-to-dynatrace dashboard [options]',
    '',
    'Prints a dashboard of the metrics that are sent, as JSON that the Dashboards app takes, or uploads it.',
    'Uploading it again updates the same dashboard; what was edited by hand is overwritten.',
    '',
    ...optionLines(DASHBOARD_OPTIONS),
    '',
    'Exit code: 0 when it was printed or uploaded, 1 when Dynatrace did not take it, 2 for wrong usage.',
  ].join('\n');
}
