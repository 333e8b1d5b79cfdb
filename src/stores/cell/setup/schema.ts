// Creates and upgrades our schema in a cell, in one transaction under one lock, so that several `init` at once are
// safe.
import { createHash } from 'node:crypto';
import { type AttachedSource, attachedSql } from '../../../../migrations/cell/attached/index.js';
import { type CellSchemaOptions, cellMigrations } from '../../../../migrations/cell/index.js';
import { migrationSource } from '../../../../migrations/migration.js';
import { execute, findRow, runVerbatim, selectRow } from '../../query.js';
import { type CellTransaction, LOCK_CLASS, SCHEMA_LOCK } from '../cell-database.js';
import { READS_SOURCE } from '../identity.js';
import { planFunctionsSql } from '../plan/plan-functions.js';
import { dropAttached } from './drop-attached.js';

/** Waits for another `init`, up to a minute. */
export async function lockSchema(tx: CellTransaction): Promise<void> {
  await execute(tx, `set local lock_timeout = '60s'`);
  await execute(tx, 'select pg_advisory_xact_lock(:lock_class, :lock)', { lock_class: LOCK_CLASS, lock: SCHEMA_LOCK });
  await execute(tx, `set local lock_timeout = '2s'`);
}

/** Runs pending migrations; returns their names. */
export async function migrateCell(tx: CellTransaction, options: CellSchemaOptions): Promise<readonly string[]> {
  await execute(tx, 'create schema if not exists credit_rollout');
  const [, names] = await tx.migrate.latest({
    migrationSource: migrationSource(cellMigrations(options)),
    schemaName: 'credit_rollout',
    tableName: 'migrations',
  });
  return names as readonly string[];
}

/** The type of our org_id domain as Postgres spells it; undefined before the first migration. */
export async function findOrgIdType(tx: CellTransaction): Promise<string | undefined> {
  const row = await findRow<{ type: string }>(
    tx,
    `select format_type(t.typbasetype, t.typtypmod) as type
     from pg_type t join pg_namespace n on n.oid = t.typnamespace
     where n.nspname = 'credit_rollout' and t.typname = 'org_id'`,
  );
  return row?.type;
}

export interface CellSettings {
  readonly dataCenter: string;
  readonly zone: string;
  readonly lapseGraceDays: number;
}

/** Writes who this cell is. The identity is written once and never changed here; zone and days are updated. */
export async function saveCell(tx: CellTransaction, settings: CellSettings): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout.cell (data_center, zone, lapse_grace_days, system_identifier, database_name)
     select :data_center, :zone, :lapse_grace_days, system_identifier::text, current_database()
     from pg_control_system()
     on conflict (only_row) do update set zone = excluded.zone, lapse_grace_days = excluded.lapse_grace_days`,
    { data_center: settings.dataCenter, zone: settings.zone, lapse_grace_days: settings.lapseGraceDays },
  );
}

/** Sets the card that is used until an apply sets another; does nothing when the cell has one. */
export async function proposeActiveCard(tx: CellTransaction, hash: string): Promise<void> {
  await execute(tx, 'update credit_rollout.cell set active_card = :hash where active_card is null', { hash });
}

/** Attaches our views to the source, unless the very same views are attached; returns whether anything changed. */
export async function attachSource(tx: CellTransaction, source: AttachedSource, signature: string): Promise<boolean> {
  const sql = viewsSql(source);
  const digest = sourceDigest(sql, signature);
  const current = await selectRow<{ sourceSignature: string | null; attached: boolean }>(
    tx,
    `select source_signature, ${READS_SOURCE} as attached from credit_rollout.cell`,
  );
  if (current.attached && current.sourceSignature === digest) return false;
  await dropAttached(tx);
  await runVerbatim(tx, sql);
  await execute(
    tx,
    'update credit_rollout.cell set source = :relation, source_unique = :is_unique, source_signature = :digest',
    { relation: source.relation, is_unique: source.unique, digest },
  );
  return true;
}

/** Whether the attached views were made from this source as it is now. */
export async function isAttached(tx: CellTransaction, source: AttachedSource, signature: string): Promise<boolean> {
  const row = await findRow<{ attached: boolean | null }>(
    tx,
    `select source_signature = :digest and ${READS_SOURCE} as attached from credit_rollout.cell`,
    { digest: sourceDigest(viewsSql(source), signature) },
  );
  return row?.attached === true;
}

/** The views on a source, and the functions that plan what they give. */
const viewsSql = (source: AttachedSource): string =>
  attachedSql(source) + planFunctionsSql({ unique: source.unique, usage: source.has.peakCredits });

const sourceDigest = (sql: string, signature: string): string =>
  createHash('sha256').update(`${signature}\n${sql}`).digest('hex').slice(0, 16);

/** Drops the views on the product's table; our tables stay. */
export async function detachSource(tx: CellTransaction): Promise<void> {
  await dropAttached(tx);
  await execute(tx, 'update credit_rollout.cell set source_signature = null');
}
