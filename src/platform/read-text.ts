// Reads a text file that a person named, up to a limit: whatever it is, it does not fill the memory.
import { open } from 'node:fs/promises';

/** The text as UTF-8; undefined when the file has more bytes. Rejects with the error of the disk. */
export async function readText(path: string, maxBytes: number): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let read = 1; read > 0 && length <= maxBytes; length += read) {
      ({ bytesRead: read } = await file.read(buffer, length, buffer.length - length, null));
    }
    return length > maxBytes ? undefined : buffer.toString('utf8', 0, length);
  } finally {
    await file.close();
  }
}
