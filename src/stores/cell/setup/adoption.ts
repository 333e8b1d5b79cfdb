// A cell that was moved: where it was, where it is, and what it has of the work that control knows. Counts and numbers
// only. Its connection must not have been checked against the recorded place.
import { execute, findRow, selectRow, selectRows } from '../../query.js';
import type { Seal } from '../../seal.js';
import type { CellTransaction } from '../cell-database.js';

/** A server and a database on it. */
export interface CellPlace {
  readonly systemIdentifier: string;
  readonly databaseName: string;
}

export interface MovedCell {
  readonly from: CellPlace;
  readonly to: CellPlace;
  /** The server's time line is another one than when the fence was last moved; false: it never was. */
  readonly timelineChanged: boolean;
  /** Of what is adopted: 64 hex digits. */
  readonly digest: string;
}

export async function readMovedCell(tx: CellTransaction): Promise<MovedCell> {
  const row = await selectRow<{
    readonly fromSystem: string;
    readonly fromDatabase: string;
    readonly toSystem: string;
    readonly toDatabase: string;
    readonly timelineChanged: boolean;
    readonly digest: string;
  }>(
    tx,
    `select c.system_identifier as from_system, c.database_name as from_database,
       (select system_identifier::text from pg_control_system()) as to_system, current_database() as to_database,
       coalesce(f.timeline <> left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), false) as timeline_changed,
       credit_rollout.digest_adoption() as digest
     from credit_rollout.cell c, credit_rollout.fence f`,
  );
  return {
    from: { systemIdentifier: row.fromSystem, databaseName: row.fromDatabase },
    to: { systemIdentifier: row.toSystem, databaseName: row.toDatabase },
    timelineChanged: row.timelineChanged,
    digest: row.digest,
  };
}

/** Whether it is what two people adopted: the database that it was copied from does not have that adoption. */
export async function hasAdoption(tx: CellTransaction, digest: string): Promise<boolean> {
  const { adopted } = await selectRow<{ readonly adopted: boolean }>(
    tx,
    'select credit_rollout.has_adoption(:digest) as adopted',
    { digest },
  );
  return adopted;
}

/** What control knows of a data center. */
export interface KnownWork {
  readonly runs: readonly bigint[];
  readonly plans: readonly bigint[];
}

/** Those of the runs and plans that this cell does not have. */
export async function listMissingWork(tx: CellTransaction, { runs, plans }: KnownWork): Promise<KnownWork> {
  const missing = async (table: 'runs' | 'plans', column: string, numbers: readonly bigint[]): Promise<bigint[]> => {
    const rows = await selectRows<{ readonly n: string }>(
      tx,
      `select n::text as n from unnest(:numbers::bigint[]) n
       where not exists (select from credit_rollout.${table} t where t.${column} = n) order by 1`,
      { numbers },
    );
    return rows.map(({ n }) => BigInt(n));
  };
  return { runs: await missing('runs', 'run_id', runs), plans: await missing('plans', 'plan_id', plans) };
}

/** Runs that are open here; control says whether it knows them. */
export async function listOpenRunIds(tx: CellTransaction): Promise<readonly bigint[]> {
  const rows = await selectRows<{ readonly runId: string }>(
    tx,
    `select run_id from credit_rollout.runs where state = 'open' order by run_id`,
  );
  return rows.map(({ runId }) => BigInt(runId));
}

/** Raises what `readSealFailure` reads, and adoption_outdated. */
export async function adoptSealedCell(tx: CellTransaction, seal: Seal): Promise<void> {
  await execute(tx, 'select credit_rollout.adopt_cell(:seal::jsonb)', { seal });
}

export interface LateWrites {
  /** Of the freeze that this copy had when it was copied. */
  readonly since: Date;
  readonly signUps: number;
  /** Orgs and local days. */
  readonly usageDays: number;
}

/**
 * What the product and its meters recorded here although it is frozen: what they still do in a database that was left
 * behind is lost. Undefined: it is not frozen. As the login of `doctor`.
 */
export const readLateWrites = (tx: CellTransaction): Promise<LateWrites | undefined> =>
  findRow<LateWrites>(
    tx,
    `select f.since, (select count(*) from credit_rollout.sign_ups s where s.decided_at > f.since)::float8 as sign_ups,
       (select count(*) from credit_rollout.usage_days u where u.recorded_at > f.since)::float8 as usage_days
     from (select min(z.frozen_at) as since from credit_rollout.freezes z where z.lifted_at is null) f
     where f.since is not null`,
  );
