// Who did what, when and why: append-only. No org data: verb, data center, counts.
import type { ControlTransaction } from './control-database.js';

export interface AuditEntry {
  /** Null: who the control database authenticated. */
  readonly actor: string | null;
  readonly action: string;
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
  readonly data_center: string | null;
  readonly run_id: string | null;
  readonly epoch: string | null;
  readonly reason: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

export async function appendAudit(tx: ControlTransaction, entry: AuditEntry): Promise<void> {
  await tx.raw(
    `insert into credit_rollout_control.audit (actor, action, data_center, run_id, epoch, reason, details)
     values (coalesce(?, session_user), ?, ?, ?::bigint, ?::bigint, ?, ?::jsonb)`,
    [
      entry.actor,
      entry.action,
      entry.dataCenter ?? null,
      entry.runId === undefined ? null : String(entry.runId),
      entry.epoch === undefined ? null : String(entry.epoch),
      entry.reason ?? null,
      JSON.stringify(entry.details ?? {}),
    ],
  );
}

/** The newest `most` entries, newest first. */
export async function listAudit(
  tx: ControlTransaction,
  most: number,
  dataCenter?: string,
): Promise<readonly AuditRow[]> {
  const { rows } = await tx.raw(
    `select * from credit_rollout_control.audit where ?::text is null or data_center = ? order by seq desc limit ?`,
    [dataCenter ?? null, dataCenter ?? null, most],
  );
  return rows;
}
