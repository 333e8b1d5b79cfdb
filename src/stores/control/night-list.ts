// Nightly runs, requested reconciliations and sweeps for people: when each was due, whether it ran, and what it found.
// Counts only.
import { selectRows } from '../query.js';
import type { ControlTransaction } from './control-database.js';

export interface NightRow {
  readonly dataCenter: string;
  /** `YYYY-MM-DD` in its data center; null: it was requested, or it is a sweep. */
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
select w.data_center, w.local_date::text as local_date, w.due_at as at, 'reconcile' as kind, w.state, w.run_id,
  r.requested_by, w.ended_at, w.note, coalesce(w.counts, r.counts) as counts
from credit_rollout_control.due_work w
left join credit_rollout_control.runs r on r.run_id = w.run_id
where w.kind = 'reconcile'
union all
select r.data_center, null, r.opened_at, r.kind, r.state, r.run_id, r.requested_by, r.ended_at, r.reason, r.counts
from credit_rollout_control.runs r
where r.kind in ('reconcile', 'sweep')
  and not exists (select from credit_rollout_control.due_work w where w.run_id = r.run_id)`;

/** The newest of these data centers first, at most `limit`. */
export async function listNightRows(
  tx: ControlTransaction,
  dataCenters: readonly string[],
  limit: number,
): Promise<readonly NightRow[]> {
  const rows = await selectRows<Omit<NightRow, 'runId'> & { readonly runId: string | null }>(
    tx,
    `select *
     from (${NIGHTS}) n
     where n.data_center = any (:data_centers::text[])
     order by n.at desc, n.data_center, n.run_id desc
     limit :limit`,
    { data_centers: dataCenters, limit },
  );
  return rows.map((row) => ({ ...row, runId: row.runId === null ? null : BigInt(row.runId) }));
}
