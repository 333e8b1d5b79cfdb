// Makes the data folder of a server where there is none, under the server's lock. As root, initdb works as a user that
// has a name, in a folder that no other process of that user can enter; then everything becomes the server's own.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { lchown, lstat, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PostgresBinaries } from './binaries.js';
import { copyEarlierData, findEarlierData, removeEarlierData } from './earlier-data.js';
import type { ServerLocation } from './location.js';
import { readOwnFile } from './own-files.js';
import { findInitdbUser, type ServerUser } from './server-user.js';
import { ALREADY_WATCHED, watcherEnvironment } from './watcher.js';

export interface PrepareOptions {
  /** Descriptors of the lock file and of the log. */
  readonly lock: number;
  readonly log: number;
  /** After so long initdb is ended: who may signal it may stop it, and it would keep the lock for ever. */
  readonly initdbMs?: number;
}

const INITDB_MS = 60_000;

/**
 * 0 when the data folder is there and belongs to the server's user; ALREADY_WATCHED when another process has the lock;
 * anything else when it could not be made, for reasons that are in the log.
 */
export async function prepareDataFolder(
  location: ServerLocation,
  binaries: PostgresBinaries,
  { lock, log, initdbMs = INITDB_MS }: PrepareOptions,
): Promise<number> {
  const { dataFolder, folder, user } = location;
  const found = await lstat(dataFolder).catch(() => undefined);
  if (found !== undefined && (user === undefined || found.uid === user.uid)) return 0;
  const code = await takeLock(lock);
  if (code !== 0) return code;
  if (found !== undefined) return giveTree(dataFolder, user).then(() => 0); // its number got a name meanwhile
  await removeDrafts(folder);
  const draft = join(folder, `new.${process.pid}.${randomBytes(6).toString('hex')}`);
  await mkdir(draft, { mode: 0o700 });
  const earlier = await findEarlierData(location);
  const made = earlier
    ? await copyEarlierData(location, earlier, draft, log)
    : await runInitdb(location, binaries, draft, { log, initdbMs });
  if (made !== 0) return made;
  await rename(join(draft, 'data'), dataFolder);
  await rm(draft, { recursive: true, force: true });
  if (earlier !== undefined) await removeEarlierData(earlier);
  return 0;
}

/** The lock belongs to the open file: the watcher, which gets the same one, keeps it when this process ends. */
async function takeLock(lock: number): Promise<number> {
  if (process.platform === 'darwin') return 0; // opening took it
  const code = await waitForExit(spawn('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', lock] }));
  return code === 1 ? ALREADY_WATCHED : code;
}

/** What a killed process left. */
async function removeDrafts(folder: string): Promise<void> {
  const drafts = (await readdir(folder)).filter((name) => /^(?:data\.)?new\./u.test(name));
  await Promise.all(drafts.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/** In /dev/shm every process of the user that runs initdb could write into its memory. */
const OWN_MEMORY = ['-c', 'dynamic_shared_memory_type=mmap'] as const;
const KNOWS_SETTINGS = 16;

async function runInitdb(
  { passwordFile, user }: ServerLocation,
  { initdb, major }: PostgresBinaries,
  draft: string,
  { log, initdbMs }: Required<Omit<PrepareOptions, 'lock'>>,
): Promise<number> {
  const locale = process.platform === 'darwin' ? 'C' : 'C.UTF-8'; // macOS has only names such as en_US.UTF-8
  const runner = user && (await findInitdbUser(user));
  const password = join(draft, 'password'); // a copy that initdb can read
  await writeFile(password, readOwnFile(passwordFile), { flag: 'wx', mode: 0o600 });
  if (runner !== undefined) for (const path of [password, draft]) await lchown(path, runner.uid, runner.gid);
  const own = ['-D', join(draft, 'data'), '-U', 'postgres', `--pwfile=${password}`, '--auth=scram-sha-256'];
  const child = spawn(
    initdb,
    [...own, ...(major < KNOWS_SETTINGS ? [] : OWN_MEMORY), '-E', 'UTF8', `--locale=${locale}`],
    {
      ...runner,
      cwd: '/',
      stdio: ['ignore', log, log],
      env: watcherEnvironment(),
      timeout: initdbMs,
      killSignal: 'SIGKILL', // another one would wait for a process that is stopped
    },
  );
  const code = await waitForExit(child);
  if (child.killed) writeSync(log, `initdb did not end within ${initdbMs / 1_000} seconds, and was ended\n`);
  if (code === 0) await giveTree(join(draft, 'data'), user);
  return code;
}

async function waitForExit(child: ChildProcess): Promise<number> {
  const [code] = await once(child, 'close').catch(() => [1]);
  return typeof code === 'number' ? code : 1;
}

/** Nobody else could enter what is given away here. The folder itself comes last: its owner says that all is done. */
async function giveTree(folder: string, user: ServerUser | undefined): Promise<void> {
  if (user === undefined) return;
  const inside = await readdir(folder, { recursive: true });
  for (const path of [...inside.map((entry) => join(folder, entry)), folder]) await lchown(path, user.uid, user.gid);
}
