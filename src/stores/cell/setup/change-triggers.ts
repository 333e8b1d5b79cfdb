// What the change feed needs on the source: its triggers, a grant of the worker's, and facts for doctor. Locks on the
// product's table are short, or not taken: writes of the product would wait behind ours.

import {
  CHANGE_TRIGGERS,
  changeFunctionSql,
  changeTriggersSql,
  dropChangeTriggersSql,
} from '../../../../migrations/cell/attached/change-triggers.js';
import type { AttachedSource } from '../../../../migrations/cell/attached/index.js';
import { toPastedSql } from '../../../kernel/pasted-sql.js';
import { execute, runVerbatim, selectRow } from '../../query.js';
import { FROZEN } from '../batch/freezes.js';
import { type CellTransaction, cellRoleName, cellSourceRoleName } from '../cell-database.js';

/** How long the product's writes may wait behind one attempt of ours. */
const LOCK_TIMEOUT = "set local lock_timeout = '200ms'";

interface Found {
  readonly found: boolean;
}

/** Whether the triggers are on this relation, which the catalog has quoted, and enabled. */
async function hasChangeTriggers(tx: CellTransaction, relation: string): Promise<boolean> {
  const { found } = await selectRow<Found>(
    tx,
    `select count(*) = ${CHANGE_TRIGGERS.length} as found from pg_trigger t
     join pg_class c on c.oid = t.tgrelid
     join pg_namespace n on n.oid = c.relnamespace
     where format('%I.%I', n.nspname, c.relname) = :relation and t.tgname = any (:triggers::text[])
       and t.tgenabled <> 'D' and t.tgfoid = to_regproc('credit_rollout.note_changed_orgs')`,
    { relation, triggers: CHANGE_TRIGGERS },
  );
  return found;
}

/**
 * Creates function and triggers. Where the triggers exist it only replaces the function, which locks nothing. Throws
 * 55P03 when the table stayed locked for 200 ms.
 */
export async function installChangeTriggers(tx: CellTransaction, source: AttachedSource): Promise<void> {
  const installed = await hasChangeTriggers(tx, source.relation);
  await execute(tx, LOCK_TIMEOUT);
  // they may be on the table that was the source before, or disabled
  if (!installed) await execute(tx, dropChangeTriggersSql);
  await execute(tx, changeFunctionSql(source));
  if (!installed) await runVerbatim(tx, changeTriggersSql(source));
}

/** Whether there is anything to remove. */
export async function hasChangeFunction(tx: CellTransaction): Promise<boolean> {
  const { found } = await selectRow<Found>(
    tx,
    `select to_regproc('credit_rollout.note_changed_orgs') is not null as found`,
  );
  return found;
}

/** Drops function and triggers; does nothing without them. Throws 55P03 when the table stayed locked for 200 ms. */
export async function removeChangeTriggers(tx: CellTransaction): Promise<void> {
  await execute(tx, LOCK_TIMEOUT);
  await execute(tx, dropChangeTriggersSql);
}

/** Lets the worker read by updated_at, and the role of the source measure it: only for sources with that column. */
export async function grantUpdates(tx: CellTransaction, dataCenter: string): Promise<void> {
  const { found } = await selectRow<Found>(
    tx,
    `select to_regclass('credit_rollout.source_updates') is not null as found`,
  );
  if (!found) return;
  const source = `"${cellSourceRoleName(dataCenter)}"`;
  const roles = `"${cellRoleName(dataCenter, 'worker')}", ${source}`;
  await execute(
    tx,
    `grant select on credit_rollout.source_updates to ${roles};
     grant execute on function credit_rollout.list_updated to ${roles};
     grant execute on function credit_rollout.measure_look to ${source}`,
  );
}

export interface FeedFacts {
  /** They are on the relation, and enabled. */
  readonly triggers: boolean;
  /** The feed waits for what triggers record; without them it finds nothing. */
  readonly byTriggers: boolean;
  /** An index of the relation begins with updated_at. */
  readonly indexed: boolean;
  /** Code of the last failed attempt; null after a success. */
  readonly failure: string | null;
  /** How long edits could have been read, and were not, in ms; null: nothing may be written now, or nothing waits. */
  readonly unreadMs: number | null;
}

/** What doctor checks of the feed; the catalog has quoted the relation. */
export async function readFeedFacts(tx: CellTransaction, relation: string): Promise<FeedFacts> {
  const row = await selectRow<Omit<FeedFacts, 'triggers'>>(
    tx,
    `select exists (
         select from pg_index i
         join pg_class c on c.oid = i.indrelid
         join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'updated_at' and i.indkey[0] = a.attnum
         where format('%I.%I', n.nspname, c.relname) = :relation and i.indisvalid and i.indpred is null) as indexed,
       to_regproc('credit_rollout.note_changed_orgs') is not null as by_triggers,
       r.failure,
       (select (extract(epoch from clock_timestamp() - greatest(f.changed_at,
            case when to_regproc('credit_rollout.note_changed_orgs') is null then r.read_at
              else (select min(c.changed_at) from credit_rollout.changed_orgs c) end)) * 1000)::float8
          from credit_rollout.fence f where f.state = 'closed' and f.single_writes and not ${FROZEN}
            and (to_regproc('credit_rollout.note_changed_orgs') is null and r.read_at is not null
              or exists (select from credit_rollout.changed_orgs))) as unread_ms
     from credit_rollout.feed r`,
    { relation },
  );
  return { ...row, triggers: await hasChangeTriggers(tx, relation) };
}

/** The GRANT that lets this login create triggers on a relation, which the catalog has quoted. */
export async function readTriggerGrant(tx: CellTransaction, relation: string): Promise<string> {
  const { sql } = await selectRow<{ sql: string }>(
    tx,
    `select format('GRANT TRIGGER ON %s TO %I;', :relation::text, session_user) as sql`,
    { relation },
  );
  return toPastedSql(sql);
}
