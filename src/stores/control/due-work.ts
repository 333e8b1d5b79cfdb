// What is due by the calendar: one row per data center, kind and local date. The database rejects a second row, and any
// change of one that has ended. Counts only.
import type { DueChange, DueRow } from '../../domain/calendar/due-work.js';
import { execute, findRow, selectRows } from '../query.js';
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

type Stored = Omit<DueWorkRow, 'runId'> & { readonly runId: string | null };

/** The newest rows first, at most `limit`; of one data center, or of all. */
export async function listDueWork(
  tx: ControlTransaction,
  { dataCenter = null, limit }: { readonly dataCenter?: string | null; readonly limit: number },
): Promise<readonly DueWorkRow[]> {
  const rows = await selectRows<Stored>(
    tx,
    `select data_center, kind as work, local_date::text as local_date, due_at, due_local, state, run_id, ended_at, note,
       counts
     from credit_rollout_control.due_work
     where :data_center::text is null or data_center = :data_center
     order by due_at desc, data_center, kind
     limit :limit`,
    { data_center: dataCenter, limit },
  );
  return rows.map((row) => ({ ...row, runId: row.runId === null ? null : BigInt(row.runId) }));
}

/** The newest rows of every data center, at most `limit` of each; read them by data center. */
export async function listDueWorkOfEach(
  tx: ControlTransaction,
  limit: number,
): Promise<(dataCenter: string) => readonly DueRow[]> {
  const rows = await selectRows<DueRow & { readonly dataCenter: string }>(
    tx,
    `select w.*
     from credit_rollout_control.data_centers d
     cross join lateral (
       select data_center, kind as work, local_date::text as local_date, due_at, state
       from credit_rollout_control.due_work
       where data_center = d.id
       order by due_at desc, kind
       limit :limit
     ) w`,
    { limit },
  );
  const found = new Map<string, DueRow[]>();
  for (const row of rows) found.set(row.dataCenter, [...(found.get(row.dataCenter) ?? []), row]);
  return (dataCenter) => found.get(dataCenter) ?? [];
}

/** Adds a row, or ends one as missed; false when another scheduler was faster. */
export async function saveDueChange(tx: ControlTransaction, dataCenter: string, change: DueChange): Promise<boolean> {
  if (change.kind === 'miss') {
    const missed = await execute(
      tx,
      `update credit_rollout_control.due_work
       set state = 'missed', ended_at = clock_timestamp(), note = :note
       where data_center = :data_center and kind = :work and local_date = :local_date::date and state = 'due'`,
      { data_center: dataCenter, work: change.work, local_date: change.localDate, note: change.note },
    );
    return missed === 1;
  }
  const added = await execute(
    tx,
    `insert into credit_rollout_control.due_work
       (data_center, kind, local_date, due_at, due_local, state, note, ended_at)
     values (:data_center, :work, :local_date::date, :due_at, :due_local, :state, :note,
       case when :state = 'due' then null else clock_timestamp() end)
     on conflict do nothing`,
    {
      data_center: dataCenter,
      work: change.work,
      local_date: change.localDate,
      due_at: change.dueAt,
      due_local: change.dueLocal,
      state: change.state,
      note: change.note,
    },
  );
  return added === 1;
}

/** Marks the night as running; false when it is no longer due. */
export async function startDueWork(
  tx: ControlTransaction,
  { dataCenter, localDate, runId }: { readonly dataCenter: string; readonly localDate: string; readonly runId: bigint },
): Promise<boolean> {
  const started = await execute(
    tx,
    `update credit_rollout_control.due_work
     set state = 'running', started_at = clock_timestamp(), run_id = :run_id::bigint
     where data_center = :data_center and kind = 'reconcile' and local_date = :local_date::date and state = 'due'`,
    { data_center: dataCenter, local_date: localDate, run_id: runId },
  );
  return started === 1;
}

/** Ends the night of a run; does nothing for a run that is no night. */
export async function endDueWork(
  tx: ControlTransaction,
  runId: bigint,
  { state, note, counts }: Pick<DueWorkRow, 'note' | 'counts'> & { readonly state: 'ran' | 'caught_up' | 'missed' },
): Promise<void> {
  await execute(
    tx,
    `update credit_rollout_control.due_work
     set state = :state, ended_at = clock_timestamp(), note = :note, counts = :counts::jsonb
     where run_id = :run_id::bigint and state = 'running'`,
    { run_id: runId, state, note, counts: counts === null ? null : JSON.stringify(counts) },
  );
}

/** When the night of a run was due, and when it began; undefined: the run is no night. */
export async function findNightOfRun(
  tx: ControlTransaction,
  runId: bigint,
): Promise<{ readonly dueAt: Date; readonly startedAt: Date } | undefined> {
  return findRow(
    tx,
    `select due_at, started_at
     from credit_rollout_control.due_work
     where run_id = :run_id::bigint and state = 'running'`,
    { run_id: runId },
  );
}
