/** One target, explained: for reading, and as a line of JSON. */
import { formatDuration } from '../core/duration.ts';
import type { ExplainedTarget } from '../core/relabel/explain-target.ts';
import type { Labels, Target } from '../core/model.ts';
import { labelsOfTarget } from '../core/page-view.ts';
import type { RelabelStep } from '../core/relabel/relabel.ts';
import type { ScrapeSettings, TlsConfig } from '../core/scrape-config.ts';
import { DEFAULT_PATHS } from '../core/targets.ts';
import { dynatraceOptions, dynatraceWords } from './dynatrace-words.ts';
import { changesOf, labelWords, pairsOf, paragraph, ruleText, shownParam, stepJson } from './rule-text.ts';

/** What is not scraped has no URL; its labels are those of its last step. */
export function targetJson({ config, discovered, steps, outcome }: ExplainedTarget): string {
  const target = outcome.code === 'target' ? outcome.target : undefined;
  const last = steps.findLast(({ after }) => after !== undefined)?.after ?? discovered;
  const labels = new Map(pairsOf(target === undefined ? last : labelsOfTarget(target)));
  const line = {
    job: target?.job ?? labels.get('job') ?? config.jobName,
    url: target === undefined ? null : finalUrl(target),
    labels: Object.fromEntries(labels),
    dropped: outcome.code === 'dropped',
    interval:
      target === undefined ? (labels.get('__scrape_interval__') ?? '') : formatDuration(target.intervalMs),
    timeout:
      target === undefined ? (labels.get('__scrape_timeout__') ?? '') : formatDuration(target.timeoutMs),
    dynatrace: dynatraceOptions(config.settings),
    steps: steps.map(stepJson),
  };
  return `${JSON.stringify(line)}\n`;
}

/** As it is asked for; without a path the first that is tried. */
function finalUrl({ scheme, address, path, params }: Target): string {
  const shown = params.map(([name, value]): [string, string] => [name, shownParam(name, value)]);
  const query = String(new URLSearchParams(shown));
  return `${scheme}://${address}${path || DEFAULT_PATHS[0]}${query === '' ? '' : `?${query}`}`;
}

export function targetText({ config, discovered, steps, outcome }: ExplainedTarget): string {
  return [
    ...headOf(config.jobName, discovered, steps, outcome),
    ...paragraph('  found   ', labelWords(discovered)),
    ...steps.flatMap((step, i) => stepLines(step, i + 1)),
    ...(outcome.code === 'target' ? paragraph('  labels  ', labelWords(labelsOfTarget(outcome.target))) : []),
    '',
    '',
  ].join('\n');
}

function headOf(
  job: string,
  discovered: Labels,
  steps: readonly RelabelStep[],
  outcome: ExplainedTarget['outcome'],
): readonly string[] {
  switch (outcome.code) {
    case 'dropped':
      return [`${job}  ${addressOf(discovered)}  dropped by rule ${steps.length}`];
    case 'wrong':
      return [
        `${job}  ${addressOf(discovered)}  not scraped`,
        ...paragraph('  ', outcome.message.split(' ')),
      ];
    case 'target': {
      const { target } = outcome;
      const other = target.path === '' ? `, or ${DEFAULT_PATHS[1]} where that is not its page` : '';
      const options = dynatraceWords(target);
      return [
        `${target.job}  ${finalUrl(target)}${other}`,
        ...paragraph('  scrape  ', scrapeWords(target)),
        ...(options.length === 0 ? [] : paragraph('  sent    ', options)),
      ];
    }
  }
}

/** A user name or password in it is not printed. */
function addressOf(discovered: Labels): string {
  const [, address = ''] = pairsOf(discovered).find(([name]) => name === '__address__') ?? [];
  return address.includes('@') ? 'a target' : address;
}

export function stepLines(step: RelabelStep, number: number): readonly string[] {
  const changes = step.after === undefined ? ['dropped'] : changesOf(step);
  const shown = changes.length === 0 ? ['no change'] : changes;
  return [
    ...paragraph(`  rule ${number}  `, [step.config.action, ...ruleText(step.config).split(' ')]),
    ...shown.map((change) => `            ${change}`),
  ];
}

/** How it is scraped, as far as that is not by default. Of secrets the references. */
function scrapeWords(target: Target): readonly string[] {
  const { intervalMs, timeoutMs, sampleLimit, bodySizeLimitBytes } = target;
  const words = [
    `every ${formatDuration(intervalMs)}`,
    `timeout ${formatDuration(timeoutMs)}`,
    `sample_limit ${sampleLimit}`,
    `body_size_limit ${bodySizeLimitBytes}B`,
    ...optionWords(target),
  ];
  return words.map((word, i) => (i === words.length - 1 ? word : `${word},`));
}

function optionWords(settings: ScrapeSettings): readonly string[] {
  const { authorization, basicAuth, tlsConfig, httpHeaders, metricRelabelConfigs } = settings;
  const limits = {
    label_limit: settings.labelLimit,
    label_name_length_limit: settings.labelNameLengthLimit,
    label_value_length_limit: settings.labelValueLengthLimit,
  };
  const rules = metricRelabelConfigs.length;
  return [
    ...Object.entries(limits).flatMap(([name, limit]) => (limit === 0 ? [] : [`${name} ${limit}`])),
    ...(settings.honorLabels ? ['honor_labels'] : []),
    ...(settings.honorTimestamps ? [] : ['no honor_timestamps']),
    ...(settings.followRedirects ? [] : ['no follow_redirects']),
    ...(settings.enableCompression ? [] : ['no enable_compression']),
    ...(authorization === undefined ? [] : [`authorization by ${authorization.credentials}`]),
    ...(basicAuth === undefined ? [] : [`basic_auth by ${basicAuth.password}`]),
    ...(tlsConfig === undefined ? [] : tlsWords(tlsConfig)),
    ...httpHeaders.map(({ name, secrets }) => [`header ${name}`, ...secrets].join(' by ')),
    ...(rules === 0 ? [] : [`${rules} metric_relabel_configs (see --page)`]),
  ];
}

function tlsWords(tls: TlsConfig): readonly string[] {
  const pems = { ca: tls.ca, cert: tls.cert, key: tls.key };
  return [
    ...Object.entries(pems).flatMap(([name, pem]) => {
      if (pem === undefined) return [];
      return typeof pem === 'string' ? [`own ${name}`] : [`${name} by ${pem.secret}`];
    }),
    ...(tls.serverName === undefined ? [] : [`server_name ${tls.serverName}`]),
    ...(tls.minVersion === undefined ? [] : [`min_version ${tls.minVersion}`]),
    ...(tls.maxVersion === undefined ? [] : [`max_version ${tls.maxVersion}`]),
    ...(tls.insecureSkipVerify ? ['insecure_skip_verify'] : []),
  ];
}
