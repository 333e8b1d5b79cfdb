// Makes and upgrades our schema in a cell, in one transaction under one lock, so that several `init` at once are safe.
import { createHash } from 'node:crypto';
import { type AttachedSource, attachedSql, detachedSql } from '../../../../migrations/cell/attached/index.js';
import { type CellSchemaOptions, cellMigrations } from '../../../../migrations/cell/index.js';
import { migrationSource } from '../../../../migrations/migration.js';
import { type CellTransaction, LOCK_CLASS, SCHEMA_LOCK } from '../cell-database.js';

/** Waits for another `init`, up to a minute. */
export async function lockSchema(tx: CellTransaction): Promise<void> {
  await tx.raw(`set local lock_timeout = '60s'`);
  await tx.raw('select pg_advisory_xact_lock(?, ?)', [LOCK_CLASS, SCHEMA_LOCK]);
  await tx.raw(`set local lock_timeout = '2s'`);
}

/** Runs pending migrations; returns their names. */
export async function migrateCell(tx: CellTransaction, options: CellSchemaOptions): Promise<readonly string[]> {
  await tx.raw('create schema if not exists credit_rollout');
  const [, names] = await tx.migrate.latest({
    migrationSource: migrationSource(cellMigrations(options)),
    schemaName: 'credit_rollout',
    tableName: 'migrations',
  });
  return names as readonly string[];
}

/** The type of our org_id domain as Postgres spells it; undefined before the first migration. */
export async function findOrgIdType(tx: CellTransaction): Promise<string | undefined> {
  const { rows } = await tx.raw(
    `select format_type(t.typbasetype, t.typtypmod) as type from pg_type t join pg_namespace n on n.oid = t.typnamespace
     where n.nspname = 'credit_rollout' and t.typname = 'org_id'`,
  );
  return rows[0]?.type;
}

export interface CellSettings {
  readonly dataCenter: string;
  readonly zone: string;
  readonly lapseGraceDays: number;
}

/** Writes who this cell is; the identity is written once and never changed here. */
export async function saveCell(tx: CellTransaction, settings: CellSettings): Promise<void> {
  await tx.raw(
    `insert into credit_rollout.cell (data_center, zone, lapse_grace_days, system_identifier, database_name)
     select ?, ?, ?, system_identifier::text, current_database() from pg_control_system()
     on conflict (only_row) do update set zone = excluded.zone, lapse_grace_days = excluded.lapse_grace_days`,
    [settings.dataCenter, settings.zone, settings.lapseGraceDays],
  );
}

/** The card used until an apply sets another. */
export async function proposeActiveCard(tx: CellTransaction, hash: string): Promise<void> {
  await tx.raw('update credit_rollout.cell set active_card = ? where active_card is null', [hash]);
}

/** Attaches our views to the source unless the very same ones hang there already; returns whether anything changed. */
export async function attachSource(tx: CellTransaction, source: AttachedSource, signature: string): Promise<boolean> {
  const sql = attachedSql(source);
  const digest = sourceDigest(sql, signature);
  const current = (
    await tx.raw(
      `select source_signature, to_regclass('credit_rollout.source_orgs') is not null as attached from credit_rollout.cell`,
    )
  ).rows[0];
  if (current.attached && current.source_signature === digest) return false;
  await tx.raw(`${detachedSql}\n${sql}`);
  await tx.raw('update credit_rollout.cell set source = ?, source_unique = ?, source_signature = ?', [
    source.relation,
    source.unique,
    digest,
  ]);
  return true;
}

/** Whether what is attached was made from this source as it is now. */
export async function isAttached(tx: CellTransaction, source: AttachedSource, signature: string): Promise<boolean> {
  const { rows } = await tx.raw(
    `select source_signature = ? and to_regclass('credit_rollout.source_orgs') is not null as attached from credit_rollout.cell`,
    [sourceDigest(attachedSql(source), signature)],
  );
  return rows[0]?.attached === true;
}

const sourceDigest = (sql: string, signature: string): string =>
  createHash('sha256').update(`${signature}\n${sql}`).digest('hex').slice(0, 16);

/** Drops what hangs on the product's table; tables of ours stay. */
export async function detachSource(tx: CellTransaction): Promise<void> {
  await tx.raw(detachedSql);
  await tx.raw('update credit_rollout.cell set source_signature = null');
}
