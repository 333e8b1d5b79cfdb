// Listens on a unix socket that only its user and its group can use. A socket whose process is gone is replaced; one
// on which somebody answers is not. The folder must be one that nobody else writes into: its caller checks that.
import { lstat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';

/** For the user and the group. */
const SOCKET_UMASK = 0o117;
const ANSWER_MS = 1_000;

/** Resolves once it listens; `used`: another process listens there, and this one does not. */
export async function listenOnSocket(server: Server, path: string): Promise<'listening' | 'used'> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket()) {
    if (await isAnswered(path)) return 'used';
    await unlink(path);
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // the file is made within this call: a chmod afterwards would be of whatever has the name then
    const before = process.umask(SOCKET_UMASK);
    try {
      server.listen(path, resolve);
    } finally {
      process.umask(before);
    }
  });
  return 'listening';
}

/** Only a refused connection proves that nobody is there. */
const isAnswered = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path);
    const end = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(ANSWER_MS, () => end(true));
    socket.once('connect', () => end(true));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => end(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
