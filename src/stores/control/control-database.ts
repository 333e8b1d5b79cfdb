// The control database: everything that is not org data. Only src/stores/control and the migrations write SQL for it.
import type { Knex } from 'knex';
import { controlMigrations } from '../../../migrations/control/index.js';
import { migrationSource } from '../../../migrations/migration.js';
import { withSubject } from '../postgres-failure.js';
import { execute, selectRow, selectRows } from '../query.js';
import { rejectForeignSchema } from '../schema-owner.js';
import { OWN_SETTINGS } from '../transaction-settings.js';

/** A transaction on control; only stores run statements in it. */
export type ControlTransaction = Knex.Transaction;

export interface ControlDatabase {
  /** `reads: 'one moment'`: it only reads, and everything in it is of the moment of its first statement. */
  inTransaction<T>(fn: (tx: ControlTransaction) => Promise<T>, options?: { readonly reads: 'one moment' }): Promise<T>;
  close(): Promise<void>;
}

const ONE_MOMENT = { isolationLevel: 'repeatable read', readOnly: true } as const;
const SCHEMA_LOCK = 1_129_467_725;

export function createControlDatabase(db: Knex): ControlDatabase {
  return {
    inTransaction: (fn, options) =>
      withSubject({ title: 'The control database', kind: 'control' }, () =>
        db.transaction(async (tx) => {
          // one round trip
          await execute(
            tx,
            `${OWN_SETTINGS};
             set local statement_timeout = 5000;
             set local lock_timeout = 3000;
             set local idle_in_transaction_session_timeout = 5000;
             set local client_connection_check_interval = 1000`,
          );
          return fn(tx);
        }, options && ONE_MOMENT),
      ),
    close: () => db.destroy(),
  };
}

/** Creates or upgrades the schema in one transaction under one lock. Returns the names of the migrations that ran. */
export async function migrateControl(tx: ControlTransaction): Promise<readonly string[]> {
  await execute(tx, `set local statement_timeout = 0; set local lock_timeout = '60s'`);
  await execute(tx, 'select pg_advisory_xact_lock(:lock, 0)', { lock: SCHEMA_LOCK });
  await rejectForeignSchema(tx, {
    schema: 'credit_rollout_control',
    owner: 'credit_rollout_control_owner',
    subject: 'The control database',
  });
  await execute(tx, 'create schema if not exists credit_rollout_control');
  const [, names] = await tx.migrate.latest({
    migrationSource: migrationSource(controlMigrations),
    schemaName: 'credit_rollout_control',
    tableName: 'migrations',
  });
  return names as readonly string[];
}

/** Whether the control schema exists and is up to date. */
export async function isControlReady(tx: ControlTransaction): Promise<boolean> {
  const { found } = await selectRow<{ readonly found: boolean }>(
    tx,
    // a view of that name would run code of whoever made it
    `select exists (select from pg_class c
       where c.oid = to_regclass('credit_rollout_control.migrations') and c.relkind = 'r') as found`,
  );
  if (!found) return false;
  const done = await selectRows<{ readonly name: string }>(tx, 'select name from credit_rollout_control.migrations');
  const names = new Set(done.map(({ name }) => name));
  return controlMigrations.every(({ name }) => names.has(name));
}

/** The login of this connection, quoted for SQL. */
export async function readControlLogin(tx: ControlTransaction): Promise<string> {
  return (await selectRow<{ readonly login: string }>(tx, `select format('%I', session_user) as login`)).login;
}

/** Now, by control's clock. */
export async function readControlClock(tx: ControlTransaction): Promise<Date> {
  return (await selectRow<{ readonly now: Date }>(tx, 'select clock_timestamp() as now')).now;
}

export interface ControlFacts {
  /** server_version_num, e.g. 180004. */
  readonly version: number;
  readonly standby: boolean;
  readonly synchronousCommit: string;
  /** It was made read-only: a transaction of its own choice may write. */
  readonly readOnly: boolean;
  readonly now: Date;
}

/** What `doctor` checks of the server. */
export async function readControlFacts(tx: ControlTransaction): Promise<ControlFacts> {
  return selectRow<ControlFacts>(
    tx,
    `select
       current_setting('server_version_num')::int as version,
       pg_is_in_recovery() as standby,
       current_setting('synchronous_commit') as synchronous_commit,
       current_setting('transaction_read_only') = 'on' as read_only,
       clock_timestamp() as now`,
  );
}
