// What a file system said, for people: which path, why, and the way out.
import { RolloutError } from '../../kernel/rollout-error.js';

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of the disk is used up',
  EFBIG: 'the file would be larger than is allowed',
  EIO: 'the disk has a fault',
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  EROFS: 'the file system is read-only',
  ENOENT: 'a part of the path is gone',
  ENOTDIR: 'a part of the path is a file',
  EISDIR: 'a folder is in the place of the file',
  EEXIST: 'something else is in its place',
  ENOTEMPTY: 'something else is in its place',
  ENAMETOOLONG: 'the path is too long',
  ELOOP: 'its links lead in a circle',
  EBUSY: 'it is in use',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
};

const FREE_SPACE = 'Free some space, or name a folder on another disk with --out.';

/** out_unwritable for a failure of the file system; anything else comes back as it is, a database's failure too. */
export function explainDisk(error: unknown, path: string): unknown {
  const { code, syscall } = (error ?? {}) as { readonly code?: unknown; readonly syscall?: unknown };
  const reason = typeof code === 'string' ? REASONS[code] : undefined;
  // a Unix socket that is gone is a database's
  if (reason === undefined || syscall === 'connect') return error;
  return new RolloutError('out_unwritable', {
    message: `The report cannot be written to "${path}": ${reason} (${code}). Nothing was left there.`,
    ...(['ENOSPC', 'EDQUOT', 'EFBIG'].includes(String(code)) && { next: FREE_SPACE }),
    cause: error,
  });
}
