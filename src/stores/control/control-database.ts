// The control database as the engine sees it: what is not org data. No SQL outside this room touches it.
import type { Knex } from 'knex';
import { controlMigrations } from '../../../migrations/control/index.js';
import { migrationSource } from '../../../migrations/migration.js';
import { withSubject } from '../postgres-failure.js';

/** A transaction on control; only stores look inside. */
export type ControlTransaction = Knex.Transaction;

export interface ControlDatabase {
  inTransaction<T>(fn: (tx: ControlTransaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const SCHEMA_LOCK = 1_129_467_725;

export function createControlDatabase(db: Knex): ControlDatabase {
  return {
    inTransaction: (fn) =>
      withSubject('The control database', () =>
        db.transaction(async (tx) => {
          await tx.raw(`set local statement_timeout = 5000; set local lock_timeout = 3000; set local idle_in_transaction_session_timeout = 5000;
          set local client_connection_check_interval = 1000`);
          return fn(tx);
        }),
      ),
    close: () => db.destroy(),
  };
}

/** Makes or upgrades the schema in one transaction under one lock; returns the names of what ran. */
export async function migrateControl(tx: ControlTransaction): Promise<readonly string[]> {
  await tx.raw(`set local statement_timeout = 0; set local lock_timeout = '60s'`);
  await tx.raw('select pg_advisory_xact_lock(?, 0)', [SCHEMA_LOCK]);
  await tx.raw('create schema if not exists credit_rollout_control');
  const [, names] = await tx.migrate.latest({
    migrationSource: migrationSource(controlMigrations),
    schemaName: 'credit_rollout_control',
    tableName: 'migrations',
  });
  return names as readonly string[];
}

/** Whether the control schema is there and up to date. */
export async function isControlReady(tx: ControlTransaction): Promise<boolean> {
  const { rows } = await tx.raw(`select to_regclass('credit_rollout_control.migrations') is not null as found`);
  if (!rows[0].found) return false;
  const done = await tx.raw('select name from credit_rollout_control.migrations');
  const names = new Set(done.rows.map((row: { name: string }) => row.name));
  return controlMigrations.every((migration) => names.has(migration.name));
}

/** Who acts: the name given, else the login that the control database authenticated. */
export async function readActor(tx: ControlTransaction, actor: string | null): Promise<string> {
  return (await tx.raw('select coalesce(?, session_user) as actor', [actor])).rows[0].actor;
}

/** Instant of control's clock. */
export async function readControlClock(tx: ControlTransaction): Promise<Date> {
  return (await tx.raw('select clock_timestamp() as now')).rows[0].now;
}
