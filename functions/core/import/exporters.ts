/** The Dynatrace side of a Collector's configuration: the endpoint, and where the token comes from. */
import { metricsUrl } from '../endpoint.ts';
import type { Findings } from '../config/findings.ts';
import { nameOfComponent } from './collector.ts';
import type { Collector, Component } from './collector.ts';
import type { ShellValue, StoringCommand } from './commands.ts';
import type { OpenTexts, Part } from './environment.ts';
import { tokenNameOf } from '../secrets.ts';
import { childOf, entriesOf, textOf } from '../config/yaml-tree.ts';
import type { YamlNode } from '../config/yaml.ts';

interface Context {
  readonly prefix: string;
  readonly findings: Findings;
  readonly open: OpenTexts;
}

/** The variables of Dynatrace's own examples: where a value may not be printed, or is of no use. */
const ENDPOINT: ShellValue = { kind: 'variable', name: 'DT_ENDPOINT' };
const TOKEN: ShellValue = { kind: 'variable', name: 'DT_API_TOKEN' };

/** Of several OTLP exporters the one that goes to Dynatrace, by what is written about it. */
export function storingExporter(
  { exporters, extensions }: Collector,
  context: Context,
): readonly StoringCommand[] {
  const candidates = exporters.filter(({ type }) => type === 'otlphttp');
  const chosen = candidates.find((exporter) => isDynatrace(exporter, context.open)) ?? candidates[0];
  for (const exporter of exporters) {
    if (exporter === chosen) continue;
    context.findings.note(
      exporter.at,
      `exporter ${nameOfComponent(exporter.id)} is left out: points go to Dynatrace, and to one environment`,
    );
  }
  if (chosen === undefined) return [];
  if (!isDynatrace(chosen, context.open)) {
    const cause = `exporter ${nameOfComponent(chosen.id)} is taken for the one to Dynatrace`;
    context.findings.note(chosen.at, `${cause}, since it is the only one over OTLP/HTTP; check its endpoint`);
  }
  for (const { key, at } of entriesOf(chosen.node)) {
    if (key === 'endpoint' || key === 'metrics_endpoint' || key === 'headers' || key === 'auth') continue;
    if (key === 'tls' || key === 'proxy_url') {
      const remedy =
        'Dynatrace, or an ActiveGate, must be within reach directly and with a public certificate';
      context.findings.note(at, `${key} is left out: ${remedy}`);
    } else
      context.findings.note(
        at,
        `${nameOfComponent(key)} has no effect: bodies, retries and compression are the product's own`,
      );
  }
  return [...storingEndpoint(chosen, context), ...storingToken(chosen, extensions, context)];
}

function isDynatrace({ node }: Component, open: OpenTexts): boolean {
  const header = headerOf(node);
  const texts = [childOf(node, 'endpoint'), childOf(node, 'metrics_endpoint'), header].map((one) => {
    const parts = (one && open.get(one)) ?? [];
    const names = parts.map((part) => (typeof part === 'string' ? part : part.name));
    return `${textOf(one) ?? ''} ${names.join(' ')}`;
  });
  return texts.some((text) => /dynatrace|\/api\/v2\/otlp|Api-Token|\bDT_/i.test(text));
}

function headerOf(node: YamlNode): YamlNode | undefined {
  const headers = entriesOf(childOf(node, 'headers'));
  return headers.find(({ key }) => key.toLowerCase() === 'authorization')?.value;
}

function storingEndpoint({ node, at }: Component, context: Context): readonly StoringCommand[] {
  const { prefix, findings, open } = context;
  const value = childOf(node, 'metrics_endpoint') ?? childOf(node, 'endpoint');
  const command = (shell: ShellValue, comment?: string): readonly StoringCommand[] => [
    { parameter: `${prefix}/endpoint`, type: 'String', value: shell, ...(comment && { comment }) },
  ];
  const unknown = 'set DT_ENDPOINT to https://ENVIRONMENT.live.dynatrace.com/api/v2/otlp first';
  if (value?.kind !== 'text') {
    findings.note(at, 'fill in the endpoint: the exporter has none; set DT_ENDPOINT before the commands run');
    return command(ENDPOINT, unknown);
  }
  const parts = open.get(value);
  if (parts !== undefined) {
    if (!parts.every(isVariable)) return command(ENDPOINT, unknown);
    const names = parts.flatMap((part) => (typeof part === 'string' ? [] : [part.name]));
    return command(shellOf(parts), `${names.join(' and ')}: as for the Collector`);
  }
  const read = metricsUrl(value.text);
  if ('url' in read) return command({ kind: 'text', text: value.text.trim() });
  findings.note(value.at, `${read.problem}; set DT_ENDPOINT to it before the commands run`);
  return command(ENDPOINT, unknown);
}

function isVariable(part: Part): boolean {
  return typeof part === 'string' ? /^[\w:/.-]*$/.test(part) : part.source === 'env';
}

function shellOf(parts: readonly Part[]): ShellValue {
  const values = parts.map((part): ShellValue =>
    typeof part === 'string' ? { kind: 'text', text: part } : { kind: 'variable', name: part.name },
  );
  return values.length === 1 && values[0] !== undefined ? values[0] : { kind: 'joined', parts: values };
}

/** What stands before the token in the header. */
const SCHEME = /^\s*(?:Api-Token|Bearer)\s+$/i;

function storingToken(
  { node, at }: Component,
  extensions: readonly Component[],
  { prefix, findings, open }: Context,
): readonly StoringCommand[] {
  const authenticator = textOf(childOf(childOf(node, 'auth'), 'authenticator'));
  const extension = extensions.find(({ id }) => id === authenticator);
  const header = headerOf(node) ?? childOf(extension?.node, 'token');
  const parts = header === undefined ? [] : (open.get(header) ?? []);
  const named = parts.filter((part) => typeof part !== 'string' || !SCHEME.test(part));
  const [only] = named;
  const command = (value: ShellValue, comment: string): readonly StoringCommand[] => [
    { parameter: tokenNameOf(prefix), type: 'SecureString', value, comment },
  ];
  if (named.length === 1 && typeof only === 'object' && only.source === 'env') {
    return command({ kind: 'variable', name: only.name }, `${only.name}: as for the Collector`);
  }
  if (named.length === 1 && typeof only === 'object' && only.source === 'file') {
    return command({ kind: 'content', path: only.name }, 'the file with the token has to be here');
  }
  if (header === undefined) {
    findings.note(at, 'fill in the token: the exporter has none; set DT_API_TOKEN before the commands run');
    return command(TOKEN, 'set DT_API_TOKEN to a token with the scope metrics.ingest first');
  }
  return command(TOKEN, `set DT_API_TOKEN to the token in line ${header.at.line} first`);
}
