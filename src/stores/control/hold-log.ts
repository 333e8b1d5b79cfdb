// What data centers waited for, and how long: written by triggers of control, wherever holds are written.
import type { LoggedHold, Span } from '../../domain/rollout/split-duration.js';
import { selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

/** Those that fall into the span. */
export function listLoggedHolds(
  tx: ControlTransaction,
  dataCenter: string,
  { from, to }: Span,
): Promise<readonly LoggedHold[]> {
  return selectRows<LoggedHold>(
    tx,
    `select code, since, until from credit_rollout_control.hold_log
     where data_center = :data_center and since < :to and coalesce(until, 'infinity') > :from
     order by since`,
    { data_center: dataCenter, from, to },
  );
}

/**
 * Since when the log is whole: it began with a version, and what ended long ago is purged, but for the newest rollout
 * of a data center.
 */
export async function readLogStart(
  tx: ControlTransaction,
): Promise<{ readonly began: Date; readonly purgedBefore: Date }> {
  return selectRow(
    tx,
    `select m.migration_time as began, clock_timestamp()
         - (credit_rollout_control.setting('reconcile.driftRetention') #>> '{}')::interval as purged_before
     from credit_rollout_control.migrations m where m.name like '%_pre_log_holds'`,
  );
}

/** Deletes holds that ended so many days ago, at most `limit`; the database rejects fewer days than the policy has. */
export async function purgeHoldLog(
  tx: ControlTransaction,
  { retentionDays, limit }: { readonly retentionDays: number; readonly limit: number },
): Promise<number> {
  const { purged } = await selectRow<{ readonly purged: number }>(
    tx,
    'select credit_rollout_control.purge_hold_log(:retention_days::int, :limit::int) as purged',
    { retention_days: retentionDays, limit },
  );
  return purged;
}
