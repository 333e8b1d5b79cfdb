// Whom PostgreSQL runs as when we are root, since it does not run as root: a number that no other process has. The user
// `nobody` is no such number: each of its processes could read, change and signal a server of that user.
import { readFile } from 'node:fs/promises';

/** A user and group by number. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

const NOBODY = 65_534;
// No distribution gives these to users, services or containers. Containers that number users anew have only the first
// range; the other is for a machine where somebody may use that one for the users of a container.
const PRIVATE = [
  { first: 60_706, last: 61_183 },
  { first: 90_706, last: 91_183 },
] as const;

/** The user of the server; undefined unless this process is root. */
export async function findServerUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [passwd = '', group = '', ...subordinate] = await Promise.all(
    ['passwd', 'group', 'subuid', 'subgid'].map((name) => readFile(`/etc/${name}`, 'utf8').catch(() => '')),
  );
  return choosePrivateUser({ passwd, group, subordinate: subordinate.join('\n') });
}

/** The texts of /etc/passwd and /etc/group, and of /etc/subuid with /etc/subgid. */
export interface KnownNumbers {
  readonly passwd: string;
  readonly group: string;
  readonly subordinate: string;
}

/** The first number that nobody else has, or may take in a user namespace. */
export function choosePrivateUser({ passwd, group, subordinate }: KnownNumbers): ServerUser {
  const taken = new Set([...listNumbers(passwd, 2), ...listNumbers(group, 2)]);
  const [starts, counts] = [listNumbers(subordinate, 1), listNumbers(subordinate, 2)];
  const isLent = (id: number): boolean => starts.some((start, n) => id >= start && id < start + (counts[n] ?? 0));
  for (const { first, last } of PRIVATE)
    for (let id = first; id <= last; id += 1) if (!taken.has(id) && !isLent(id)) return { uid: id, gid: id };
  const shown = PRIVATE.map(({ first, last }) => `${first} to ${last}`).join(' and ');
  throw new Error(
    `every number of ${shown} has a name in /etc/passwd or /etc/group, or is in /etc/subuid or /etc/subgid`,
  );
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

const listNumbers = (text: string, field: number): readonly number[] =>
  text.split('\n').map((line) => Number(line.split(':')[field] ?? Number.NaN));
