// What is due by the calendar, one row per data center, kind and local date: the database refuses a second and a change of
// what is over. Counts only.
import type { DueChange, DueRow } from '../../domain/calendar/due-work.js';
import type { ControlTransaction } from './control-database.js';

export interface DueWorkRow extends DueRow {
  readonly dataCenter: string;
  readonly dueAt: Date;
  readonly dueLocal: string;
  readonly runId: bigint | null;
  readonly endedAt: Date | null;
  readonly note: string | null;
  readonly counts: Readonly<Record<string, number | string>> | null;
}

/** The newest `most` rows of a data center, or of all, newest first. */
export async function listDueWork(
  tx: ControlTransaction,
  { dataCenter = null, most }: { readonly dataCenter?: string | null; readonly most: number },
): Promise<readonly DueWorkRow[]> {
  const { rows } = await tx.raw(
    `select data_center as "dataCenter", kind as work, local_date::text as "localDate", due_at as "dueAt", due_local as "dueLocal", state,
       run_id as "runId", ended_at as "endedAt", note, counts
     from credit_rollout_control.due_work where ?::text is null or data_center = ?
     order by due_at desc, data_center, kind limit ?`,
    [dataCenter, dataCenter, most],
  );
  return rows.map((row: Omit<DueWorkRow, 'runId'> & { readonly runId: string | null }) => ({
    ...row,
    runId: row.runId === null ? null : BigInt(row.runId),
  }));
}

/** The newest `most` rows of every data center, by data center. */
export async function listDueWorkOfEach(
  tx: ControlTransaction,
  most: number,
): Promise<(dataCenter: string) => readonly DueRow[]> {
  const { rows } = await tx.raw(
    `select w.* from credit_rollout_control.data_centers d cross join lateral (
       select data_center as "dataCenter", kind as work, local_date::text as "localDate", due_at as "dueAt", state
       from credit_rollout_control.due_work where data_center = d.id order by due_at desc, kind limit ?) w`,
    [most],
  );
  const found = new Map<string, DueRow[]>();
  for (const row of rows as readonly (DueRow & { readonly dataCenter: string })[]) {
    const of = found.get(row.dataCenter);
    if (of === undefined) found.set(row.dataCenter, [row]);
    else of.push(row);
  }
  return (dataCenter) => found.get(dataCenter) ?? [];
}

/** Writes a row, or ends one as missed; false when another scheduler was faster. */
export async function saveDueChange(tx: ControlTransaction, dataCenter: string, change: DueChange): Promise<boolean> {
  if (change.kind === 'miss') {
    const { rowCount } = await tx.raw(
      `update credit_rollout_control.due_work set state = 'missed', ended_at = clock_timestamp(), note = ?
       where data_center = ? and kind = ? and local_date = ?::date and state = 'due'`,
      [change.note, dataCenter, change.work, change.localDate],
    );
    return rowCount === 1;
  }
  const { rowCount } = await tx.raw(
    `insert into credit_rollout_control.due_work (data_center, kind, local_date, due_at, due_local, state, note, ended_at)
     values (?, ?, ?::date, ?, ?, ?, ?, case when ? = 'due' then null else clock_timestamp() end) on conflict do nothing`,
    [dataCenter, change.work, change.localDate, change.dueAt, change.dueLocal, change.state, change.note, change.state],
  );
  return rowCount === 1;
}

/** The night runs from now on; false when it is not due any more. */
export async function startDueWork(
  tx: ControlTransaction,
  at: { readonly dataCenter: string; readonly localDate: string; readonly runId: bigint },
): Promise<boolean> {
  const { rowCount } = await tx.raw(
    `update credit_rollout_control.due_work set state = 'running', started_at = clock_timestamp(), run_id = ?::bigint
     where data_center = ? and kind = 'reconcile' and local_date = ?::date and state = 'due'`,
    [String(at.runId), at.dataCenter, at.localDate],
  );
  return rowCount === 1;
}

/** Ends the night of a run, when the run was one. */
export async function endDueWork(
  tx: ControlTransaction,
  runId: bigint,
  end: {
    readonly state: 'ran' | 'caught_up' | 'missed';
    readonly note: string | null;
    readonly counts: Readonly<Record<string, number | string>> | null;
  },
): Promise<void> {
  await tx.raw(
    `update credit_rollout_control.due_work set state = ?, ended_at = clock_timestamp(), note = ?, counts = ?::jsonb
     where run_id = ?::bigint and state = 'running'`,
    [end.state, end.note, end.counts === null ? null : JSON.stringify(end.counts), String(runId)],
  );
}

/** When the night of a run was due, and when it began; undefined: the run is no night. */
export async function findNightOfRun(
  tx: ControlTransaction,
  runId: bigint,
): Promise<{ readonly dueAt: Date; readonly startedAt: Date } | undefined> {
  const { rows } = await tx.raw(
    `select due_at as "dueAt", started_at as "startedAt" from credit_rollout_control.due_work
     where run_id = ?::bigint and state = 'running'`,
    [String(runId)],
  );
  return rows[0];
}
