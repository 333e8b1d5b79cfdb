// Composes the meter of a data center from its cell, its Redis and its listener. No decisions.
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import type { Program, RunningProcess } from './compose.js';
import { findDataCenter } from './compose.js';
import type { CallCosts } from './domain/rate-card/call-costs.js';
import { createMeterCell, type MeterCell } from './engine/usage/meter-cell.js';
import { createMeterServer } from './http/meter-server.js';
import { systemClock } from './kernel/clock.js';
import { createMeter, type Meter } from './meter/create-meter.js';
import { createListenError, explainListening, formatAddress, listenOn } from './platform/listen.js';
import { listenOnSocket } from './platform/listen-socket.js';
import { createLog } from './platform/log.js';
import { explainSharing } from './platform/shared-folder.js';
import { createMemoryMeterStore } from './stores/meter/memory-meter-store.js';
import { connectMeterRedis, createRedisMeterStore } from './stores/meter/redis-meter-store.js';

/** Where a meter listens. */
export type MeterListen =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'loopback'; readonly host: '127.0.0.1' | '::1'; readonly port: number };

export interface RunningMeter extends RunningProcess {
  /** As people write it; a port that was chosen by the system is named. */
  readonly address: string;
}

const DRAIN_MS = 5000;

/** Serves until it is stopped, and brings what was counted into the cell every 5 s and at its end. */
export async function startMeter(
  program: Program,
  options: { readonly dataCenter: string; readonly listen: MeterListen },
): Promise<RunningMeter> {
  const { meter, costs, cell, drain, disconnect } = await openCellMeter(program, options.dataCenter, 'configured');
  const http = createMeterServer({
    meter,
    clock: systemClock,
    findDetails: cell.findDetails,
    isCellRead: cell.isRead,
    costs,
  });
  const listening = (async () => {
    if ((await cell.prove()) === 'unreachable')
      createLog().warn('meter_cell_unreachable', { dataCenter: options.dataCenter });
    return listenAt(http, options.listen);
  })();
  const address = await listening.catch(async (error: unknown) => {
    await meter.close();
    disconnect();
    throw error;
  });
  const stopping = new AbortController();
  const draining = (async () => {
    while (!stopping.signal.aborted) {
      await systemClock.sleep(DRAIN_MS, stopping.signal);
      await drain();
    }
  })();
  return {
    address,
    stop: async () => {
      await new Promise((resolve) => {
        http.close(resolve);
        http.closeIdleConnections();
      });
      await meter.close();
      stopping.abort();
      // the last of these comes after the last release
      await draining;
      disconnect();
    },
  };
}

/** The meter of a data center, and how what it counts gets into the cell. */
export interface CellMeter {
  readonly meter: Meter;
  readonly costs: CallCosts;
  readonly cell: MeterCell;
  /** What this process has not yet brought into the cell. Never rejects. */
  drain(): Promise<unknown>;
  /** Once the meter is closed and drained. */
  disconnect(): void;
}

/** Counts on the Redis of the configuration where it names one, else in memory. */
export async function openCellMeter(
  program: Program,
  dataCenter: string,
  place: 'configured' | 'memory',
): Promise<CellMeter> {
  const { id, zone } = findDataCenter(program.config, dataCenter);
  const log = createLog().child({ dataCenter: id });
  const { costs } = await program.loadRateCard();
  const cell = createMeterCell(program.worker.cells.get(id), systemClock);
  const server = place === 'memory' ? undefined : program.meterRedis(id);
  const redis = server === undefined ? undefined : connectMeterRedis(server.url, { tls: server.ssl });
  const now = (): number => systemClock.now().getTime();
  const store = redis === undefined ? createMemoryMeterStore(now) : createRedisMeterStore(redis);
  const meter = createMeter({
    zone,
    costs,
    store,
    readCapacity: cell.readLimits,
    enforce: cell.enforce,
    readUsage: cell.readUsage,
    onEvent: (event) => log.warn(`meter_${event.kind}`, 'error' in event ? { err: event.error } : {}),
  });
  const drain = (): Promise<unknown> =>
    cell.drain(store).catch((err: unknown) => log.warn('meter_drain_failed', { err }));
  return { meter, costs, cell, drain, disconnect: () => redis?.disconnect() };
}

async function listenAt(http: Server, listen: MeterListen): Promise<string> {
  return listen.kind === 'socket' ? listenAtSocket(http, listen.path) : formatAddress(await listenOn(http, listen));
}

/** Who may write into its folder could put a server of their own in its place. */
async function listenAtSocket(http: Server, path: string): Promise<string> {
  const explain = (cause: NodeJS.ErrnoException): never => {
    // Node says EACCES of a folder that is not there too
    if (cause.code === 'EACCES' || cause.code === 'ENOENT')
      throw createListenError(path, 'its folder does not exist, or this user may not use it', cause);
    throw explainListening(path, cause);
  };
  const why = await explainSharing(dirname(path), []).catch(explain);
  if (why !== undefined) throw createListenError(path, `it is not safe: ${why}`);
  const listening = await listenOnSocket(http, path).catch(explain);
  if (listening === 'used') throw createListenError(path, 'another process answers there');
  return `unix:${path}`;
}
