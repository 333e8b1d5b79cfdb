// What `doctor` asks the Redis servers of meters, and that of the queue. No decisions.
import type { ConfiguredServer } from './domain/config/configured-servers.js';
import type { MeterServers } from './engine/doctor/check-meter.js';
import { systemClock } from './kernel/clock.js';
import { createServerTls } from './platform/tls.js';
import type { MeterServerReading } from './stores/meter/meter-server-reading.js';

export function createMeterServers(servers: {
  readonly meter: (dataCenter: string) => ConfiguredServer | undefined;
  readonly queue: () => ConfiguredServer;
}): MeterServers {
  const readServer = async (server: ConfiguredServer, now: () => Date): Promise<MeterServerReading> => {
    const { readMeterServer } = await import('./stores/meter/meter-server-reading.js');
    return readMeterServer(server.url, { tls: createServerTls(server).ssl }, now);
  };
  return {
    read: async (id, now) => {
      const server = servers.meter(id);
      return server && readServer(server, now);
    },
    readQueueRunId: async () => {
      const server = servers.queue();
      if (!/^rediss?:/u.test(server.url)) return undefined;
      return (await readServer(server, () => systemClock.now())).runId;
    },
  };
}
