// Whom PostgreSQL runs as when we are root, since it does not run as root: a number that no other process has. The user
// `nobody` is no such number: each of its processes could read, change and signal a server of that user.
import { readFile } from 'node:fs/promises';

/** A user and group by number. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

const NOBODY = 65_534;
// No distribution gives these to users, services or containers, and containers that number users anew still have them.
const PRIVATE = { first: 60_706, last: 61_183 } as const;

/** The user of the server; undefined unless this process is root. */
export async function findServerUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const taken = new Set([...(await readNumbers('/etc/passwd', 2)), ...(await readNumbers('/etc/group', 2))]);
  for (let id = PRIVATE.first; id <= PRIVATE.last; id += 1) if (!taken.has(id)) return { uid: id, gid: id };
  throw new Error(`every number from ${PRIVATE.first} to ${PRIVATE.last} has a name in /etc/passwd or /etc/group`);
}

/**
 * Who runs initdb, which needs a user with a name: `nobody`, with the group of the server. Another process of `nobody`
 * does not have that group, so it can neither enter the folder nor read the process; it could only end it.
 */
export async function findInitdbUser(user: ServerUser): Promise<ServerUser> {
  return { uid: (await findNobody()).uid, gid: user.gid };
}

/** The user that the servers of earlier versions ran as. */
export async function findNobody(): Promise<ServerUser> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const nobody = /^nobody:[^:]*:(-?\d+):(-?\d+):/m.exec(passwd);
  return { uid: Number(nobody?.[1] ?? NOBODY), gid: Number(nobody?.[2] ?? NOBODY) };
}

async function readNumbers(path: string, field: number): Promise<readonly number[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').map((line) => Number(line.split(':')[field] ?? Number.NaN));
}
