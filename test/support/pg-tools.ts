// pg_dump and its like beside a server of the same version, where a PostgreSQL is installed; else a reported skip: the
// npm package has no such programs.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { joinEmbeddedPostgres } from '../../src/platform/embedded/postgres.js';
import { readEnvironment } from '../../src/platform/environment.js';
import { FAST } from './global-setup.js';
import { makeServerFolder } from './server-folder.js';
import { silentLog } from './silent.js';
import { reportSkipped, requiresAll } from './skipped-suites.js';
import { waitUntilStopped } from './stopped-server.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const INSTALLED = '/usr/lib/postgresql';
const PROGRAMS = ['pg_dump', 'pg_dumpall', 'pg_restore', 'initdb', 'postgres'];

/** For `describe.skipIf(!dumpAvailable())`: false, and reported, where no PostgreSQL is installed. */
export function dumpAvailable(): boolean {
  if (findFolder() !== undefined || requiresAll()) return true;
  reportSkipped('Cells that move in a dump: no PostgreSQL with pg_dump is installed (apt-get install postgresql).');
  return false;
}

/** The oldest: a dump of it goes into every server that tests run on. */
function findFolder(): string | undefined {
  const versions = existsSync(INSTALLED) ? readdirSync(INSTALLED).sort((a, b) => Number(a) - Number(b)) : [];
  return [readEnvironment('CREDIT_ROLLOUT_PG_BIN'), ...versions.map((version) => join(INSTALLED, version, 'bin'))].find(
    (folder) => folder !== undefined && PROGRAMS.every((program) => existsSync(join(folder, program))),
  );
}

export interface DumpedServer {
  /** URL of its database `postgres`, as its superuser. */
  readonly adminUrl: string;
  /** Runs one of the programs that came with it; resolves with what it prints. */
  run(program: 'pg_dump' | 'pg_dumpall' | 'pg_restore', ...args: readonly string[]): Promise<string>;
  /** Close all connections before. */
  stop(): Promise<void>;
}

/** A server of its own, beside the programs that dump it. */
export async function startDumpedServer(): Promise<DumpedServer> {
  const binFolder = findFolder();
  if (binFolder === undefined) throw new Error(`no PostgreSQL in ${INSTALLED} has ${PROGRAMS.join(', ')}`);
  const folder = await makeServerFolder();
  await chmod(folder, 0o755);
  const options = { root: PROJECT, folder: join(folder, 'server'), binFolder, log: silentLog, settings: FAST };
  const server = await joinEmbeddedPostgres(options);
  return {
    adminUrl: server.adminUrl,
    run: async (program, ...args) =>
      (await promisify(execFile)(join(binFolder, program), args, { maxBuffer: 64 * 1024 * 1024 })).stdout,
    stop: async () => {
      await server.leave();
      await waitUntilStopped(server.dataFolder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
