/** What `cdk destroy` leaves: what the README says, no more. */
import { RemovalPolicy, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createApp } from '../../infra/app.ts';
import { directory, templateOf } from './construct.ts';

interface Resource {
  readonly Type: string;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

const { context } = JSON.parse(readFileSync('cdk.json', 'utf8')) as { context: Record<string, unknown> };
const app = createApp({ context, outdir: join(directory, 'removal') }, { codeDirectory: directory });
const template = Template.fromStack(app.node.findChild('NimToDynatrace') as Stack);

const resourcesOf = (one: Template) =>
  Object.entries((one.toJSON() as { Resources: Readonly<Record<string, Resource>> }).Resources);
/** CloudFormation deletes what names no policy, but for databases, of which there are none. */
const stays = ([, { DeletionPolicy = 'Delete' }]: readonly [string, Resource]) => DeletionPolicy !== 'Delete';

describe('cdk destroy', () => {
  test('deletes every resource of the stack', () => {
    const resources = resourcesOf(template);
    assert.ok(resources.length > 10);
    assert.deepEqual(resources.filter(stays), []);
  });

  test('leaves no log group behind: both functions write to groups of the stack', () => {
    const resources = resourcesOf(template);
    const groups = resources.filter(([, { Type }]) => Type === 'AWS::Logs::LogGroup').map(([id]) => id);
    const functions = resources.filter(([, { Type }]) => Type === 'AWS::Lambda::Function');
    assert.equal(functions.length, 2);
    for (const [id, { Properties = {} }] of functions) {
      const { LogGroup } = Properties['LoggingConfig'] as { readonly LogGroup: { readonly Ref: string } };
      assert.ok(groups.includes(LogGroup.Ref), id);
    }
  });

  test('leaves your parameters: none of them is of the stack, and nothing in it acts at deletion', () => {
    const types = new Set(resourcesOf(template).map(([, { Type }]) => Type));
    assert.ok(!types.has('AWS::SSM::Parameter'));
    assert.ok(![...types].some((type) => type.startsWith('Custom::') || type.includes('CustomResource')));
  });

  test('leaves the table and the logs where removalPolicy says so, and nothing else', () => {
    const retained = resourcesOf(templateOf({ removalPolicy: RemovalPolicy.RETAIN })).filter(stays);
    assert.deepEqual(
      [...new Set(retained.map(([, { Type }]) => Type))].toSorted((a, b) => (a < b ? -1 : 1)),
      ['AWS::DynamoDB::GlobalTable', 'AWS::Logs::LogGroup'],
    );
  });
});

test('a redeploy never replaces the table by an empty one: what its identity hangs on is as it was', () => {
  const [entry, ...others] = resourcesOf(template).filter(
    ([, { Type }]) => Type === 'AWS::DynamoDB::GlobalTable',
  );
  assert.deepEqual(others, []);
  const [id, { Properties = {} }] = entry ?? ['', { Type: '' }];
  // CloudFormation replaces a table whose logical id, name or key changes.
  assert.equal(id, 'PipelineTable0C1A5F45');
  assert.equal(Properties['TableName'], undefined);
  assert.deepEqual(Properties['KeySchema'], [{ AttributeName: 'pk', KeyType: 'HASH' }]);
});
