/** What travels between the command line and the deployed functions, and its bounds. */
import { strict as assert } from 'node:assert';
import { describe, test } from 'node:test';
import { type TargetDiagnosis, ok } from '../../../functions/core/doctor/checks.ts';
import { diagnosePage } from '../../../functions/core/doctor/page-checks.ts';
import {
  MAX_ANSWER_BYTES,
  MAX_REQUEST_TARGETS,
  readDiagnoseRequest,
  readDiagnoses,
  readFound,
  writeDiagnoseRequest,
  writeDiagnoses,
  writeFound,
  writeProblem,
} from '../../../functions/core/doctor/request.ts';
import type { Target } from '../../../functions/core/model.ts';
import { createTarget } from '../../../functions/core/targets.ts';

/** Lambda quotas: request and response of a synchronous invocation. */
const LAMBDA_BYTES = 6 * 1024 * 1024;

function target(i: number, more: Partial<Target> = {}): Target {
  const address = `nim-${i}:8000`;
  return {
    ...createTarget({ job: 'nim', instance: address, scheme: 'http', address, path: '', params: [] }),
    ...more,
  };
}

const onWire = (value: object): unknown => JSON.parse(JSON.stringify(value));
const bytesOf = (value: object): number => Buffer.byteLength(JSON.stringify(value));

/** A page of so many families, as a server without measure would have it. */
function diagnosisOf(families: number): TargetDiagnosis {
  const lines = Array.from({ length: families }, (_, i) => `family_with_a_rather_long_name_${i}{a="b"} 1`);
  const page = new TextEncoder().encode(`${lines.join('\n')}\n`);
  return {
    kind: 'target',
    job: 'nim',
    url: 'http://nim:8000/metrics',
    ...diagnosePage(page, target(0), 1_750_000_000_000, { fits: () => true }),
  };
}

describe('request', () => {
  test('targets come as they went, settings and all; at the bound and one past it', () => {
    const targets = Array.from({ length: MAX_REQUEST_TARGETS }, (_, i) =>
      target(i, { authorization: { type: 'Bearer', credentials: 'ssm:/nim-to-dynatrace/secrets/nim' } }),
    );
    const event = onWire(writeDiagnoseRequest({ targets, deployment: true })) as { readonly doctor: unknown };
    assert.deepEqual(readDiagnoseRequest(event.doctor), { code: 'request', targets, deployment: true });
    const more = onWire(
      writeDiagnoseRequest({ targets: [...targets, target(99)], deployment: false }),
    ) as typeof event;
    const read = readDiagnoseRequest(more.doctor);
    assert(read.code === 'malformed');
    assert.match(read.message, /names 33 targets; name 32 at most/);
  });

  for (const [what, doctor] of [
    ['nothing', undefined],
    ['text', 'doctor'],
    ['no targets', { version: 1, deployment: true }],
    [
      'no flag',
      {
        ...(writeDiagnoseRequest({ targets: [], deployment: true }) as { doctor: object }).doctor,
        deployment: 1,
      },
    ],
    ['another version', { version: 2, deployment: true }],
    ['a version that is none', { version: '1', deployment: true }],
  ] as const)
    test(`${what}: a message with a remedy`, () => {
      const read = readDiagnoseRequest(doctor);
      assert(read.code === 'malformed');
      assert.match(read.message, /^cannot read the doctor's request: .+; .+/);
    });
});

describe('answer', () => {
  test('what is found and what is diagnosed come as they went', () => {
    const found = {
      diagnosis: { kind: 'aws', function: 'dispatch', checks: [ok('documents', 'fine', 7)] },
      targets: [target(1)],
    } as const;
    assert.deepEqual(readFound(onWire(writeFound(found))), { code: 'read', value: found });
    const diagnoses = [found.diagnosis, diagnosisOf(10)];
    assert.deepEqual(readDiagnoses(onWire(writeDiagnoses(diagnoses))), {
      code: 'read',
      value: onWire(diagnoses),
    });
  });

  test('a problem is told as it is', () => {
    assert.deepEqual(readDiagnoses(writeProblem('cannot x: y; z')), {
      code: 'failed',
      message: 'cannot x: y; z',
    });
  });

  for (const [what, answer, says] of [
    ['none, as of a release before', null, /release that has no doctor; use the command line of the release/],
    ['of a later one', { version: 2, diagnoses: [] }, /of version 2, and this release knows 1/],
    ['without diagnoses', { version: 1 }, /not as this release writes it/],
    [
      'with one that is none',
      { version: 1, diagnoses: [{ kind: 'target' }] },
      /not as this release writes it/,
    ],
    [
      'with a check that is none',
      { version: 1, diagnoses: [{ kind: 'aws', checks: [null] }] },
      /not as this/,
    ],
  ] as const)
    test(`${what}: a message with a remedy`, () => {
      const read = readDiagnoses(answer);
      assert(read.code === 'failed');
      assert.match(read.message, says);
      assert.equal(readFound(answer).code, 'failed');
    });

  test('pages without measure: all targets of a request stay below the limit, and what was cut is said', () => {
    const large = diagnosisOf(2_000);
    assert(bytesOf(large) * MAX_REQUEST_TARGETS > LAMBDA_BYTES, 'the page is too small to say anything');
    const answer = writeDiagnoses(Array.from({ length: MAX_REQUEST_TARGETS }, () => large));
    assert(bytesOf(answer) <= MAX_ANSWER_BYTES + 1_000 && MAX_ANSWER_BYTES < LAMBDA_BYTES);
    const read = readDiagnoses(onWire(answer));
    assert(read.code === 'read');
    for (const one of read.value) {
      assert(one.kind === 'target');
      assert.match(one.cut ?? '', /first 256 of 2005 metrics and of 2000 families/);
      assert.deepEqual(one.checks, onWire([...large.checks]));
      assert.deepEqual(one.forecast?.points, large.forecast?.points);
    }
    const [alone] = (writeDiagnoses([large]) as { readonly diagnoses: readonly TargetDiagnosis[] }).diagnoses;
    assert.equal(alone?.cut, undefined);
  });

  test('where not even that fits, the checks are left', () => {
    const huge = { ...diagnosisOf(3), checks: [ok('format', 'x'.repeat(MAX_ANSWER_BYTES))] };
    const answer = writeDiagnoses([huge]) as { readonly diagnoses: readonly TargetDiagnosis[] };
    assert(bytesOf(answer) < 10_000);
    assert.match(answer.diagnoses[0]?.cut ?? '', /no room for what goes out/);
  });
});
