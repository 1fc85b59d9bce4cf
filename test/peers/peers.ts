/** The peers, each started as its users start it, and what its reports add up to. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { respond, startLoopback } from '../../functions/cli/world/loopback.ts';
import { startReceiver } from '../../functions/cli/world/receiver.ts';
import { type CollectorVersion, collectorPath, vmagentPath } from './build.ts';
import { readWriteRequest } from './remote-write.ts';
import type { Counts } from './sequence.ts';

export interface Peer {
  readonly name: string;
  readonly startSink: () => Promise<Sink>;
  readonly start: (stage: Stage) => ChildProcess;
}

/** Where a peer sends to. */
export interface Sink {
  readonly endpoint: string;
  readonly counts: () => Counts;
  readonly close: () => Promise<void>;
}

export interface Stage {
  /** host:port; the page is at /v1/metrics. */
  readonly address: string;
  readonly endpoint: string;
  /** Kept over a restart of the peer. */
  readonly directory: string;
}

export const OURS: Peer = {
  name: 'nim-to-dynatrace',
  startSink: startDynatrace,
  start: ({ address, endpoint, directory }) => {
    const cli = join(import.meta.dirname, '../../functions/cli/nim-to-dynatrace.js');
    const options = ['--target', `http://${address}/v1/metrics`, '--endpoint', endpoint, '--interval', '1s'];
    return launch(process.execPath, [cli, 'run', ...options, '--state', join(directory, 'state')]);
  },
};

/** As on the reference page, with the path of NIM's page; `startTime` puts the start time processor before the deltas. */
export function collector(version: CollectorVersion, startTime: boolean): Peer {
  return {
    name: `Collector ${version.slice(1)}${startTime ? ' with start time processor' : ''}`,
    startSink: startDynatrace,
    start: (stage) => {
      const file = join(stage.directory, 'collector.yaml');
      writeFileSync(file, collectorConfig(stage, startTime));
      return launch(collectorPath(version), ['--config', file]);
    },
  };
}

function collectorConfig({ address, endpoint }: Stage, startTime: boolean): string {
  return `
receivers:
  prometheus:
    config:
      scrape_configs:
        - job_name: nim-metrics
          scrape_interval: 1s
          honor_labels: false
          metrics_path: /v1/metrics
          static_configs:
            - targets: ["${address}"]
processors:
  cumulativetodelta:
    max_staleness: 25h
  metricstarttime: {}
exporters:
  otlphttp:
    endpoint: ${endpoint}
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    metrics:
      receivers: [prometheus]
      processors: [${startTime ? 'metricstarttime, ' : ''}cumulativetodelta]
      exporters: [otlphttp]
`;
}

/** vmagent speaks remote write, which Dynatrace does not take: what it would tell if somebody took it. */
export const VMAGENT: Peer = {
  name: 'vmagent, `increase` by remote write',
  startSink: startRemoteWrite,
  start: ({ address, endpoint, directory }) => {
    const scrape = join(directory, 'scrape.yaml');
    const aggregation = join(directory, 'aggregation.yaml');
    writeFileSync(
      scrape,
      `scrape_configs:
  - job_name: nim-metrics
    scrape_interval: 1s
    metrics_path: /v1/metrics
    static_configs: [{ targets: ["${address}"] }]
`,
    );
    // Only what is cumulative: an increase of gauges means nothing.
    writeFileSync(
      aggregation,
      `- match: '{__name__=~".+_(total|count)"}'
  interval: 1s
  outputs: [increase]
  keep_metric_names: true
  flush_on_shutdown: true
`,
    );
    return launch(vmagentPath(), [
      `-promscrape.config=${scrape}`,
      `-remoteWrite.url=${endpoint}`,
      '-remoteWrite.forceVMProto',
      `-remoteWrite.streamAggr.config=${aggregation}`,
      '-remoteWrite.streamAggr.dropInput',
      `-remoteWrite.tmpDataPath=${directory}`,
      '-httpListenAddr=127.0.0.1:0',
      '-loggerLevel=ERROR',
    ]);
  },
};

function launch(command: string, args: readonly string[]): ChildProcess {
  return spawn(command, args, { stdio: ['ignore', 'ignore', process.env['DEBUG'] ? 'inherit' : 'ignore'] });
}

async function startDynatrace(): Promise<Sink> {
  const receiver = await startReceiver();
  const counts = (): Counts => {
    const sums = new Map<string, number>();
    for (const point of receiver.points) {
      if (point.kind === 'counter') add(sums, point.name, point.value);
      else if (point.kind === 'histogram') add(sums, `${point.name}_count`, point.count);
    }
    return sums;
  };
  return { endpoint: receiver.endpoint, counts, close: receiver.close };
}

async function startRemoteWrite(): Promise<Sink> {
  const sums = new Map<string, number>();
  const { port, close } = await startLoopback(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    for (const { name, value } of readWriteRequest(Buffer.concat(chunks)))
      if (Number.isFinite(value)) add(sums, name, value);
    respond(response, { status: 204 });
  }, 0);
  return { endpoint: `http://127.0.0.1:${port}/api/v1/write`, counts: () => sums, close };
}

function add(sums: Map<string, number>, name: string, value: number): void {
  sums.set(name, (sums.get(name) ?? 0) + value);
}
