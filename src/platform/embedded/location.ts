// Where an embedded server's files are and who owns them. Never starts anything; never trusts a folder that others
// could write. As root every folder but those of the server itself stays root's, and the server may only pass through.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, lchown, link, lstat, realpath, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { RolloutError } from '../../kernel/rollout-error.js';
import { readEnvironment } from '../environment.js';
import { ensureOwnFolder, readOwnFile } from './own-files.js';
import type { ServerUser } from './server-user.js';

/** Every path of one server. All lie in `folder`, but for the socket when that path would be too long. */
export interface ServerLocation {
  readonly folder: string;
  readonly dataFolder: string;
  readonly socketFolder: string;
  /** A FIFO: every user of the server holds it open for writing. */
  readonly usersFifo: string;
  /** Exists while the server may be about to stop; the watcher makes it, where it may write. */
  readonly closingMark: string;
  readonly lockFile: string;
  readonly passwordFile: string;
  readonly logFile: string;
  readonly user: ServerUser | undefined;
  /** Where earlier versions had the same server, as `nobody`; undefined where they could not have. */
  readonly earlierFolder: string | undefined;
}

const SOCKET_NAME_BYTES = '/.s.PGSQL.5432'.length;
const SOCKET_PATH_BYTES = 103; // the limit is 107 on Linux and 103 on macOS
const SOCKET_FOLDERS_TRIED = 5;
const HOMES = '/var/lib/credit-rollout';
const HOMES_WITHOUT_VAR_LIB = '/var/tmp/credit-rollout';

/** The folder for the servers and binaries of one project: inside it, or for root where the server's user can read. */
export async function prepareHome(root: string, user: ServerUser | undefined): Promise<string> {
  const resolved = await realpath(root);
  if (user === undefined) return ensureOwnFolder(join(resolved, '.credit-rollout'));
  const prepare = async (homes: string): Promise<string> => {
    await ensureOwnFolder(homes, { enteredBy: user.gid });
    return ensureOwnFolder(join(homes, hash(resolved)), { enteredBy: user.gid });
  };
  return prepare(HOMES).catch(() => prepare(HOMES_WITHOUT_VAR_LIB));
}

/** Makes the folder, FIFO and password of a server where they are missing. Safe when several do it at once. */
export async function prepareLocation(folder: string, user: ServerUser | undefined): Promise<ServerLocation> {
  await ensureOwnFolder(folder, { enteredBy: user?.gid });
  const dataFolder = join(folder, 'data');
  const location = {
    folder,
    dataFolder,
    socketFolder: await ensureSocketFolder(folder, user),
    usersFifo: join(folder, 'users'),
    closingMark: join(dataFolder, 'closing'),
    lockFile: join(folder, 'lock'),
    passwordFile: join(folder, 'password'),
    logFile: join(folder, 'server.log'),
    user,
    earlierFolder: user && findEarlierFolder(folder),
  };
  await ensureFifo(location.usersFifo, user);
  await ensurePassword(location.passwordFile);
  return location;
}

/** Only below /var/lib, where root alone makes folders: anybody could have put one into /var/tmp. */
function findEarlierFolder(folder: string): string | undefined {
  const home = dirname(folder);
  return dirname(home) === HOMES ? join(`${HOMES}-${basename(home)}`, basename(folder)) : undefined;
}

/**
 * Inside, or in /tmp where that path would be too long. There anybody can make a folder of any name first: the name is
 * kept in a file of ours, and another one is taken while it is somebody else's.
 */
async function ensureSocketFolder(folder: string, user: ServerUser | undefined): Promise<string> {
  const inside = join(folder, 'socket');
  const short = Buffer.byteLength(inside) + SOCKET_NAME_BYTES <= SOCKET_PATH_BYTES;
  // PostgreSQL splits the setting at commas, and a URL must carry the path
  if (short && /^[\w/.-]+$/.test(inside)) return ensureOwnFolder(inside, { owner: user });
  const record = join(folder, 'socket-folder');
  const first = `credit-rollout-${hash(folder)}`;
  for (let name = first, attempt = 1; ; name = `${first}-${randomBytes(4).toString('hex')}`, attempt += 1) {
    await writeOnce(record, `${name}\n`);
    const kept = readOwnFile(record).trim();
    try {
      return await ensureOwnFolder(join('/tmp', basename(kept)), { owner: user });
    } catch (error) {
      if (attempt === SOCKET_FOLDERS_TRIED) throw error;
      await rm(record, { force: true });
    }
  }
}

async function ensureFifo(path: string, user: ServerUser | undefined): Promise<void> {
  const isThere = async (): Promise<boolean> => (await lstat(path).catch(() => undefined))?.isFIFO() === true;
  if (!(await isThere())) {
    const env = { PATH: readEnvironment('PATH') ?? '/usr/bin:/bin' };
    await promisify(execFile)('mkfifo', ['-m', '600', path], { env }).catch(async (cause: Error) => {
      if (await isThere()) return;
      throw new RolloutError('embedded_start_failed', {
        message: `The FIFO ${path} cannot be made: ${cause.message}`,
        cause,
      });
    });
  }
  if (user === undefined) return;
  // by name: nobody but root can put something else there. The watcher reads it, and opens it for both to not wait.
  await lchown(path, 0, user.gid);
  await chmod(path, 0o660);
}

const ensurePassword = (path: string): Promise<void> => writeOnce(path, `${randomBytes(24).toString('hex')}\n`);

/** Whoever comes second keeps what the first one wrote. */
async function writeOnce(path: string, text: string): Promise<void> {
  if ((await lstat(path).catch(() => undefined)) !== undefined) return;
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, text, { flag: 'wx', mode: 0o600 });
  // a link, not a rename
  await link(draft, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
