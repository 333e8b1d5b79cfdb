// An embedded PostgreSQL that also listens on an address of the loopback, with TLS. Its certificate can be exchanged.
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { prepareBinaries } from '../../src/platform/embedded/binaries.js';
import { prepareHome } from '../../src/platform/embedded/location.js';
import { joinEmbeddedPostgres } from '../../src/platform/embedded/postgres.js';
import { findServerUser } from '../../src/platform/embedded/server-user.js';
import { readEnvironment } from '../../src/platform/environment.js';
import { FAST } from './global-setup.js';
import type { Certificate } from './private-ca.js';
import { makeServerFolder } from './server-folder.js';
import { silentLog } from './silent.js';
import { waitUntilStopped } from './stopped-server.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

export interface TlsPostgres {
  readonly address: string;
  /** Over the unix socket, as the superuser. */
  readonly adminUrl: string;
  /** Over TCP, with these parameters; the host is the address or a name of it. */
  url(query: string, host?: string): string;
  stop(): Promise<void>;
}

/** Of the whole network 127/8, Linux answers on each address: the usual port is free on one of our own. */
export const ADDRESS = `127.${1 + (process.pid % 250)}.${1 + (Math.floor(process.pid / 250) % 250)}.7`;

/** `certificate`: undefined: it offers no TLS. */
export async function startTlsPostgres(certificate: Certificate | undefined, ca?: string): Promise<TlsPostgres> {
  const folder = await makeServerFolder();
  await chmod(folder, 0o755);
  const user = await findServerUser();
  const home = await prepareHome(PROJECT, user);
  const real = await prepareBinaries({ binFolder: readEnvironment('CREDIT_ROLLOUT_PG_BIN'), home, user });
  const binFolder = join(folder, 'bin');
  await mkdir(binFolder);
  await chmod(binFolder, 0o755);
  const files = certificate && [`ssl_cert_file=${certificate.cert}`, `ssl_key_file=${certificate.key}`, 'ssl=on'];
  const settings = [
    `listen_addresses=${ADDRESS}`,
    ...(files ?? []),
    ...(ca === undefined ? [] : [`ssl_ca_file=${ca}`]),
  ];
  // after its own, so that they count
  const words = settings.map((setting) => `-c ${setting}`).join(' ');
  await writeProgram(
    join(binFolder, 'postgres'),
    `exec '${real.postgres}' "$@" $([ "$1" = --version ] || echo "${words}")`,
  );
  await writeProgram(join(binFolder, 'initdb'), `exec '${real.initdb}' "$@"`);
  const options = { root: PROJECT, folder: join(folder, 'server'), binFolder, log: silentLog, settings: FAST };
  const server = await joinEmbeddedPostgres(options);
  const rules = `local all all scram-sha-256\nhost all all 127.0.0.0/8 scram-sha-256\n`;
  await writeFile(join(server.dataFolder, 'pg_hba.conf'), rules);
  const client = new pg.Client({ connectionString: server.adminUrl });
  await client.connect();
  await client.query('select pg_reload_conf()');
  await client.end();
  return {
    address: ADDRESS,
    adminUrl: server.adminUrl,
    url: (query, host = ADDRESS) => {
      const url = Object.assign(new URL(server.adminUrl), { search: query });
      return url.href.replace('@localhost/', `@${host}/`);
    },
    stop: async () => {
      await server.leave();
      await waitUntilStopped(server.dataFolder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function writeProgram(path: string, text: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
}
