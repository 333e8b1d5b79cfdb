// Where an embedded server's files are and who owns them. Never starts anything; never trusts a folder that others
// could write.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, link, lstat, mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RolloutError } from '../../kernel/rollout-error.js';
import { readEnvironment } from '../environment.js';

/** The unprivileged user that PostgreSQL runs as when we are root: it does not run as root. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Every path of one server. All lie in `folder`, but for the socket when that path would be too long. */
export interface ServerLocation {
  readonly folder: string;
  readonly dataFolder: string;
  readonly socketFolder: string;
  /** A FIFO: every user of the server holds it open for writing. */
  readonly usersFifo: string;
  /** Exists while the server may be about to stop. */
  readonly closingMark: string;
  readonly lockFile: string;
  readonly passwordFile: string;
  readonly logFile: string;
  readonly user: ServerUser | undefined;
}

const SOCKET_NAME_BYTES = '/.s.PGSQL.5432'.length;
const SOCKET_PATH_BYTES = 103; // the limit is 107 on Linux and 103 on macOS
const NOBODY = 65_534;

/** Undefined unless this process is root: then `nobody`, as /etc/passwd numbers it. */
export async function findServerUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const nobody = /^nobody:[^:]*:(-?\d+):(-?\d+):/m.exec(passwd);
  return { uid: Number(nobody?.[1] ?? NOBODY), gid: Number(nobody?.[2] ?? NOBODY) };
}

/** The folder for the servers and binaries of one project: inside it, or for root where the server's user can read. */
export async function prepareHome(root: string, user: ServerUser | undefined): Promise<string> {
  const resolved = await realpath(root);
  if (user === undefined) return prepareFolder(join(resolved, '.credit-rollout'), user);
  const name = `credit-rollout-${hash(resolved)}`;
  return prepareFolder(join('/var/lib', name), user).catch(() => prepareFolder(join('/var/tmp', name), user));
}

/** Makes the folder, FIFO and password of a server where they are missing. Safe when several do it at once. */
export async function prepareLocation(folder: string, user: ServerUser | undefined): Promise<ServerLocation> {
  await prepareFolder(folder, user);
  const location = {
    folder,
    dataFolder: join(folder, 'data'),
    socketFolder: await prepareFolder(chooseSocketFolder(folder), user),
    usersFifo: join(folder, 'users'),
    closingMark: join(folder, 'closing'),
    lockFile: join(folder, 'lock'),
    passwordFile: join(folder, 'password'),
    logFile: join(folder, 'server.log'),
    user,
  };
  await ensureFifo(location.usersFifo, user);
  await ensurePassword(location.passwordFile, user);
  return location;
}

/** Makes a folder that only its owner can enter. @throws embedded_start_failed when it is somebody else's. */
async function prepareFolder(path: string, user: ServerUser | undefined): Promise<string> {
  try {
    await mkdir(path, { mode: 0o700, recursive: true });
    const found = await lstat(path);
    const owner = user?.uid ?? process.getuid?.() ?? found.uid;
    if (!found.isDirectory() || (found.uid !== owner && found.uid !== 0))
      throw new Error('it belongs to somebody else');
    await chmod(path, 0o700);
    await giveTo(path, user);
    return path;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RolloutError('embedded_start_failed', {
      message: `The folder ${path} cannot be used: ${reason}.`,
      cause,
    });
  }
}

/** Makes a path the property of the server's user; nothing to do when that is us. */
async function giveTo(path: string, user: ServerUser | undefined): Promise<void> {
  if (user !== undefined) await chown(path, user.uid, user.gid);
}

function chooseSocketFolder(folder: string): string {
  const inside = join(folder, 'socket');
  const short = Buffer.byteLength(inside) + SOCKET_NAME_BYTES <= SOCKET_PATH_BYTES;
  // PostgreSQL splits the setting at commas, and a URL must carry the path
  return short && /^[\w/.-]+$/.test(inside) ? inside : join('/tmp', `credit-rollout-${hash(folder)}`);
}

async function ensureFifo(path: string, user: ServerUser | undefined): Promise<void> {
  const isThere = async (): Promise<boolean> => (await lstat(path).catch(() => undefined))?.isFIFO() === true;
  if (await isThere()) return;
  const env = { PATH: readEnvironment('PATH') ?? '/usr/bin:/bin' };
  await promisify(execFile)('mkfifo', ['-m', '600', path], { ...user, env }).catch(async (cause: Error) => {
    if (await isThere()) return;
    throw new RolloutError('embedded_start_failed', {
      message: `The FIFO ${path} cannot be made: ${cause.message}`,
      cause,
    });
  });
}

async function ensurePassword(path: string, user: ServerUser | undefined): Promise<void> {
  if ((await lstat(path).catch(() => undefined)) !== undefined) return;
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${randomBytes(24).toString('hex')}\n`, { flag: 'wx', mode: 0o600 });
  await giveTo(draft, user);
  // a link, not a rename: whoever comes second keeps the first one's password
  await link(draft, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
