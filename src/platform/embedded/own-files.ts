// Opens what is ours and nothing else: no link is followed, and the owner is read from what was opened, not from its
// name. Root uses nothing that another user could have put there.
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { ServerUser } from './server-user.js';

type Kind = 'file' | 'folder' | 'fifo';

const IS_KIND: Readonly<Record<Kind, (found: Stats) => boolean>> = {
  file: (found) => found.isFile(),
  folder: (found) => found.isDirectory(),
  fifo: (found) => found.isFIFO(),
};

/**
 * A descriptor of a path that is ours. Throws the system's error where it cannot be opened.
 * @throws embedded_start_failed when it is a link, something else, or somebody else's.
 */
export function openOwn(kind: Kind, path: string, flags: number, owners?: readonly number[]): number {
  const fd = openNoLink(kind, path, flags);
  const found = fstatSync(fd);
  if (IS_KIND[kind](found) && (owners ?? [process.getuid?.() ?? 0]).includes(found.uid)) return fd;
  closeSync(fd);
  throw rejectPath(path, IS_KIND[kind](found) ? 'it belongs to somebody else' : `it is no ${kind}`);
}

function openNoLink(kind: Kind, path: string, flags: number): number {
  try {
    return openSync(path, flags | constants.O_NOFOLLOW, 0o600);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ELOOP' || (kind === 'folder' && code === 'ENOTDIR')) throw rejectPath(path, 'it is a link', cause);
    throw cause;
  }
}

/** Passwords, names and numbers. */
const MAX_TEXT_BYTES = 10_000;

/** The text of a small file that is ours; never waits for one. @throws embedded_start_failed */
export function readOwnFile(path: string, owners?: readonly number[]): string {
  const fd = openOwn('file', path, constants.O_RDONLY | constants.O_NONBLOCK, owners);
  try {
    if (fstatSync(fd).size > MAX_TEXT_BYTES) throw rejectPath(path, `it has more than ${MAX_TEXT_BYTES} bytes`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

export interface FolderAccess {
  /** Left out: us. */
  readonly owner?: ServerUser | undefined;
  /** This group may enter, and see no list. */
  readonly enteredBy?: number | undefined;
}

/** Makes a folder that only its owner can use. @throws embedded_start_failed when it is somebody else's. */
export async function ensureOwnFolder(path: string, { owner, enteredBy }: FolderAccess = {}): Promise<string> {
  try {
    await mkdir(path, { mode: 0o700, recursive: true });
    const ours = process.getuid?.() ?? 0;
    const owners = owner === undefined ? [ours] : [ours, owner.uid];
    const fd = openOwn('folder', path, constants.O_RDONLY | constants.O_DIRECTORY, owners);
    try {
      if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
      else if (enteredBy !== undefined) fchownSync(fd, ours, enteredBy);
      fchmodSync(fd, enteredBy === undefined ? 0o700 : 0o710);
    } finally {
      closeSync(fd);
    }
    return path;
  } catch (cause) {
    if (cause instanceof RolloutError) throw cause;
    throw rejectPath(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function rejectPath(path: string, reason: string, cause?: unknown): RolloutError {
  return new RolloutError('embedded_start_failed', { message: `${path} cannot be used: ${reason}.`, cause });
}
