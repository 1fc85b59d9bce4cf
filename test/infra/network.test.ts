/** What docs/network.md says is what the functions need, and its lines work. */
import { Match, Template } from 'aws-cdk-lib/assertions';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as kms from 'aws-cdk-lib/aws-kms';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { create, newStack, ownVpc, templateOf } from './construct.ts';

const doc = readFileSync('docs/network.md', 'utf8');
const blockOf = (language: string) =>
  new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(doc)?.[1] ?? '';

/** AWS services by the clients that a handler makes; SDK and endpoints name them alike, but for a hyphen. */
function servicesOf(handler: string): string[] {
  const clients = readFileSync(`functions/${handler}/handler.ts`, 'utf8').matchAll(
    /@aws-sdk\/client-([\w-]+)/g,
  );
  return [...clients].map(([, client = '']) => client.replace('-', ''));
}

describe('docs/network.md', () => {
  test('has each service that a function calls, and no other', () => {
    const rows = [...doc.matchAll(/^\| [^|]*\(`(\w+)`\) \| (\w+) \|/gm)].map(([, service, who]) => [
      service,
      who,
    ]);
    for (const handler of ['dispatch', 'scrape']) {
      const named = rows.filter(([, who]) => who === handler || who === 'both').map(([service]) => service);
      assert.deepEqual(new Set(named), new Set(servicesOf(handler)), handler);
    }
    for (const [service] of rows)
      assert.ok(doc.includes(`--service-name com.amazonaws.eu-central-1.${service} `));
  });

  test('its CDK lines make endpoints that admit the functions, and nobody else', () => {
    const stack = newStack();
    const vpc = ownVpc(stack);
    runInNewContext(blockOf('ts'), { ec2, vpc, nim: create({ vpc }, stack) });
    const template = Template.fromStack(stack);
    template.resourcePropertiesCountIs('AWS::EC2::VPCEndpoint', { VpcEndpointType: 'Gateway' }, 1);
    template.resourcePropertiesCountIs(
      'AWS::EC2::VPCEndpoint',
      { VpcEndpointType: 'Interface', PrivateDnsEnabled: true },
      3,
    );
    template.resourceCountIs('AWS::EC2::SecurityGroupIngress', 3);
    template.allResourcesProperties('AWS::EC2::SecurityGroupIngress', {
      FromPort: 443,
      ToPort: 443,
      SourceSecurityGroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^NimSecurityGroup'), 'GroupId'] },
    });
  });

  test('its statement for a key is the one that a key of the app gets', () => {
    const stack = newStack({ env: { account: '111122223333', region: 'eu-central-1' } });
    const encryptionKey = new kms.Key(stack, 'Key') as kms.IKey;
    const [key] = Object.values(templateOf({ encryptionKey }, stack).findResources('AWS::KMS::Key'));
    const statements: unknown = key?.['Properties'].KeyPolicy.Statement;
    const text = JSON.stringify(statements).replace(
      JSON.stringify({
        'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':logs:eu-central-1:111122223333:log-group:*']],
      }),
      '"arn:aws:logs:eu-central-1:111122223333:log-group:*"',
    );
    assert.deepEqual((JSON.parse(text) as unknown[])[1], JSON.parse(blockOf('json')));
  });
});
