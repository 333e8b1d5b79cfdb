// Nights and reconciliations as control knows them: when each was due, whether it ran, and what it found. Counts only.
import type { ControlTransaction } from './control-database.js';

export interface NightRow {
  readonly dataCenter: string;
  /** `YYYY-MM-DD` of its data center; null: it was asked for, or it is a sweep. */
  readonly localDate: string | null;
  /** When it was due, else when it began. */
  readonly at: Date;
  readonly kind: 'reconcile' | 'sweep';
  /** Of a night: due, running, ran, caught_up, missed; of another run: open, done, failed, aborted. */
  readonly state: string;
  readonly runId: bigint | null;
  readonly requestedBy: string | null;
  readonly endedAt: Date | null;
  /** Why it was missed. */
  readonly note: string | null;
  readonly counts: Readonly<Record<string, number | string>> | null;
}

const NIGHTS = `
select w.data_center as "dataCenter", w.local_date::text as "localDate", w.due_at as at, 'reconcile' as kind, w.state, w.run_id as "runId",
  r.requested_by as "requestedBy", w.ended_at as "endedAt", w.note, coalesce(w.counts, r.counts) as counts
from credit_rollout_control.due_work w left join credit_rollout_control.runs r on r.run_id = w.run_id
where w.kind = 'reconcile'
union all
select r.data_center, null, r.opened_at, r.kind, r.state, r.run_id, r.requested_by, r.ended_at, r.reason, r.counts
from credit_rollout_control.runs r
where r.kind in ('reconcile', 'sweep') and not exists (select from credit_rollout_control.due_work w where w.run_id = r.run_id)`;

/** The newest `most` of these data centers, newest first. */
export async function listNightRows(
  tx: ControlTransaction,
  dataCenters: readonly string[],
  most: number,
): Promise<readonly NightRow[]> {
  const { rows } = await tx.raw(
    `select * from (${NIGHTS}) n where n."dataCenter" = any (?::text[]) order by n.at desc, n."dataCenter", n."runId" desc limit ?`,
    [[...dataCenters], most],
  );
  return rows.map((row: Omit<NightRow, 'runId'> & { readonly runId: string | null }) => ({
    ...row,
    runId: row.runId === null ? null : BigInt(row.runId),
  }));
}
