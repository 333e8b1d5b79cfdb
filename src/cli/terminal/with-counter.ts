// A count that goes up on the terminal while something long is read; nothing in a log.

import { createLiveArea } from './live-area.js';
import { showOrgs } from './numbers.js';
import type { CliSession } from './session.js';

export async function withCounter<T>(
  session: CliSession,
  what: string,
  work: (count: (orgs: number) => void) => Promise<T>,
): Promise<T> {
  const { io, options } = session;
  if (!io.isTerminal || options.json) return work(() => undefined);
  const area = createLiveArea(session, () => performance.now());
  try {
    return await work((orgs) => area.draw([`${what} … ${showOrgs(orgs)}`], ''));
  } finally {
    area.clear();
  }
}
