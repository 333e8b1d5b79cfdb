// Reads a text file that a person named, up to a limit: whatever it is, it does not fill the memory. One that nobody
// named, but that lies where we are run, is read only where no other user could have put it there.
import { closeSync, constants, openSync, readSync, type Stats } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { isSharedByGroup } from './shared-folder.js';

/** The text as UTF-8; undefined when the file has more bytes. Rejects with the error of the disk. */
export async function readText(path: string, maxBytes: number): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    return await readUpTo(file, maxBytes);
  } finally {
    await file.close();
  }
}

async function readUpTo(file: FileHandle, maxBytes: number): Promise<string | undefined> {
  const buffer = Buffer.alloc(maxBytes + 1);
  let length = 0;
  for (let read = 1; read > 0 && length <= maxBytes; length += read) {
    ({ bytesRead: read } = await file.read(buffer, length, buffer.length - length, null));
  }
  return length > maxBytes ? undefined : buffer.toString('utf8', 0, length);
}

/** As readText, at once: for what opens a connection and cannot wait. Throws the error of the disk. */
export function readTextNow(path: string, maxBytes: number): string | undefined {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let read = 1; read > 0 && length <= maxBytes; length += read) {
      read = readSync(file, buffer, length, buffer.length - length, null);
    }
    return length > maxBytes ? undefined : buffer.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}

const OTHERS_WRITE = 0o002;

/**
 * The text of a file that nobody named; `distrust`: why it must not be used. Looks at what it opened, which nobody can
 * exchange, and waits for nobody. Rejects with the error of the disk.
 */
export async function readUnnamedText(
  path: string,
  maxBytes: number,
): Promise<{ readonly distrust: string } | { readonly text: string | undefined }> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const distrust = explainDistrust(await lstat(path), await file.stat());
    return distrust === undefined ? { text: await readUpTo(file, maxBytes) } : { distrust };
  } finally {
    await file.close();
  }
}

function explainDistrust(link: Stats, file: Stats): string | undefined {
  if (!file.isFile()) return 'is no file';
  const user = process.geteuid?.();
  if (user === undefined) return undefined;
  if ([link, file].some(({ uid }) => uid !== 0 && uid !== user)) return 'belongs to another user';
  if (file.mode & OTHERS_WRITE) return 'can be written by every user';
  return isSharedByGroup(file) ? 'can be written by its group' : undefined;
}
