/** Proxy and authorities of the way to Dynatrace. */
import { CfnParameter } from 'aws-cdk-lib';
import { Match } from 'aws-cdk-lib/assertions';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { MAX_CA_BUNDLE_BYTES, validateEgress } from '../../infra/egress.ts';
import { CA, directory, newStack, templateOf } from './construct.ts';

const key = readFileSync('test/adapters/certificates/test-only-server-key.pem', 'utf8');

describe('proxy', () => {
  test('is told to the scrape function only', () => {
    const template = templateOf({ proxy: 'http://proxy.example.com:3128' });
    template.resourcePropertiesCountIs(
      'AWS::Lambda::Function',
      { Environment: { Variables: { PROXY: 'http://proxy.example.com:3128', IN_VPC: 'false' } } },
      1,
    );
    template.resourcePropertiesCountIs(
      'AWS::Lambda::Function',
      { Environment: { Variables: { PROXY: Match.absent() } } },
      1,
    );
  });

  for (const proxy of ['http://proxy', 'http://10.0.0.1:3128/', 'http://[2001:db8::1]:3128']) {
    test(proxy, () => validateEgress({ proxy }));
  }

  test('one that is known at deployment only passes', () => {
    validateEgress({ proxy: new CfnParameter(newStack(), 'Proxy').valueAsString });
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    [
      'http://user:planted@proxy:3128',
      /^cannot use proxy: it holds a user or password, .*; let the proxy admit/,
    ],
    ['http://planted@proxy:3128', /it holds a user or password/],
    ['https://planted:3128', /only http:\/\/ proxies are spoken to/],
    ['socks5://planted:1080', /only http:\/\/ proxies/],
    ['planted:3128', /only http:\/\/ proxies/],
    ['planted', /it is no URL; write http:\/\/proxy.example.com:3128/],
    ['http://proxy:3128/planted', /it has a path, query or fragment/],
    ['http://proxy:3128?planted', /it has a path, query or fragment/],
  ];
  for (const [proxy, message] of refused) {
    test(`${proxy} is refused without being repeated`, () => {
      assert.throws(
        () => validateEgress({ proxy }),
        (error: Error) => message.test(error.message) && !error.message.includes('planted'),
      );
    });
  }
});

describe('caBundle', () => {
  test('is a layer of the scrape function, which finds it as a file', () => {
    const template = templateOf({ caBundle: CA });
    template.resourceCountIs('AWS::Lambda::LayerVersion', 1);
    template.resourcePropertiesCountIs(
      'AWS::Lambda::Function',
      {
        Layers: [{ Ref: Match.stringLikeRegexp('^NimCaBundle') }],
        Environment: { Variables: { CA_BUNDLE: '/opt/nim-to-dynatrace-ca.pem', IN_VPC: 'false' } },
      },
      1,
    );
    const assets = join(directory, 'out');
    const files = readdirSync(assets, { recursive: true }).filter((file) => String(file).endsWith('-ca.pem'));
    assert.equal(files.length, 1);
    assert.equal(readFileSync(join(assets, String(files[0])), 'utf8'), CA);
  });

  test('several certificates, and what stands between them', () => {
    validateEgress({ caBundle: `# ours\r\n${CA}\n\n# theirs\n${CA}` });
    const filler = '#'.repeat(MAX_CA_BUNDLE_BYTES - CA.length);
    validateEgress({ caBundle: CA + filler });
    assert.throws(
      () => validateEgress({ caBundle: `${CA}${filler}#` }),
      /cannot use caBundle: it has 524289 bytes, 524288 are the most; give your own authorities/,
    );
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['nothing', '', /it is not the text of certificates in PEM/],
    ['the name of a file', 'ca.pem', /give the text of the file, not its name/],
    ['half a certificate', CA.slice(0, 200), /not the text of certificates/],
    [
      'a broken one after a good one',
      `${CA}-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----`,
      /not the text/,
    ],
    ['a private key', CA + key, /there is a private key in it; give certificates only/],
  ];
  for (const [what, caBundle, message] of refused) {
    test(`${what} is refused`, () => {
      assert.throws(() => validateEgress({ caBundle }), message);
    });
  }

  test('one that is known at deployment only is refused', () => {
    const caBundle = new CfnParameter(newStack(), 'Ca').valueAsString;
    assert.throws(() => validateEgress({ caBundle }), /it is known at deployment only; give its text/);
  });
});
