/** `nim-to-dynatrace status`: what a deployment did last, and what needs somebody. A health check by its exit code. */
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { systemClock } from '../adapters/clock.ts';
import { readStackOutputs } from '../adapters/stack-cloudformation.ts';
import { readStatus } from '../adapters/status-dynamodb.ts';
import { judgeStatus } from '../core/status.ts';
import { print, say, withOutput } from './output.ts';
import { statusJson } from './status-json.ts';
import { type StatusSettings, readStatusOptions, statusHelp } from './status-options.ts';
import { statusText } from './status-text.ts';

/** For all of it: a table of 10,000 targets is read in some seconds. */
const DEADLINE_MS = 60_000;

/** Of the stack in infra/app.ts. */
const TABLE_OUTPUT = 'TableName';

export async function status(args: readonly string[]): Promise<number> {
  const options = readStatusOptions(args);
  if (options.code === 'help') {
    process.stdout.write(`${statusHelp()}\n`);
    return 0;
  }
  if (options.code === 'wrong') {
    say(options.problems.join('\n'));
    return 2;
  }
  return withOutput(new AbortController(), () => show(options.settings));
}

async function show({ source, output }: StatusSettings): Promise<number> {
  const deadlineMs = systemClock.monotonicMs() + DEADLINE_MS;
  const table = source.code === 'table' ? source : await findTable(source.name, deadlineMs);
  if (table.code === 'failed') {
    say(table.message);
    return 1;
  }
  const client = new DynamoDBClient();
  const read = await readStatus({ client, clock: systemClock }, table.name, deadlineMs);
  client.destroy();
  if (read.code === 'failed') {
    say(read.message);
    return 1;
  }
  const nowMs = systemClock.wallMs();
  const judged = judgeStatus(read.facts, nowMs);
  const shown = { facts: read.facts, status: judged, tableName: table.name, nowMs };
  await print(output === 'json' ? statusJson(shown) : statusText(shown));
  return judged.ok ? 0 : 1;
}

type FoundTable =
  { readonly code: 'table'; readonly name: string } | { readonly code: 'failed'; readonly message: string };

async function findTable(stackName: string, deadlineMs: number): Promise<FoundTable> {
  const client = new CloudFormationClient();
  const read = await readStackOutputs({ client, clock: systemClock }, stackName, deadlineMs);
  client.destroy();
  if (read.code === 'failed') return read;
  const name = read.outputs.get(TABLE_OUTPUT);
  if (name !== undefined) return { code: 'table', name };
  const cause = `the stack ${stackName} has no output ${TABLE_OUTPUT}`;
  return { code: 'failed', message: `cannot find the table: ${cause}; name it by --table` };
}
