/** Sendables of many targets -> bodies below Dynatrace's limits, each of which knows the series that it carries. */
import { MAX_BODY_BYTES, MAX_BODY_POINTS } from './dynatrace.ts';
import type { Attributes, DataPoint } from './model.ts';
import { encodeResource, joinRequests } from './otlp.ts';
import type { Sendable } from './points.ts';

/** Part of one target under its resource. */
export interface BodyPart<Owner> {
  readonly owner: Owner;
  readonly resource: Attributes;
  readonly sendables: readonly Sendable[];
  readonly points: number;
  readonly bytes: Uint8Array;
}

/** One POST. */
export interface Body<Owner> {
  readonly parts: readonly BodyPart<Owner>[];
  readonly points: number;
  readonly length: number;
}

/** Fills bodies in the given order; a target that is too large for one body is divided. */
export function packBodies<Owner>(
  targets: Iterable<{
    readonly owner: Owner;
    readonly resource: Attributes;
    readonly sendables: readonly Sendable[];
  }>,
  maxPoints: number = MAX_BODY_POINTS,
): readonly Body<Owner>[] {
  const bodies: Body<Owner>[] = [];
  let parts: BodyPart<Owner>[] = [];
  let points = 0;
  let length = 0;
  for (const { owner, resource, sendables } of targets) {
    for (const part of partsOf(owner, resource, sendables, maxPoints)) {
      const full = points + part.points > maxPoints || length + part.bytes.length > MAX_BODY_BYTES;
      if (full && parts.length > 0) {
        bodies.push({ parts, points, length });
        parts = [];
        points = 0;
        length = 0;
      }
      parts.push(part);
      points += part.points;
      length += part.bytes.length;
    }
  }
  if (parts.length > 0) bodies.push({ parts, points, length });
  return bodies;
}

export function bytesOf(body: Body<unknown>): Uint8Array {
  return joinRequests(body.parts.map((part) => part.bytes));
}

export function pointsOf(body: Body<unknown>): readonly DataPoint[] {
  return body.parts.flatMap((part) => part.sendables.flatMap((sendable) => sendable.points));
}

/** Two halves of a body that was too large for Dynatrace; undefined if it holds a single series. */
export function halve<Owner>(body: Body<Owner>): readonly [Body<Owner>, Body<Owner>] | undefined {
  const [only] = body.parts;
  if (only === undefined) return undefined;
  const parts = body.parts.length > 1 ? body.parts : halvePart(only);
  if (parts === undefined) return undefined;
  const middle = Math.ceil(parts.length / 2);
  return [bodyOf(parts.slice(0, middle)), bodyOf(parts.slice(middle))];
}

function bodyOf<Owner>(parts: readonly BodyPart<Owner>[]): Body<Owner> {
  return {
    parts,
    points: parts.reduce((sum, part) => sum + part.points, 0),
    length: parts.reduce((sum, part) => sum + part.bytes.length, 0),
  };
}

function partsOf<Owner>(
  owner: Owner,
  resource: Attributes,
  sendables: readonly Sendable[],
  maxPoints: number,
): readonly BodyPart<Owner>[] {
  if (sendables.length === 0) return [];
  const points = sendables.flatMap((sendable) => sendable.points);
  if (points.length <= maxPoints || sendables.length === 1) {
    const bytes = encodeResource(resource, points);
    const part = { owner, resource, sendables, points: points.length, bytes };
    if (bytes.length <= MAX_BODY_BYTES || sendables.length === 1) return [part];
  }
  const middle = Math.ceil(sendables.length / 2);
  return [
    ...partsOf(owner, resource, sendables.slice(0, middle), maxPoints),
    ...partsOf(owner, resource, sendables.slice(middle), maxPoints),
  ];
}

function halvePart<Owner>({
  owner,
  resource,
  sendables,
}: BodyPart<Owner>): readonly BodyPart<Owner>[] | undefined {
  if (sendables.length < 2) return undefined;
  const middle = Math.ceil(sendables.length / 2);
  return [sendables.slice(0, middle), sendables.slice(middle)].flatMap((half) =>
    partsOf(owner, resource, half, MAX_BODY_POINTS),
  );
}
