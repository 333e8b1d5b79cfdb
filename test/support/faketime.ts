// A clock of its own for a process or a PostgreSQL server, by Debian's libfaketime where it is installed; else a
// reported skip. It jumps while they run; the machine's own clock is never touched, and monotonic time goes on.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareBinaries } from '../../src/platform/embedded/binaries.js';
import { prepareHome } from '../../src/platform/embedded/location.js';
import { joinEmbeddedPostgres } from '../../src/platform/embedded/postgres.js';
import { findServerUser } from '../../src/platform/embedded/server-user.js';
import { readEnvironment } from '../../src/platform/environment.js';
import { FAST } from './global-setup.js';
import { makeServerFolder } from './server-folder.js';
import { silentLog } from './silent.js';
import { reportSkipped, requiresAll } from './skipped-suites.js';
import { waitUntilStopped } from './stopped-server.js';

const LIBRARY = join('faketime', 'libfaketimeMT.so.1');

/** For `describe.skipIf(!faketimeAvailable())`: false, and reported, where no process can be given a clock. */
export function faketimeAvailable(): boolean {
  if (findLibrary() !== undefined || requiresAll()) return true;
  reportSkipped('Clock suites: libfaketime is not installed, or does not work here (apt-get install libfaketime).');
  return false;
}

/** That of this architecture: the one that moves a clock. */
function findLibrary(): string | undefined {
  const multiarch = existsSync('/usr/lib') ? readdirSync('/usr/lib').map((name) => join('/usr/lib', name)) : [];
  return ['/usr/lib', ...multiarch]
    .map((folder) => join(folder, LIBRARY))
    .find((path) => existsSync(path) && works(path));
}

const YEAR_S = 365 * 86_400;

function works(library: string): boolean {
  const show = (...prefix: readonly string[]): number => {
    const [program = '', ...args] = [...prefix, process.execPath, '-p', 'Date.now()'];
    return Number(spawnSync(program, args, { encoding: 'utf8' }).stdout);
  };
  return show('env', `LD_PRELOAD=${library}`, `FAKETIME=+${YEAR_S}`) - show() > (YEAR_S * 1_000) / 2;
}

/** A clock that shows what the test sets. */
export interface FakeClock {
  /** Comes before a program and its arguments, and is replaced by the program: the process stays the same one. */
  readonly prefix: readonly string[];
  /** So many seconds off the machine's from now on, for every process that goes by it. */
  set(offsetS: number): Promise<void>;
  /** Removes what a killed process could not. */
  removeClockOf(pid: number): Promise<void>;
  remove(): Promise<void>;
}

/** Starts right. Remove it after the processes that go by it. */
export async function createFakeClock(): Promise<FakeClock> {
  const folder = await mkdtemp(join(tmpdir(), 'credit-rollout-clock-'));
  await chmod(folder, 0o755); // the server's user reads it
  const library = join(folder, 'libfaketime.so');
  await writeFile(library, await readLibrary(findLibrary() ?? LIBRARY));
  await chmod(library, 0o644);
  const file = join(folder, 'offset');
  // renamed: a process that reads in the middle of a write would see no offset
  const set = async (offsetS: number): Promise<void> => {
    await writeFile(`${file}.new`, `${offsetS < 0 ? '-' : '+'}${Math.abs(offsetS)}\n`);
    await chmod(`${file}.new`, 0o644);
    await rename(`${file}.new`, file);
  };
  await set(0);
  return {
    prefix: [
      'env',
      `LD_PRELOAD=${library}`,
      `FAKETIME_TIMESTAMP_FILE=${file}`,
      'FAKETIME_NO_CACHE=1',
      'FAKETIME_DONT_FAKE_MONOTONIC=1',
      'NO_FAKE_STAT=1', // a clock that jumps leaves the times of files alone
    ],
    set,
    removeClockOf: async (pid) => {
      for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`])
        await rm(join('/dev/shm', name), { force: true });
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/**
 * The library without its epoll_wait, which it wraps only for clocks of another speed: under the wrapper a signal
 * handler is shown the true time. A PostgreSQL whose clock is ahead, and that waits there for a lock, would take its
 * lock_timeout for not yet due, set its timer anew for the whole difference, and wait on.
 */
async function readLibrary(path: string): Promise<Buffer> {
  const text = (await readFile(path)).toString('latin1'); // one character is one byte
  return Buffer.from(text.replaceAll('\0epoll_wait\0', '\0epoll_none\0'), 'latin1');
}

export interface ClockedServer {
  /** URL of its database `postgres`, as its superuser. */
  readonly adminUrl: string;
  /** Close all connections before. */
  stop(): Promise<void>;
}

/** A PostgreSQL of its own that goes by this clock: of the same version as the shared one, in a temporary folder. */
export async function startServerUnder(clock: FakeClock): Promise<ClockedServer> {
  const folder = await makeServerFolder();
  await chmod(folder, 0o755);
  const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
  const binFolder = await writePrograms(join(folder, 'bin'), root, clock);
  const server = await joinEmbeddedPostgres({
    root,
    folder: join(folder, 'server'),
    binFolder,
    log: silentLog,
    settings: FAST,
  });
  return {
    adminUrl: server.adminUrl,
    stop: async () => {
      await server.leave();
      await waitUntilStopped(server.dataFolder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Programs of the same names that become the real ones: a server is started with nothing of our environment. */
async function writePrograms(folder: string, root: string, { prefix }: FakeClock): Promise<string> {
  const user = await findServerUser();
  const home = await prepareHome(root, user);
  const real = await prepareBinaries({ binFolder: readEnvironment('CREDIT_ROLLOUT_PG_BIN'), home, user });
  const write = async (name: string, words: readonly string[]): Promise<void> => {
    await writeFile(join(folder, name), `#!/bin/sh\nexec ${words.map(quote).join(' ')} "$@"\n`);
    await chmod(join(folder, name), 0o755);
  };
  await mkdir(folder);
  await chmod(folder, 0o755);
  await write('postgres', [...prefix, real.postgres]);
  await write('initdb', [real.initdb]);
  return folder;
}

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
