// The checks of a cell, their newest readings, and the lanes that they allow. Which checks there are comes with the
// seal of a run; one worker at a time writes what it measured. Numbers and codes only, one row per check.
import type { CheckInCell } from '../../../domain/checks/check-limit.js';
import type { Throttle } from '../../../domain/checks/decide-throttle.js';
import type { OthersWrites } from '../../../domain/checks/others-writes.js';
import { execute, findRow, selectRow, selectRows } from '../../query.js';
import type { Seal } from '../../seal.js';
import type { CellTransaction } from '../cell-database.js';
import type { Mark } from './built-in-checks.js';

/** `write`: batches that write; `read`: the verification, which obeys fewer checks. */
export type ThrottleScope = 'write' | 'read';

export interface StoredCheck extends CheckInCell {
  /** Now: what is loosened has its looser one. */
  readonly limit: number | null;
  /** Until its loosening ends. */
  readonly isOff: boolean;
  readonly value: number | null;
  readonly error: string | null;
  readonly sampledAt: Date | null;
}

export interface StoredThrottle extends Throttle {
  readonly scope: ThrottleScope;
}

const CHECKS = `select name, query, value, error, sampled_at, limit_value as own_limit, loosened_limit, loosened_until,
    case when loosened_until > clock_timestamp() then loosened_limit else limit_value end as limit,
    coalesce(loosened_until > clock_timestamp(), false) and loosened_limit is null as is_off
  from credit_rollout.checks order by name`;
const THROTTLES = 'select scope, lanes, good_samples, changed_at, sampled_at, slowed from credit_rollout.throttle';

/** The checks of the cell with their readings, and what was decided by them; by the cell's clock. */
export async function readChecks(tx: CellTransaction): Promise<{
  readonly now: Date;
  readonly checks: readonly StoredCheck[];
  readonly throttles: readonly StoredThrottle[];
}> {
  const now = await findRow<{ now: Date }>(tx, 'select clock_timestamp() as now');
  return {
    now: now?.now ?? new Date(0),
    checks: await selectRows<StoredCheck>(tx, CHECKS),
    throttles: await selectRows<StoredThrottle>(tx, THROTTLES),
  };
}

/** A sampling that this worker may do: what to measure, and what was known before. */
export interface Sampling {
  /** By the cell's clock: what is measured after it is at most this old. */
  readonly at: Date;
  readonly lanes: number;
  readonly others: OthersWrites;
  readonly checks: readonly StoredCheck[];
  readonly throttles: readonly StoredThrottle[];
}

const WRITES = 'pg_snapshot_xmax(pg_current_snapshot())::text::int8';
/** Transactions a second since the mark; null where it is too near, or another server's. */
const SINCE_MARK = `select case when extract(epoch from clock_timestamp() - n.writes_at) between 0.2 and 15
    and ${WRITES} >= n.writes_mark
    then (${WRITES} - n.writes_mark) / extract(epoch from clock_timestamp() - n.writes_at)::float8 end as per_second
  from credit_rollout.throttle n where n.scope = 'write'`;
const MARK = `writes_mark = ${WRITES}, writes_at = clock_timestamp()`;

// a session reports what it did once a second: the mean of two seconds
const ACTIVE_TIME = 'select sum(d.active_time)::float8 as ms from pg_catalog.pg_stat_database d';
const ACTIVE_IS_DUE = `(t.active_at is null or t.active_at not between
  clock_timestamp() - interval '2 s' and clock_timestamp())`;

/**
 * SQL: how long all sessions have worked, of which `own` are ours at a time; what others did since the mark. Where
 * `begins`, what we did since is not known: it stays as counted before.
 */
const markActive = ({ own, begins }: { readonly own: string; readonly begins: string }): string => `
  others_active = case when ${begins} or not ${ACTIVE_IS_DUE} then t.others_active
    when v.ms >= t.active_mark and t.active_at between clock_timestamp() - interval '30 s' and clock_timestamp()
      then greatest(0, (v.ms - t.active_mark) / (extract(epoch from clock_timestamp() - t.active_at) * 1000) - ${own})
    end,
  active_mark = case when ${begins} or ${ACTIVE_IS_DUE} then v.ms else t.active_mark end,
  active_at = case when ${begins} or ${ACTIVE_IS_DUE} then clock_timestamp() else t.active_at end`;

/**
 * Lets one worker at a time sample: undefined where another began less than `everyMs` ago, nothing is open, or there
 * are no checks. A worker that dies meanwhile keeps the others from sampling for no longer than that.
 */
export async function claimSampling(tx: CellTransaction, everyMs: number): Promise<Sampling | undefined> {
  const claimed = await findRow<Pick<Sampling, 'at' | 'lanes'> & OthersWrites>(
    tx,
    `update credit_rollout.throttle t set looked_at = date_trunc('milliseconds', clock_timestamp()), ${MARK},
       ${markActive({
         own: '(select coalesce(max(least(l.lanes, r.lanes)), r.lanes) from credit_rollout.throttle l)',
         // marked while nothing was open
         begins: "coalesce(t.sampled_at < t.active_at - interval '1 s', true)",
       })}
     from credit_rollout.fence f join credit_rollout.runs r on r.run_id = f.run_id cross join (${SINCE_MARK}) w
       cross join (${ACTIVE_TIME}) v
     where t.scope = 'write' and f.state <> 'closed' and exists (select from credit_rollout.checks)
       and (t.looked_at is null or t.looked_at not between
         clock_timestamp() - make_interval(secs => :every_ms::float8 / 1000) and clock_timestamp() + interval '1 s')
       and t.ctid = (select u.ctid from credit_rollout.throttle u where u.scope = 'write' for update skip locked)
     returning t.looked_at as at, r.lanes, w.per_second, t.calm_writes as calm_per_second,
       t.others_active as active_sessions`,
    { every_ms: everyMs },
  );
  if (claimed === undefined) return undefined;
  const { at, lanes, ...others } = claimed;
  return {
    ...{ at, lanes, others },
    checks: (await selectRows<StoredCheck>(tx, CHECKS)).filter(({ isOff }) => !isOff),
    throttles: await selectRows<StoredThrottle>(tx, THROTTLES),
  };
}

/**
 * Marks how many transactions others have written, and how long they worked: undefined where something is open, or the
 * mark is fresh.
 */
export const markWrites = (tx: CellTransaction): Promise<OthersWrites | undefined> =>
  findRow<OthersWrites>(
    tx,
    `update credit_rollout.throttle t set ${MARK}, ${markActive({ own: '0', begins: 'false' })}
     from credit_rollout.fence f cross join (${SINCE_MARK}) w cross join (${ACTIVE_TIME}) v
     where t.scope = 'write' and f.state = 'closed' and (t.writes_at is null or t.writes_at not between
       clock_timestamp() - interval '2 s' and clock_timestamp())
     returning w.per_second, t.calm_writes as calm_per_second, t.others_active as active_sessions`,
  );

export async function saveCalmWrites(tx: CellTransaction, perSecond: number | null): Promise<void> {
  await execute(tx, "update credit_rollout.throttle set calm_writes = :per_second::float8 where scope = 'write'", {
    per_second: perSecond,
  });
}

/** The open run of the seal gets its checks; an older seal than the one before changes nothing. */
export async function changeChecks(tx: CellTransaction, seal: Seal): Promise<void> {
  await execute(tx, 'select credit_rollout.change_checks(:seal::jsonb)', { seal });
}

export interface Measured {
  readonly name: string;
  readonly value: number | null;
  readonly error: string | null;
  /** What is compared with the next time. */
  readonly mark?: Mark;
}

// One more calm time of the probe where no batch of ours ended just now; a place in the WAL where there is one.
const SAVE = `
with decided as (
  update credit_rollout.throttle t
  set lanes = d.lanes, good_samples = d.good_samples, changed_at = d.changed_at, slowed = d.slowed,
    sampled_at = :at::timestamptz, calm_writes = :calm_writes::float8
  from jsonb_to_recordset(:decided::jsonb)
    d (scope text, lanes float8, good_samples integer, changed_at timestamptz, slowed boolean)
  where t.scope = d.scope and (select w.looked_at from credit_rollout.throttle w where w.scope = 'write')
    = :at::timestamptz
  returning t.scope),
stored as (
  update credit_rollout.checks c
  set value = m.value, error = m.error, sampled_at = :at::timestamptz,
    calm_ms = case when m.measured is null or exists (
        select from credit_rollout.batches b join credit_rollout.fence f on f.run_id = b.run_id
        where b.done_at > clock_timestamp() - interval '5 s') then c.calm_ms
      else (m.measured || c.calm_ms)[1:15] end,
    mark_lsn = coalesce(m.lsn::pg_lsn, c.mark_lsn),
    mark_at = case when m.lsn is null then c.mark_at else clock_timestamp() end
  from jsonb_to_recordset(:measured::jsonb) m (name text, value float8, error text, measured float8, lsn text)
  where m.name = c.name and exists (select from decided))
select exists (select from decided) as saved`;

/** Stores what a sampling found. False, and nothing is written: somebody who began later was faster. */
export async function saveSampling(
  tx: CellTransaction,
  at: Date,
  measured: readonly Measured[],
  throttles: readonly StoredThrottle[],
  /** What others usually write in a second. */
  calmWrites: number | null,
): Promise<boolean> {
  const { saved } = await selectRow<{ readonly saved: boolean }>(tx, SAVE, {
    at: at.toISOString(),
    calm_writes: calmWrites,
    decided: JSON.stringify(
      throttles.map(({ scope, lanes, goodSamples, changedAt, slowed }) => ({
        ...{ scope, lanes, slowed },
        good_samples: goodSamples,
        changed_at: changedAt?.toISOString() ?? null,
      })),
    ),
    measured: JSON.stringify(measured.map(({ mark, ...one }) => ({ ...mark, ...one }))),
  });
  return saved;
}

/** How long ago a range of a run was verified last, in ms; undefined: none was. */
export async function findNewestVerified(tx: CellTransaction, runId: bigint): Promise<number | undefined> {
  const row = await findRow<{ readonly endedMs: number }>(
    tx,
    `select (extract(epoch from clock_timestamp() - b.verified_at) * 1000)::float8 as ended_ms
     from credit_rollout.batches b where b.run_id = :run_id::bigint and b.verified_at is not null
     order by b.verified_at desc limit 1`,
    { run_id: runId },
  );
  return row?.endedMs;
}

/** How long the newest batch of a run took, and how long ago it ended, in ms; undefined: there is none. */
export function findNewestBatch(
  tx: CellTransaction,
  runId: bigint,
): Promise<{ readonly durationMs: number; readonly endedMs: number } | undefined> {
  return findRow(
    tx,
    `select b.duration_ms, (extract(epoch from clock_timestamp() - b.done_at) * 1000)::float8 as ended_ms
     from credit_rollout.batches b where b.run_id = :run_id::bigint and b.state = 'done'
     order by b.done_at desc limit 1`,
    { run_id: runId },
  );
}
