/** A real table behind a proxy that can fail, for the tests of the state adapter. */
import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AttributeValue, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { systemClock } from '../../functions/adapters/clock.ts';
import { createState, createTableIfAbsent } from '../../functions/adapters/state-dynamodb.ts';
import type { Clock } from '../../functions/core/ports.ts';
import { FAKE_AWS } from '../fakes/aws-json.ts';
import { startDynamoDbFaults } from '../fakes/dynamodb-faults.ts';

export const TICK_MS = Date.UTC(2026, 10, 24, 12, 0);
export const DICTIONARY = new TextEncoder().encode('num_requests_running request_success_total');
export const TABLE = 'nim-state';

export const clock: Clock = { wallMs: () => TICK_MS + 1_234, monotonicMs: systemClock.monotonicMs };
export const soon = () => clock.monotonicMs() + 30_000;
export const stateOf = (client: DynamoDBClient) =>
  createState({ client, tableName: TABLE, clock, dictionary: DICTIONARY });

export async function openStateTable() {
  const server: Server = dynalite({ createTableMs: 0 });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const faults = await startDynamoDbFaults(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const client = new DynamoDBClient({ ...FAKE_AWS, endpoint: faults.endpoint });
  const impatient = new DynamoDBClient({ ...FAKE_AWS, endpoint: faults.endpoint, maxAttempts: 1 });
  assert.deepEqual(await createTableIfAbsent(client, TABLE), { code: 'ready' });
  const close = async (): Promise<void> => {
    client.destroy();
    impatient.destroy();
    await faults.close();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  };
  const attributes = async (pk: string): Promise<Record<string, AttributeValue>> =>
    (await client.send(new GetItemCommand({ TableName: TABLE, Key: { pk: { S: pk } } }))).Item ?? {};
  /** How often an operation reached the table during `run`. */
  const count = async (operation: string, run: () => Promise<unknown>): Promise<number> => {
    const from = faults.operations.length;
    await run();
    return faults.operations.slice(from).filter((name) => name === operation).length;
  };
  return { faults, client, impatient, attributes, count, close };
}

export type StateTable = Awaited<ReturnType<typeof openStateTable>>;
