// Which configuration a command uses, and which databases, in one line for people. Never a login, nor a password.
import type { ConfiguredServer, ConfiguredServers } from './configured-servers.js';
import type { RolloutConfig } from './rollout-config.js';
import { describeDatabase } from './server-url.js';

/** Of a fleet, the first data centers. */
const MAX_NAMED = 4;

/**
 * `rollout.config.yaml: control db/rollout, in db/crm`. A URL that cannot be read is left out: what needs it reports
 * it.
 */
export function describeOrigin(name: string, { dataCenters }: RolloutConfig, servers: ConfiguredServers): string {
  const describe = (what: string, server: () => ConfiguredServer): readonly string[] => {
    try {
      return [`${what} ${describeDatabase(server().url)}`];
    } catch {
      return [];
    }
  };
  const cells = dataCenters.slice(0, MAX_NAMED).flatMap((one) => describe(one.id, () => servers.cell(one)));
  const rest = dataCenters.length - MAX_NAMED;
  const databases = [...describe('control', servers.control), ...cells, ...(rest > 0 ? [`${rest} more`] : [])];
  return [name, ...(databases.length === 0 ? [] : [databases.join(', ')])].join(': ');
}
