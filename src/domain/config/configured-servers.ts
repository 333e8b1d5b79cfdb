// The servers that a configuration names. Each URL is read when it is asked for, so that a process needs only the
// variables of the servers that it uses.
import { RolloutError } from '../../kernel/rollout-error.js';
import type { VariableLookup } from './config-text.js';
import { resolvePostgresUrl, resolveQueueUrl, resolveRedisUrl } from './resolve-url.js';
import type { DataCenterConfig, RolloutConfig } from './rollout-config.js';
import {
  parsePostgresServer,
  parseQueueServer,
  parseRedisServer,
  type ServerUrl,
  type TlsDefaults,
} from './server-url.js';

/** A server, and the key of the configuration that names it. */
export interface ConfiguredServer extends ServerUrl {
  readonly key: string;
}

/** Each throws missing_environment_variable and invalid_config; `queue` also queue_required. */
export interface ConfiguredServers {
  control(): ConfiguredServer;
  cell(dataCenter: DataCenterConfig): ConfiguredServer;
  /** Undefined where the configuration names none. */
  meter(dataCenter: DataCenterConfig): ConfiguredServer | undefined;
  /** The queue of the configuration, or the control database where `own` is not asked for. */
  queue(own: 'own' | 'any'): ConfiguredServer;
}

export function createConfiguredServers(
  config: RolloutConfig,
  lookup: VariableLookup,
  defaults: TlsDefaults,
): ConfiguredServers {
  const postgres = (text: string, key: string): ConfiguredServer => ({
    key,
    ...parsePostgresServer(resolvePostgresUrl(text, lookup, key), key, defaults),
  });
  const control = (): ConfiguredServer => postgres(config.controlDatabase.text, 'controlDatabase');
  return {
    control,
    cell: ({ id, database }) => postgres(database.text, `dataCenters.${id}.database`),
    meter: ({ id, meter }) => {
      const key = `dataCenters.${id}.meter`;
      return meter && { key, ...parseRedisServer(resolveRedisUrl(meter.text, lookup, key), key) };
    },
    queue: (own) => {
      if (config.queue !== undefined)
        return { key: 'queue', ...parseQueueServer(resolveQueueUrl(config.queue.text, lookup), defaults) };
      if (own === 'any') return control();
      throw new RolloutError('queue_required', {
        message: 'The configuration names no queue; only `up` may use the control database as one.',
      });
    },
  };
}
