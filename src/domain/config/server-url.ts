// What the URL of a server says about TLS. The modes mean what libpq documents; the parameters are taken out of the
// URL, since the drivers read them in another way. A message names the key and never shows the URL.
import { RolloutError } from '../../kernel/rollout-error.js';
import type { TlsFiles, TlsSpec } from '../../kernel/tls.js';

/** A URL that drivers can read, without what it says about TLS. */
export interface ServerUrl {
  readonly url: string;
  readonly tls: TlsSpec;
  /** `local`: a socket of this machine or its loopback, where TLS protects nothing. */
  readonly transport: Transport;
  /** TLS begins with the connection, without asking the server first (libpq's sslnegotiation). */
  readonly direct: boolean;
}

export const TRANSPORTS = ['local', 'verified', 'unverified', 'plain'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** Where the URL says nothing: PGSSLMODE and PGSSLROOTCERT, as for libpq. */
export interface TlsDefaults {
  readonly sslmode?: string | undefined;
  readonly sslrootcert?: string | undefined;
}

const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify'] as const;
type Mode = (typeof MODES)[number];

const PARAMETERS = ['sslmode', 'ssl', 'sslrootcert', 'sslcert', 'sslkey', 'sslnegotiation', 'uselibpqcompat'] as const;
type Parameters = Partial<Record<(typeof PARAMETERS)[number], string>>;

/** @throws invalid_config */
export function parsePostgresServer(text: string, key: string, defaults: TlsDefaults = {}): ServerUrl {
  const { url, parameters } = takeParameters(writePath(text, key));
  const host = readPostgresHost(url);
  const direct = parameters.sslnegotiation === 'direct';
  if (isSocket(host)) return { url, tls: { kind: 'plain' }, transport: 'local', direct: false };
  const tls = decidePostgresTls({ ...omitUndefined(defaults), ...parameters }, key);
  if (direct && (tls.kind === 'plain' || tls.otherwise === 'plain'))
    throw reject(key, 'sslnegotiation=direct needs sslmode=require or a stricter mode');
  return { url, tls, transport: isLoopback(host) ? 'local' : nameTransport(tls), direct };
}

/** @throws invalid_config */
export function parseQueueServer(text: string, defaults: TlsDefaults = {}): ServerUrl {
  return /^rediss?:/iu.test(text) ? parseRedisServer(text, 'queue') : parsePostgresServer(text, 'queue', defaults);
}

/** @throws invalid_config */
export function parseRedisServer(text: string, key: string): ServerUrl {
  const { url, parameters } = takeParameters(text.replace(/^rediss?:/iu, (scheme) => scheme.toLowerCase()));
  const encrypted = url.startsWith('rediss:');
  if (parameters.sslmode !== undefined || (!encrypted && parameters.sslrootcert !== undefined))
    throw reject(key, 'Redis has no sslmode, and files of certificates need a URL that begins with rediss://');
  const tls: TlsSpec = encrypted
    ? { kind: 'tls', verify: 'host', otherwise: 'fail', files: readFiles(parameters, key) }
    : { kind: 'plain' };
  const host = new URL(url).hostname;
  return { url, tls, transport: isLoopback(host) ? 'local' : nameTransport(tls), direct: false };
}

function decidePostgresTls(parameters: Parameters, key: string): TlsSpec {
  const mode = readMode(parameters, key);
  if (mode === 'disable') return { kind: 'plain' };
  const { sslrootcert } = parameters;
  const files = readFiles(parameters, key);
  const required = { kind: 'tls', otherwise: 'fail', files } as const;
  if (sslrootcert === 'system' && mode !== 'verify-full')
    throw reject(key, 'sslrootcert=system needs sslmode=verify-full');
  switch (mode) {
    case 'allow':
    case 'prefer':
      return { kind: 'tls', verify: 'none', otherwise: 'plain', files: { ...files, sslrootcert: undefined } };
    case 'no-verify':
      return { ...required, verify: 'none', files: { ...files, sslrootcert: undefined } };
    case 'require':
      return { ...required, verify: sslrootcert === undefined ? 'none' : 'authority' };
    case 'verify-ca':
      if (sslrootcert === undefined)
        throw reject(key, 'sslmode=verify-ca needs sslrootcert, the file of the certificate authority');
      return { ...required, verify: 'authority' };
    case 'verify-full':
      return { ...required, verify: 'host' };
  }
}

/** Nothing said is plain text: the drivers have never tried TLS by themselves. */
function readMode({ sslmode, ssl, sslrootcert }: Parameters, key: string): Mode {
  if (sslmode === undefined) {
    if (ssl === 'true' || ssl === '1' || sslrootcert === 'system') return 'verify-full';
    if (ssl === 'no-verify') return 'no-verify';
    return sslrootcert === undefined ? 'disable' : 'require';
  }
  const known = MODES.find((mode) => mode === sslmode);
  if (known !== undefined) return known;
  throw reject(key, 'its sslmode is none of disable, allow, prefer, require, verify-ca and verify-full');
}

function readFiles({ sslrootcert, sslcert, sslkey }: Parameters, key: string): TlsFiles {
  if ((sslcert === undefined) !== (sslkey === undefined))
    throw reject(key, 'sslcert and sslkey belong together, and one of them is missing');
  return { sslrootcert: sslrootcert === 'system' ? undefined : sslrootcert, sslcert, sslkey };
}

/** What the driver leaves as an escape in the name of a database, though it may stand there as it is. */
const KEPT_ESCAPE = /%(?:24|26|2b|2c|2f|3a|3b|3d|40)/giu;
/** Between the host and the parameters. */
const PATH = /^(postgres(?:ql)?:\/\/[^/?#]*\/)([^?#]*)/iu;

/** The name of the database as the driver reads it, so that the one that is shown is the one that is used. */
function writePath(text: string, key: string): string {
  const [, path = ''] = PATH.exec(text)?.slice(1) ?? [];
  if (/%(?:23|3f)/iu.test(path))
    throw reject(key, 'the name of its database has a ? or a #, which the driver cannot read there');
  const isUrl = /^postgres/iu.test(text);
  // a blank or a lone % would make the driver quote the whole URL once more, its escapes too
  const plain = isUrl ? text.replaceAll(' ', '%20').replaceAll(/%(?![\da-f]{2})/giu, '%25') : text;
  return plain.replace(
    PATH,
    (_, before: string, name: string) => before + name.replaceAll(KEPT_ESCAPE, decodeURIComponent),
  );
}

/** The last one of a name counts, as for the drivers. */
function takeParameters(text: string): { readonly url: string; readonly parameters: Parameters } {
  const at = text.indexOf('?');
  if (at === -1) return { url: text, parameters: {} };
  const [query = '', ...hash] = text.slice(at + 1).split('#');
  const parameters: Parameters = {};
  const kept = query.split('&').filter((piece) => {
    const [[name = '', value = ''] = []] = new URLSearchParams(piece);
    const own = PARAMETERS.find((parameter) => parameter === name);
    if (own !== undefined) parameters[own] = value;
    return own === undefined;
  });
  const rest = [kept.join('&'), ...hash].join('#');
  return { url: `${text.slice(0, at)}${rest === '' ? '' : '?'}${rest}`, parameters };
}

/** Where it leads, as the driver reads it: a parameter counts before the URL, and of two the last one. */
function readPlace(url: string): Record<'host' | 'port' | 'path', string> {
  const isWhole = URL.canParse(url);
  const { hostname, port, pathname, searchParams } = new URL(isWhole ? url : url.replace('@/', '@localhost/'));
  return {
    host: searchParams.getAll('host').at(-1) || (isWhole ? decodeURIComponent(hostname) : ''),
    port: searchParams.getAll('port').at(-1) || port,
    path: decodeURI(pathname.slice(1)),
  };
}

const readPostgresHost = (url: string): string => (/^(?:\/|socket:)/u.test(url) ? '/' : readPlace(url).host);

/** `db.example.org:6432/crm`: where a database is, without who connects and how. */
export function describeDatabase(url: string): string {
  if (/^(?:\/|socket:)/u.test(url)) return '//';
  const { host, port, path } = readPlace(url);
  return `${host}${port === '' ? '' : `:${port}`}/${path}`;
}

const isSocket = (host: string): boolean => host.startsWith('/');
const isLoopback = (host: string): boolean =>
  isSocket(host) || /^(?:|localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/iu.test(host);

function nameTransport(tls: TlsSpec): Transport {
  if (tls.kind === 'plain' || tls.otherwise === 'plain') return 'plain';
  return tls.verify === 'none' ? 'unverified' : 'verified';
}

const omitUndefined = (defaults: TlsDefaults): Parameters =>
  Object.fromEntries(Object.entries(defaults).filter(([, value]) => value !== undefined && value !== ''));

const reject = (key: string, reason: string): RolloutError =>
  new RolloutError('invalid_config', { message: `${key}: ${reason}.`, next: 'Correct its URL: docs/how-to/tls.md' });
