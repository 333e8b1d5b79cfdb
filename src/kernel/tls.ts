// How a connection is encrypted, and what a failure of its certificate means in words. Never shows a file's name or a
// certificate: they are part of a URL, or of another machine.

/** What is done with TLS on a connection. */
export type TlsSpec =
  | { readonly kind: 'plain' }
  | {
      readonly kind: 'tls';
      /** Of the server's certificate: nothing, its authority, or its authority and its host name. */
      readonly verify: 'none' | 'authority' | 'host';
      /** Where the server offers no TLS: fail, or go on without. */
      readonly otherwise: 'fail' | 'plain';
      /** Paths of PEM files. Without an authority: those that Node trusts. */
      readonly files: TlsFiles;
    };

export interface TlsFiles {
  readonly sslrootcert?: string | undefined;
  readonly sslcert?: string | undefined;
  readonly sslkey?: string | undefined;
}

const SENTENCES: readonly (readonly [RegExp, string])[] = [
  [/^CERT_HAS_EXPIRED$/u, 'the certificate of its server has expired'],
  [/^CERT_NOT_YET_VALID$/u, 'the certificate of its server is not valid yet'],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/u, 'the certificate of its server is for another host name'],
  [
    /^(UNABLE_TO_(GET_ISSUER_CERT(_LOCALLY)?|VERIFY_LEAF_SIGNATURE)|(DEPTH_ZERO_)?SELF_SIGNED_CERT(_IN_CHAIN)?)$/u,
    'the certificate of its server is not from an authority that is trusted',
  ],
  [/^(CERT_|INVALID_|UNABLE_TO_|CRL_|HOSTNAME_MISMATCH)/u, 'the certificate of its server is not accepted'],
  [/^ERR_(SSL|TLS)_/u, 'TLS could not be agreed on with its server'],
];
const NOT_OFFERED =
  /^The server does not support SSL connections$|^There was an error establishing an SSL connection$/u;

/** Why TLS failed, as the end of a sentence; undefined when it is not TLS that failed. */
export function explainTlsFailure(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { readonly code?: unknown };
  // an error that a server sent has a code, whatever its text says
  if (code === undefined) return NOT_OFFERED.test(error.message) ? 'its server offers no TLS' : undefined;
  return SENTENCES.find(([pattern]) => pattern.test(String(code)))?.[1];
}
