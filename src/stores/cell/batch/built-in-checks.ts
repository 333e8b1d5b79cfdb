// How each built-in check is measured. One statement each, that reads only; but for what it compares with the next
// time, which the same statement stores.
import type { BuiltInCheck } from '../../../domain/checks/check.js';
import { execute, runForeignQuery, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

export interface CheckValue {
  readonly value: number | null;
  /** Code of why there is no value; null where there is one. */
  readonly code: string | null;
}

/** What `pg_stat_*` shows of other roles needs this membership; without it their rows are empty, which says nothing. */
const SEES_OTHERS = `pg_has_role(current_user, 'pg_read_all_stats', 'usage')`;

// standbys that replay: no base backup, no pg_receivewal, no logical subscriber
const STANDBYS = `
select r.replay_lsn, r.replay_lag from pg_catalog.pg_stat_replication r
where r.state = 'streaming' and r.replay_lsn is not null and not exists (
  select from pg_catalog.pg_replication_slots s where s.active_pid = r.pid and s.slot_type = 'logical')`;

/**
 * Most read one number. `lag` is the greater of what the standby reports and the age of the place in the WAL that it
 * has not replayed yet: a standby whose replay is paused reports nothing.
 */
const READINGS: Readonly<Record<BuiltInCheck, string>> = {
  // Against the median of calm times; what takes less than half a millisecond is calm. How long our batches wait for a
  // processor counts twice as much: half as long again is as bad as a read of twice the time. It slows and never holds:
  // where others keep every processor busy, that does not end when we stop.
  probe: `with now as materialized (select credit_rollout.probe_ms() as ms),
    own as (select 1 + 2 * (avg(n.slowdown) - 1) as value from (
      select b.slowdown from credit_rollout.batches b join credit_rollout.fence f on f.run_id = b.run_id
      join credit_rollout.throttle t on t.scope = 'write'
      where b.slowdown is not null and coalesce(b.verified_at, b.done_at)
        > greatest(clock_timestamp() - interval '1 min', coalesce(t.changed_at, '-infinity'))
      order by coalesce(b.verified_at, b.done_at) desc limit 20) n having count(*) >= 3)
    select now.ms / greatest(0.5, coalesce(
        (select percentile_cont(0.5) within group (order by t) from unnest(c.calm_ms) t), now.ms)) as value,
      (select least(own.value, 1 + 1.9 * (c.limit_value - 1)) from own) as own, null as code, now.ms as measured
    from now left join credit_rollout.checks c on c.name = 'probe'`,
  lag: `with standbys as materialized (${STANDBYS}),
    slowest as (select count(*) as found, min(replay_lsn) as lsn,
      max(extract(epoch from replay_lag)) * 1000 as ms from standbys)
    select case when ${SEES_OTHERS} and s.found > 0 then greatest(coalesce(s.ms, 0),
        case when s.lsn < c.mark_lsn then extract(epoch from clock_timestamp() - c.mark_at) * 1000 else 0 end) end
      ::float8 as value,
      case when not ${SEES_OTHERS} then '42501' when s.found = 0 then 'no_standby' end as code,
      case when s.lsn >= coalesce(c.mark_lsn, '0/0') then pg_current_wal_lsn() end::text as mark
    from slowest s left join credit_rollout.checks c on c.name = 'lag'`,
  archive: `select case when current_setting('archive_mode') = 'off' then null
      when a.last_failed_time > coalesce(a.last_archived_time, '-infinity') then extract(epoch from
        clock_timestamp() - coalesce(a.last_archived_time, a.stats_reset, a.last_failed_time)) * 1000
      else 0 end::float8 as value,
      case when current_setting('archive_mode') = 'off' then 'archive_off' end as code
    from pg_catalog.pg_stat_archiver a`,
  sessions: `select case when ${SEES_OTHERS} then count(*) filter (where a.state = 'active'
        and a.backend_type = 'client backend' and a.usename <> session_user) end::float8 as value,
      case when not ${SEES_OTHERS} then '42501' end as code
    from pg_catalog.pg_stat_activity a`,
  wal: `select coalesce(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), c.mark_lsn) / 1000000
        / greatest(0.1, extract(epoch from clock_timestamp() - c.mark_at)), 0)::float8 as value,
      null as code, pg_current_wal_insert_lsn()::text as mark
    from (select) one left join credit_rollout.checks c
      on c.name = 'wal' and c.mark_lsn <= pg_current_wal_insert_lsn()
        and c.mark_at > clock_timestamp() - interval '1 min'`,
  // for a second or longer, in this database, on something else than an advisory lock
  lockWaits: `select count(distinct l.pid)::float8 as value, null as code
    from pg_catalog.pg_locks l
    where not l.granted and l.locktype <> 'advisory' and l.waitstart < clock_timestamp() - interval '1 s'
      and exists (select from pg_catalog.pg_stat_get_activity(l.pid) a
        join pg_catalog.pg_database d on d.oid = a.datid where d.datname = current_database())`,
  batchTime: `select coalesce(percentile_cont(0.9) within group (order by b.duration_ms), 0)::float8 as value,
      null as code
    from (select b.duration_ms from credit_rollout.batches b join credit_rollout.fence f on f.run_id = b.run_id
      where b.state = 'done' and b.kind = 'range' and b.done_at > clock_timestamp() - interval '15 s'
      order by b.done_at desc limit 20) b`,
};

/** What is compared with the next time. */
export interface Mark {
  readonly name: BuiltInCheck;
  /** Of the probe, in ms. */
  readonly measured?: number | undefined;
  /** A place in the WAL. */
  readonly lsn?: string | undefined;
}

/** What was read of a check. */
export interface BuiltInReading {
  readonly reading: CheckValue;
  /** Of the probe: how our own work waits for a processor. */
  readonly own: number | null;
  readonly mark: Mark;
}

interface ReadingRow extends CheckValue {
  readonly measured?: number;
  readonly mark?: string | null;
  readonly own?: number | null;
}

const toReading = (name: BuiltInCheck, { value, code, measured, mark, own }: ReadingRow): BuiltInReading => ({
  ...{ reading: { value, code }, own: own ?? null },
  mark: { name, measured, lsn: mark ?? undefined },
});

/** Needs a transaction that reads only. */
export const readBuiltIn = async (tx: CellTransaction, name: BuiltInCheck): Promise<BuiltInReading> =>
  toReading(name, await selectRow<ReadingRow>(tx, READINGS[name]));

/** All of them in one statement, which fails where one of them does. Needs a transaction that reads only. */
export async function readBuiltIns(
  tx: CellTransaction,
  names: readonly BuiltInCheck[],
): Promise<readonly (BuiltInReading & { readonly name: BuiltInCheck })[]> {
  const parts = names.map((name) => `select '${name}' as name, to_jsonb(r) as found from (${READINGS[name]}) r`);
  const rows = await selectRows<{ readonly name: BuiltInCheck; readonly found: ReadingRow }>(
    tx,
    parts.join(' union all '),
  );
  return rows.map(({ name, found }) => ({ name, ...toReading(name, found) }));
}

/** Makes the transaction read only, so that nothing in it can write. */
export async function beginReadOnly(tx: CellTransaction): Promise<void> {
  // the first snapshot: from there on nothing can make the transaction write
  await execute(tx, 'set transaction read only; select');
}

/** Runs `read` and undoes what it did: settings, locks and a failed statement, so that the next one can run. */
export async function inSavepoint<T>(tx: CellTransaction, read: () => Promise<T>): Promise<T> {
  await execute(tx, 'savepoint foreign_query');
  const [asked] = await Promise.allSettled([read()]);
  await execute(tx, 'rollback to savepoint foreign_query; select pg_advisory_unlock_all()');
  if (asked.status === 'rejected') throw asked.reason;
  return asked.value;
}

/** The first column of the only row of the operator's query; undefined for anything else. Needs a read-only one. */
export async function readCheckQuery(tx: CellTransaction, sql: string): Promise<unknown> {
  const [row, ...others] = await inSavepoint(tx, () => runForeignQuery(tx, sql, 2));
  return row === undefined || others.length > 0 ? undefined : Object.values(row)[0];
}
