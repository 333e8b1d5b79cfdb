// The fence, its run and what a batch must know of the source, in one statement: a batch pays for every round trip.
import { findRow } from '../../query.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';
import { READS_SOURCE } from '../identity.js';
import type { ThrottleScope } from './checks.js';
import { OPENED_HERE } from './fence.js';
import { FROZEN } from './freezes.js';
import { type CellRun, RUN_COLUMNS, type RunRow } from './runs.js';

export interface OpenRun extends CellRun {
  /** The cell's timeline, which is also the one at which the fence was opened. */
  readonly timeline: string;
  /** The source proves that an id occurs once. */
  readonly sourceUnique: boolean;
  /** What the checks allow now. */
  readonly throttle: CurrentThrottle;
}

export interface CurrentThrottle {
  /** No more than the setting: 0, ¼, ½, or whole lanes. */
  readonly lanes: number;
  /** The checks were sampled lately enough; else `lanes` is 0, and that is due. */
  readonly sampled: boolean;
}

/** SQL: the lanes that a scope gives of `lanes` at this moment; where nothing is checked, all of them. */
const throttleSql = (scope: ThrottleScope, lanes: string): string => `
  case when not exists (select from credit_rollout.checks) then ${lanes}::float8
    else (select least(t.lanes, ${lanes}) from credit_rollout.throttle t where t.scope = '${scope}' and t.sampled_at
      between clock_timestamp() - interval '15 s' and clock_timestamp() + interval '15 s') end`;

const toThrottle = (allowed: number | null): CurrentThrottle => ({
  lanes: allowed ?? 0,
  sampled: allowed !== null,
});

/**
 * The run that may be written under `epoch` now; undefined: none, the cell is frozen, it is another server than the one
 * that control opened the fence on, or our views do not read the source (any more). Needs the fence's lock, taken in an
 * earlier statement.
 */
export async function findOpenRun(
  tx: CellTransaction,
  epoch: bigint,
  scope: ThrottleScope = 'write',
): Promise<OpenRun | undefined> {
  const row = await findRow<RunRow & Pick<OpenRun, 'timeline' | 'sourceUnique'> & { readonly allowed: number | null }>(
    tx,
    `select ${RUN_COLUMNS}, f.timeline, coalesce(c.source_unique, false) as source_unique,
       ${throttleSql(scope, 'r.lanes')} as allowed
     from credit_rollout.fence f
     join credit_rollout.runs r on r.run_id = f.run_id
     cross join credit_rollout.cell c
     where f.state = 'open' and f.epoch = :epoch::bigint and r.state = 'open' and not ${FROZEN}
       and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) and ${OPENED_HERE}
       and ${READS_SOURCE}`,
    { epoch },
  );
  if (row === undefined) return undefined;
  const { allowed, ...run } = row;
  return { ...run, runId: BigInt(run.runId), planId: toBigint(run.planId), throttle: toThrottle(allowed) };
}

/**
 * The run whose allotments may be verified under `epoch` now; undefined: none, for the reasons of `findOpenRun` but the
 * source's. Needs the fence's lock, taken in an earlier statement.
 */
export async function findVerifyingRun(
  tx: CellTransaction,
  epoch: bigint,
): Promise<(CellRun & Pick<OpenRun, 'sourceUnique' | 'throttle'>) | undefined> {
  const row = await findRow<RunRow & Pick<OpenRun, 'sourceUnique'> & { readonly allowed: number | null }>(
    tx,
    `select ${RUN_COLUMNS}, coalesce(c.source_unique, false) as source_unique,
       ${throttleSql('read', 'r.lanes')} as allowed
     from credit_rollout.fence f join credit_rollout.runs r on r.run_id = f.run_id cross join credit_rollout.cell c
     where f.state = 'verifying' and f.epoch = :epoch::bigint and not ${FROZEN} and ${OPENED_HERE}
       and f.timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`,
    { epoch },
  );
  if (row === undefined) return undefined;
  const { allowed, ...run } = row;
  return { ...run, runId: BigInt(run.runId), planId: toBigint(run.planId), throttle: toThrottle(allowed) };
}
