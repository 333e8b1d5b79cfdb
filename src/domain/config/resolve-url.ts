// The URL of a server, when it is used: its variables are replaced, and it is one that a driver can read. A message
// names the key and never shows the URL.
import { RolloutError } from '../../kernel/rollout-error.js';
import { resolveConfigText, type VariableLookup } from './config-text.js';

/** @throws missing_environment_variable, invalid_config */
export function resolvePostgresUrl(text: string, lookup: VariableLookup, key: string): string {
  const url = resolveConfigText(text, lookup, key);
  // a driver takes a folder or `socket:` for a Unix socket
  if (/^(?:\/|socket:\/)/u.test(url) || isReadable(url, /^postgres(?:ql)?:\/\//iu)) return url;
  throw rejectUrl(key, 'PostgreSQL', 'postgres://USER:PASSWORD@HOST:PORT/DATABASE');
}

/** @throws missing_environment_variable, invalid_config */
export function resolveQueueUrl(text: string, lookup: VariableLookup): string {
  const url = resolveConfigText(text, lookup, 'queue');
  if (isReadable(url, /^(?:rediss?|postgres(?:ql)?):\/\//iu)) return url;
  throw rejectUrl('queue', 'Redis or PostgreSQL', 'redis://HOST:PORT or postgres://USER:PASSWORD@HOST:PORT/DATABASE');
}

/** @throws missing_environment_variable, invalid_config */
export function resolveRedisUrl(text: string, lookup: VariableLookup, key: string): string {
  const url = resolveConfigText(text, lookup, key);
  if (isReadable(url, /^rediss?:\/\//iu)) return url;
  throw rejectUrl(key, 'Redis', 'redis://HOST:PORT');
}

/**
 * As the drivers read it: the host may be left out, and that of PostgreSQL quotes a blank, or a `%` that begins no
 * escape. An `@` in the path is that of a password with a `/`, `?` or `#`: its first part would be taken for the host.
 */
function isReadable(url: string, scheme: RegExp): boolean {
  if (!scheme.test(url)) return false;
  try {
    const isQuoted = /^postgres/iu.test(url) && /[ ]|%[^a-f0-9]|%[a-f0-9][^a-f0-9]/iu.test(url);
    const quoted = isQuoted ? encodeURI(url).replaceAll(/%25(\d\d)/gu, '%$1') : url;
    const { username, password, hostname, pathname, search, searchParams, hash } = new URL(
      quoted.replace('@/', '@localhost/'),
    );
    for (const part of [username, password, hostname, pathname]) decodeURIComponent(part);
    const isCut = /@/u.test(pathname + hash) || (search.includes('@') && username + password === '');
    const hosts = [decodeURIComponent(hostname), ...searchParams.getAll('host')];
    const isPlace = hosts.every((host) => !/[\s\p{C}]/u.test(host)) && searchParams.getAll('port').every(isPort);
    return isPlace && !isCut;
  } catch {
    return false;
  }
}

const MAX_PORT = 65_535;
const isPort = (text: string): boolean => /^\d{1,5}$/u.test(text) && Number(text) >= 1 && Number(text) <= MAX_PORT;

const rejectUrl = (key: string, server: string, example: string): RolloutError =>
  new RolloutError('invalid_config', {
    message:
      `${key} is no URL of a ${server} server: its scheme, its port or an escape in it is wrong, or a character of ` +
      'its password is not escaped.',
    next: `Write it as ${example}. In a name or a password write @ as %40, : as %3A, / as %2F, # as %23 and % as %25.`,
  });
