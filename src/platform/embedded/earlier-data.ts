// Takes over the data of an earlier version, whose server ran as `nobody` when root started it. Every process of
// `nobody` could change those files, so root touches none of them: `nobody` reads them, and the server's user writes
// the copy. What such a process wrote into the data before this moment is in the copy.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lchown, lstat, rename, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { ServerLocation } from './location.js';
import { readOwnFile } from './own-files.js';
import { findNobody, type ServerUser } from './server-user.js';
import { watcherEnvironment } from './watcher.js';

/** The folder of this server that an earlier version left, with data; undefined: none. */
export async function findEarlierData({ earlierFolder }: ServerLocation): Promise<string | undefined> {
  if (earlierFolder === undefined) return undefined;
  const nobody = await findNobody();
  const home = await lstat(dirname(earlierFolder)).catch(() => undefined);
  if (home === undefined || !home.isDirectory() || home.uid !== nobody.uid) return undefined;
  return (await runAs(nobody, ['test', '-d', join(earlierFolder, 'data')])) === 0 ? earlierFolder : undefined;
}

const STILL_RUNS = 75;
// the lock is the watcher's; without it the server may still run
const READ = `
cd "$1" || exit 1
if [ -s data/postmaster.pid ] && read -r pid <data/postmaster.pid && kill -0 "$pid" 2>/dev/null; then exit ${STILL_RUNS}; fi
exec tar -cf - password data
`;
const REMOVE = 'cd "$1" && rm -rf "$2" binaries-*';

/**
 * Copies data and password into `draft`, and the password from there to its place. 0 when that is done, else what the
 * programs said is in the log.
 * @throws embedded_start_failed while a server of the earlier version runs
 */
export async function copyEarlierData(
  { user, passwordFile }: ServerLocation,
  earlier: string,
  draft: string,
  log: number,
): Promise<number> {
  if (user === undefined) return 1;
  await lchown(draft, user.uid, user.gid);
  const [read, written] = await copy(earlier, draft, user, log);
  if (read === STILL_RUNS)
    throw new RolloutError('embedded_start_failed', {
      message: `A server of an earlier version still runs on ${earlier}.`,
      next: 'End every command that uses it; it stops with the last one. Then run the command again.',
    });
  const data = await lstat(join(draft, 'data')).catch(() => undefined);
  if (read !== 0 || written !== 0 || data === undefined || !data.isDirectory() || data.uid !== user.uid) return 1;
  await replacePassword(passwordFile, readOwnFile(join(draft, 'password'), [user.uid]).trim());
  return 0;
}

/** Removes what was copied, as the user that it belongs to. */
export async function removeEarlierData(earlier: string): Promise<void> {
  const home = dirname(earlier);
  await runAs(await findNobody(), ['sh', '-c', REMOVE, 'sh', home, basename(earlier)]);
  await rmdir(home).catch(() => undefined); // it may hold another version's
}

/** Who may signal what reads may stop it, and it would keep the lock for ever. */
const LIMIT = { timeout: 600_000, killSignal: 'SIGKILL' } as const;

async function copy(from: string, to: string, user: ServerUser, log: number): Promise<readonly number[]> {
  const env = watcherEnvironment();
  const read = spawn('sh', ['-c', READ, 'sh', from], {
    ...(await findNobody()),
    ...LIMIT,
    cwd: '/',
    env,
    stdio: ['ignore', 'pipe', log],
  });
  const write = spawn('tar', ['-xpf', '-', '-C', to], { ...user, cwd: '/', env, stdio: ['pipe', log, log] });
  const codes = [read, write].map((child) =>
    once(child, 'exit').then(
      ([code]) => (typeof code === 'number' ? code : 1),
      () => 1,
    ),
  );
  // a reader that ended makes the other's exit code say so
  if (read.stdout !== null && write.stdin !== null) await pipeline(read.stdout, write.stdin).catch(() => undefined);
  return Promise.all(codes);
}

async function replacePassword(path: string, password: string): Promise<void> {
  if (!/^[0-9a-f]{48}$/u.test(password))
    throw new RolloutError('embedded_start_failed', { message: 'The password of the earlier version cannot be read.' });
  await writeFile(`${path}.earlier`, `${password}\n`, { flag: 'w', mode: 0o600 });
  await rename(`${path}.earlier`, path);
}

async function runAs(user: ServerUser, [program = '', ...args]: readonly string[]): Promise<number> {
  const child = spawn(program, args, { ...user, ...LIMIT, cwd: '/', env: watcherEnvironment(), stdio: 'ignore' });
  return once(child, 'exit').then(
    ([code]) => (typeof code === 'number' ? code : 1),
    () => 1,
  );
}
