// Certificates of an authority of our own, made with openssl in a temporary folder, where it is installed.
import { spawnSync } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findServerUser } from '../../src/platform/embedded/server-user.js';
import { reportSkipped, requiresAll } from './skipped-suites.js';

/** For `describe.skipIf(!opensslAvailable())`: false, and reported, where no certificate can be made. */
export function opensslAvailable(): boolean {
  const found = process.platform === 'linux' && spawnSync('openssl', ['version']).status === 0;
  if (found || requiresAll()) return true;
  reportSkipped('TLS suites: they need Linux and openssl (apt-get install openssl).');
  return false;
}

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface PrivateCa {
  readonly folder: string;
  /** The file of the authority. */
  readonly ca: string;
  /** A certificate for these names, such as `IP:127.0.0.1`; made once. */
  issue(names: string, validity?: 'valid' | 'expired'): Promise<Certificate>;
  remove(): Promise<void>;
}

/** The server's user can read its files. */
export async function createPrivateCa(): Promise<PrivateCa> {
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-ca-'));
  await chmod(folder, 0o755);
  const path = (name: string): string => join(folder, name);
  const [ca, caKey] = [path('ca.crt'), path('ca.key')];
  openssl('req', '-x509', ...NEW_KEY, '-keyout', caKey, '-out', ca, '-days', '2', '-subj', '/CN=test authority');
  let issued = 0;
  return {
    folder,
    ca,
    issue: async (names, validity = 'valid') => {
      issued += 1;
      const [cert, key, request, extensions] = ['crt', 'key', 'csr', 'ext'].map((end) => path(`${issued}.${end}`));
      if (cert === undefined || key === undefined || request === undefined || extensions === undefined) throw NO_PATH;
      await writeFile(extensions, `subjectAltName=${names}\n`);
      openssl('req', '-new', ...NEW_KEY, '-keyout', key, '-out', request, '-subj', '/CN=test server');
      const signed = ['-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-extfile', extensions, '-out', cert];
      openssl('x509', '-req', '-in', request, ...signed, '-days', validity === 'valid' ? '2' : '-1');
      const user = await findServerUser();
      if (user !== undefined) await chown(key, user.uid, user.gid);
      return { cert, key };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const;
const NO_PATH = new Error('a path is missing');

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('openssl', [...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
}
