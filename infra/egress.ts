/** The way of the scrape function to Dynatrace or an ActiveGate: the props `proxy` and `caBundle`. */
import { FileSystem, Token } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface EgressProps {
  readonly proxy?: string;
  readonly caBundle?: string;
}

/** Bytes; all authorities that Mozilla trusts are some 220 KB. */
export const MAX_CA_BUNDLE_BYTES = 512 * 1024;

const CA_FILE = 'nim-to-dynatrace-ca.pem';

/** A part of the scrape function's properties. */
export type Egress = Required<Pick<lambda.FunctionOptions, 'environment' | 'layers'>>;

/**
 * The authorities are a layer: a file that is there from the start, in every version of the function, without a size
 * that one would meet (an environment has 4 KB, a parameter 8 KB), and nothing that could fail to be read in a run.
 */
export function createEgress(scope: Construct, { proxy, caBundle }: EgressProps): Egress {
  const environment = proxy === undefined ? {} : { PROXY: proxy };
  if (caBundle === undefined) return { environment, layers: [] };
  const directory = FileSystem.mkdtemp('nim-to-dynatrace-ca-');
  writeFileSync(join(directory, CA_FILE), caBundle);
  const layer = new lambda.LayerVersion(scope, 'CaBundle', {
    description: 'nim-to-dynatrace: authorities of the way to Dynatrace',
    code: lambda.Code.fromAsset(directory),
    compatibleArchitectures: [lambda.Architecture.ARM_64],
  });
  return { environment: { ...environment, CA_BUNDLE: `/opt/${CA_FILE}` }, layers: [layer] };
}

/** @throws Error with the property, what is wrong with it, and the remedy. */
export function validateEgress({ proxy, caBundle }: EgressProps): void {
  const fault = proxy === undefined || Token.isUnresolved(proxy) ? undefined : faultOfProxy(proxy);
  // The value is not repeated: there may be a password in it.
  if (fault !== undefined) throw new Error(`cannot use proxy: ${fault}`);
  const caFault = caBundle === undefined ? undefined : faultOfCaBundle(caBundle);
  if (caFault !== undefined) throw new Error(`cannot use caBundle: ${caFault}`);
}

function faultOfProxy(proxy: string): string | undefined {
  const url = URL.parse(proxy);
  if (url === null) return 'it is no URL; write http://proxy.example.com:3128';
  if (url.username !== '' || url.password !== '') {
    return (
      'it holds a user or password, which everyone who may see the function could read; ' +
      'let the proxy admit the functions by their security group or subnets'
    );
  }
  if (url.protocol !== 'http:') {
    return 'only http:// proxies are spoken to, and what is sent is TLS within; write http://proxy.example.com:3128';
  }
  const isBare = url.pathname === '/' && url.search === '' && url.hash === '';
  return isBare ? undefined : 'it has a path, query or fragment; write scheme, host and port only';
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

function faultOfCaBundle(pem: string): string | undefined {
  if (Token.isUnresolved(pem)) {
    return "it is known at deployment only; give its text, such as readFileSync('ca.pem', 'utf8')";
  }
  if (pem.includes('PRIVATE KEY-----')) return 'there is a private key in it; give certificates only';
  const bytes = new TextEncoder().encode(pem).length;
  if (bytes > MAX_CA_BUNDLE_BYTES) {
    return `it has ${bytes} bytes, ${MAX_CA_BUNDLE_BYTES} are the most; give your own authorities, the public ones are there`;
  }
  const certificates = pem.match(CERTIFICATE) ?? [];
  const isGood = certificates.length > 0 && certificates.every(isCertificate);
  return isGood
    ? undefined
    : 'it is not the text of certificates in PEM; give the text of the file, not its name';
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
