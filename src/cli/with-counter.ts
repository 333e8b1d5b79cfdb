// A count that goes up on the terminal while something long is read; nothing in a log.
import type { CliSession } from './cli-session.js';
import { createLiveArea } from './live-area.js';
import { showOrgs } from './show-number.js';

export async function withCounter<T>(
  session: CliSession,
  what: string,
  work: (count: (orgs: number) => void) => Promise<T>,
): Promise<T> {
  const { io, options } = session;
  if (!io.isTerminal || options.json) return work(() => undefined);
  const area = createLiveArea(io, () => performance.now());
  try {
    return await work((orgs) => area.draw([`${what} … ${showOrgs(orgs)}`], ''));
  } finally {
    area.clear();
  }
}
