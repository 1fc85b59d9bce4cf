/** Builds the real peers from the Go module proxy: the Collector's own components at an exact version, and vmagent. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `v0.145.0` is the version that the reference page links; `v0.165.0` the newest that was built. */
export const COLLECTOR_VERSIONS = ['v0.145.0', 'v0.165.0'] as const;
export type CollectorVersion = (typeof COLLECTOR_VERSIONS)[number];
/** The core's stable modules count from 1 where its others count from 0. */
const STABLE_VERSIONS: Readonly<Record<CollectorVersion, string>> = {
  'v0.145.0': 'v1.51.0',
  'v0.165.0': 'v1.71.0',
};
export const VMAGENT_VERSION = 'v1.151.0';

const ROOT = join(import.meta.dirname, '../../dist/peers');

export function collectorPath(version: CollectorVersion): string {
  return join(ROOT, `collector-${version}`, 'otelcol');
}

export function vmagentPath(): string {
  return join(ROOT, `vmagent-${VMAGENT_VERSION}`, 'vmagent');
}

/** Some five minutes for each Collector on two cores; what was built already is left alone. */
export function buildPeers(): void {
  for (const version of COLLECTOR_VERSIONS) if (!existsSync(collectorPath(version))) buildCollector(version);
  if (!existsSync(vmagentPath())) buildVmagent();
}

function buildCollector(version: CollectorVersion): void {
  const contrib = 'github.com/open-telemetry/opentelemetry-collector-contrib';
  const core = 'go.opentelemetry.io/collector';
  const modules = [
    `${contrib}/receiver/prometheusreceiver@${version}`,
    `${contrib}/processor/cumulativetodeltaprocessor@${version}`,
    `${contrib}/processor/metricstarttimeprocessor@${version}`,
    `${contrib}/extension/healthcheckextension@${version}`,
    `${core}/exporter/otlphttpexporter@${version}`,
    `${core}/otelcol@${version}`,
    `${core}/confmap/provider/envprovider@${STABLE_VERSIONS[version]}`,
    `${core}/confmap/provider/fileprovider@${STABLE_VERSIONS[version]}`,
  ];
  const directory = join(ROOT, `collector-${version}`);
  mkdirSync(directory, { recursive: true });
  copyFileSync(join(import.meta.dirname, 'collector.go'), join(directory, 'main.go'));
  writeFileSync(join(directory, 'go.mod'), 'module peers/collector\n\ngo 1.25.0\n');
  const go = (...args: string[]) => runGo(args, directory);
  go('get', ...modules);
  go('mod', 'tidy');
  go('build', '-ldflags', `-s -w -X main.version=${version.slice(1)}`, '-o', 'otelcol', '.');
}

function buildVmagent(): void {
  const directory = join(ROOT, `vmagent-${VMAGENT_VERSION}`);
  mkdirSync(directory, { recursive: true });
  runGo(['install', `github.com/VictoriaMetrics/VictoriaMetrics/app/vmagent@${VMAGENT_VERSION}`], directory, {
    GOBIN: directory,
  });
}

function runGo(
  args: readonly string[],
  directory: string,
  more: Readonly<Record<string, string>> = {},
): void {
  process.stderr.write(`go ${args.join(' ').slice(0, 100)}\n`);
  execFileSync('go', args, {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, CGO_ENABLED: '0', ...more },
  });
}
