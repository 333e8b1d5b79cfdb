// Who did what, when and why: append-only. Holds no org data, only verbs, data centers and counts.
import type { AuditAction } from '../../domain/operate/audit-action.js';
import { execute, selectRow, selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface AuditEntry {
  readonly action: AuditAction;
  readonly dataCenter?: string;
  readonly runId?: bigint;
  readonly epoch?: bigint;
  readonly reason?: string | null;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface AuditRow {
  readonly seq: string;
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly dataCenter: string | null;
  readonly runId: string | null;
  readonly epoch: string | null;
  readonly reason: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The database fills in who acts, and when. */
export async function appendAudit(tx: ControlTransaction, entry: AuditEntry): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout_control.audit (action, data_center, run_id, epoch, reason, details)
     values (:action, :data_center, :run_id::bigint, :epoch::bigint, :reason,
       :details::jsonb)`,
    {
      action: entry.action,
      data_center: entry.dataCenter ?? null,
      run_id: entry.runId ?? null,
      epoch: entry.epoch ?? null,
      reason: entry.reason ?? null,
      details: JSON.stringify(entry.details ?? {}),
    },
  );
}

/** Whether this was recorded of this run before. */
export async function isAudited(
  tx: ControlTransaction,
  { action, dataCenter, runId }: { readonly action: string; readonly dataCenter: string; readonly runId: bigint },
): Promise<boolean> {
  const { found } = await selectRow<{ readonly found: boolean }>(
    tx,
    `select exists (select from credit_rollout_control.audit
       where action = :action and data_center = :data_center and run_id = :run_id::bigint) as found`,
    { action, data_center: dataCenter, run_id: runId },
  );
  return found;
}

/** Which entries; what is left out does not limit them. */
export interface AuditFilter {
  readonly dataCenter?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly from?: Date | undefined;
  /** Not included. */
  readonly to?: Date | undefined;
}

/** The newest entries first, at most `limit`. */
export async function listAudit(
  tx: ControlTransaction,
  limit: number,
  { dataCenter, actor, action, from, to }: AuditFilter = {},
): Promise<readonly AuditRow[]> {
  return selectRows<AuditRow>(
    tx,
    // an earlier version took details of any form
    `select seq, at, actor, action, data_center, run_id, epoch, reason,
       case when jsonb_typeof(details) = 'object' then details else '{}' end as details
     from credit_rollout_control.audit
     where (:data_center::text is null or data_center = :data_center)
       and (:actor::text is null or actor = :actor)
       and (:action::text is null or action = :action)
       and (:from_at::timestamptz is null or at >= :from_at)
       and (:to_at::timestamptz is null or at < :to_at)
     order by seq desc
     limit :limit`,
    {
      data_center: dataCenter ?? null,
      actor: actor ?? null,
      action: action ?? null,
      from_at: from ?? null,
      to_at: to ?? null,
      limit,
    },
  );
}
