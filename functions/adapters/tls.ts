/** TLS as one request asks for it: the options of Prometheus' `tls_config`, their secrets read. */
import { createHash, X509Certificate } from 'node:crypto';
import { createSecureContext, getCACertificates } from 'node:tls';
import type { SecureContext, SecureVersion } from 'node:tls';

/** Equal options share their connections. */
export interface TlsOptions {
  /** PEM, trusted instead of the system's authorities. */
  readonly ca?: string;
  /** PEM of the client's certificate, and of its key. */
  readonly cert?: string;
  readonly key?: string;
  /** Sent as SNI, and the name that the certificate must have; absent: the URL's host. */
  readonly serverName?: string;
  readonly insecureSkipVerify: boolean;
  /** Absent: 1.2, Node's own default and Go's. */
  readonly minVersion?: keyof typeof VERSIONS;
  readonly maxVersion?: keyof typeof VERSIONS;
}

const VERSIONS = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
} as const satisfies Record<string, SecureVersion>;

/** OpenSSL 3 speaks 1.0 and 1.1 at this level only. */
const OLD_CIPHERS = 'DEFAULT@SECLEVEL=0';

/** Names the options without holding a key. */
export function fingerprintOf(options: TlsOptions): string {
  const { ca, cert, key, serverName, insecureSkipVerify, minVersion, maxVersion } = options;
  const parts = [ca, cert, key, serverName, insecureSkipVerify, minVersion, maxVersion];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}

/** For `tls.connect`. `extraCa` is trusted beside the system's authorities. Or what is wrong, a clause. */
export function tlsConnectOptions(options: TlsOptions, extraCa: string | undefined) {
  const { ca, cert, key, serverName, insecureSkipVerify, minVersion, maxVersion } = options;
  const secureContext = contextOf({
    ...(ca === undefined ? systemAuthorities(extraCa) : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(minVersion === undefined ? {} : { minVersion: VERSIONS[minVersion] }),
    ...(maxVersion === undefined ? {} : { maxVersion: VERSIONS[maxVersion] }),
    ...(minVersion === 'TLS10' || minVersion === 'TLS11' ? { ciphers: OLD_CIPHERS } : {}),
  });
  if (typeof secureContext === 'string') return secureContext;
  return {
    secureContext,
    rejectUnauthorized: !insecureSkipVerify,
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

/** Those that Node trusts; `extraCa` beside them. */
export function systemAuthorities(extraCa: string | undefined): { ca?: string[] } {
  return extraCa === undefined ? {} : { ca: [...getCACertificates('default'), extraCa] };
}

function contextOf(options: Parameters<typeof createSecureContext>[0] & object): SecureContext | string {
  const { ca } = options;
  // OpenSSL passes over what is no certificate, and then trusts nobody: the failure would name the wrong side.
  if (typeof ca === 'string' && !isCertificate(ca)) return 'ca is no certificate in PEM';
  try {
    return createSecureContext(options);
  } catch (error) {
    // OpenSSL's reason only: `no start line`, `key values mismatch`.
    const reason: unknown = error instanceof Error && 'reason' in error ? error.reason : undefined;
    const why = typeof reason === 'string' ? ` (${reason})` : '';
    return `cert and key are no certificate and its key in PEM${why}`;
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
