// Checks of `doctor` on the meter's Redis of a data center: it forgets nothing, its clock is that of the cell, and it
// is no other server of ours. A Redis that cannot be reached has one finding.
import type { DataCenterConfig } from '../../domain/config/rollout-config.js';
import type { Clock } from '../../kernel/clock.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { MeterServerReading } from '../../stores/meter/meter-server-reading.js';
import type { ClockReading } from './check-server.js';
import { type Check, type CheckedSubject, type Finding, type FindingRecorder, runCheck, runChecks } from './finding.js';

/** How the servers are asked. */
export interface MeterServers {
  /** Undefined: the data center's meter has none. Rejects where it cannot be reached. */
  readonly read: (dataCenter: string, now: () => Date) => Promise<MeterServerReading | undefined>;
  /** Of the queue's Redis; undefined: the queue is on Postgres. */
  readonly readQueueRunId: () => Promise<string | undefined>;
}

export interface ReadMeters {
  readonly queueRunId: string | undefined;
  /** By data center; what failed, where one cannot be reached. */
  readonly servers: ReadonlyMap<string, MeterServerReading | { readonly failure: unknown }>;
}

/** Never rejects. A queue that cannot be asked has its own finding. */
export async function readMeters(
  { read, readQueueRunId }: MeterServers,
  dataCenters: readonly DataCenterConfig[],
  clock: Clock,
): Promise<ReadMeters> {
  const readings = dataCenters.map(async ({ id }) => {
    const server = await read(id, () => clock.now()).catch((failure: unknown) => ({ failure }));
    return server === undefined ? [] : [[id, server] as const];
  });
  const servers = new Map((await Promise.all(readings)).flat());
  const queueRunId = servers.size === 0 ? undefined : await readQueueRunId().catch(() => undefined);
  return { queueRunId, servers };
}

export async function checkMeter(
  about: CheckedSubject,
  { meters, cellClock }: { readonly meters: ReadMeters | undefined; readonly cellClock: ClockReading },
): Promise<readonly Finding[]> {
  const server = meters?.servers.get(about.subject);
  if (meters === undefined || server === undefined) return [];
  if ('failure' in server)
    return runCheck(about, 'meter', () => {
      throw new RolloutError('meter_unreachable', {
        message: `${about.title}: its meter's Redis cannot be reached, or does not let us in.`,
        cause: server.failure,
      });
    });
  const others = [...meters.servers].flatMap(([dataCenter, other]) =>
    dataCenter !== about.subject && !('failure' in other) && other.runId !== '' && other.runId === server.runId
      ? [{ dataCenter, database: other.database }]
      : [],
  );
  return runChecks(about, METER_CHECKS, { server, cellClock, queueRunId: meters.queueRunId, others });
}

/** The meter's Redis of a data center, and what it must be told from. */
interface ReadMeter {
  readonly server: MeterServerReading;
  readonly cellClock: ClockReading;
  /** Of the queue's Redis; undefined: it is on Postgres, or cannot be asked. */
  readonly queueRunId: string | undefined;
  /** Data centers whose meter is on the same server, and in the same of its databases or not. */
  readonly others: readonly { readonly dataCenter: string; readonly database: number }[];
}

const METER_CHECKS: readonly Check<ReadMeter>[] = [
  { check: 'meter', run: (_, record) => record.ok('its Redis is reachable') },
  { check: 'meter role', run: checkRole },
  { check: 'meter place', run: checkPlace },
  { check: 'meter memory', run: checkEviction },
  { check: 'meter clock', run: checkMeterClock },
];

function checkRole({ server }: ReadMeter, record: FindingRecorder): Finding {
  if (server.isReplica)
    return record.error('a replica, which accepts no writes', 'Point its URL at the primary.', 'meter_unusable');
  return server.isCluster
    ? record.error('a Redis Cluster: one call needs several keys', 'Use one server.', 'meter_unusable')
    : record.ok('a primary');
}

/** Org ids must leave their data center neither to the queue nor to another one. */
function checkPlace({ server, queueRunId, others }: ReadMeter, record: FindingRecorder): readonly Finding[] {
  const fix = 'Give it a Redis of its own, in its data center.';
  if (server.runId !== '' && server.runId === queueRunId)
    return [record.error("the queue's Redis: ids of orgs would leave their data center", fix, 'meter_shared')];
  if (others.length === 0) return [record.ok('a server of its own')];
  return others.map(({ dataCenter, database }) =>
    database === server.database
      ? record.error(`the Redis of the meter of "${dataCenter}": their orgs are counted together`, fix, 'meter_shared')
      : record.warning(`the same server as the meter of "${dataCenter}": ids of orgs leave their data center`, fix),
  );
}

function checkEviction({ server: { evictionPolicy } }: ReadMeter, record: FindingRecorder): Finding {
  const found = `maxmemory-policy is ${evictionPolicy === '' ? 'not said' : evictionPolicy}`;
  return evictionPolicy === 'noeviction'
    ? record.ok(found)
    : record.error(
        `${found}: counters may be dropped, and orgs get more than their limit`,
        'Set maxmemory-policy to noeviction.',
        'meter_unusable',
      );
}

const MAX_DIFFERENCE_MS = 2_000;

/** Redis says which day it is, the cell when a number changes: both clocks must agree. */
function checkMeterClock({ server, cellClock }: ReadMeter, record: FindingRecorder): Finding {
  const aheadMs = offsetOf(server.clock) - offsetOf(cellClock);
  const tookMs = durationOf(server.clock) + durationOf(cellClock);
  if (Math.abs(aheadMs) <= MAX_DIFFERENCE_MS + tookMs / 2)
    return record.ok(`within ${MAX_DIFFERENCE_MS / 1000} s of the cell's`);
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1);
  return record.warning(
    `${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the cell's; days are reset by it`,
    'Synchronize the clocks of both machines by NTP.',
  );
}

const durationOf = ({ before, after }: ClockReading): number => after.getTime() - before.getTime();
const offsetOf = (clock: ClockReading): number =>
  clock.server.getTime() - clock.before.getTime() - durationOf(clock) / 2;
