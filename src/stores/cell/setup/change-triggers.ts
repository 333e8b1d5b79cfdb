// The change feed's hold on the source: its triggers, what the worker may do for it, and what doctor asks. Locks on the
// product's table are short, or not taken: whoever waits behind us is the product.
import {
  CHANGE_TRIGGERS,
  changeFunctionSql,
  changeTriggersSql,
  dropChangeTriggersSql,
} from '../../../../migrations/cell/attached/change-triggers.js';
import type { AttachedSource } from '../../../../migrations/cell/attached/index.js';
import { type CellTransaction, cellRoleName } from '../cell-database.js';

/** How long the product's writes may wait behind one attempt of ours. */
const LOCK = "set local lock_timeout = '200ms'";

const HANGING = `
select count(*) = ${CHANGE_TRIGGERS.length} as found from pg_trigger t
join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where format('%I.%I', n.nspname, c.relname) = ? and t.tgname = any (?::text[]) and t.tgenabled <> 'D'
  and t.tgfoid = to_regproc('credit_rollout.note_changed_orgs')`;

/** Whether the triggers hang on this relation, which the catalog has quoted, and fire. */
async function hasChangeTriggers(tx: CellTransaction, relation: string): Promise<boolean> {
  return (await tx.raw(HANGING, [relation, [...CHANGE_TRIGGERS]])).rows[0].found;
}

/**
 * Makes function and triggers, or makes the function anew where they hang there already, which locks nothing. Throws 55P03
 * when the table was not to be had for 200 ms.
 */
export async function installChangeTriggers(tx: CellTransaction, source: AttachedSource): Promise<void> {
  await tx.raw(LOCK);
  await tx.raw(changeFunctionSql(source));
  if (!(await hasChangeTriggers(tx, source.relation))) await tx.raw(changeTriggersSql(source));
}

/** Whether there is anything to remove. */
export async function hasChangeFunction(tx: CellTransaction): Promise<boolean> {
  return (await tx.raw(`select to_regproc('credit_rollout.note_changed_orgs') is not null as found`)).rows[0].found;
}

/** Takes function and triggers away; a no-op without them. Throws 55P03 as above. */
export async function removeChangeTriggers(tx: CellTransaction): Promise<void> {
  await tx.raw(LOCK);
  await tx.raw(dropChangeTriggersSql);
}

/** Lets the worker read by updated_at, through a view that sources without that column do not have. */
export async function grantUpdates(tx: CellTransaction, dataCenter: string): Promise<void> {
  const { rows } = await tx.raw(`select to_regclass('credit_rollout.source_updates') is not null as found`);
  if (rows[0].found)
    await tx.raw(`grant select on credit_rollout.source_updates to "${cellRoleName(dataCenter, 'worker')}"`);
}

export interface FeedFacts {
  readonly triggers: boolean;
  /** An index of the relation begins with updated_at. */
  readonly indexed: boolean;
  /** Code of the last failed attempt; null after a success. */
  readonly failure: string | null;
}

/** What doctor says about the feed; the relation is quoted by the catalog. */
export async function readFeedFacts(tx: CellTransaction, relation: string): Promise<FeedFacts> {
  const { rows } = await tx.raw(
    `select exists (select from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'updated_at' and i.indkey[0] = a.attnum
       where format('%I.%I', n.nspname, c.relname) = ? and i.indisvalid and i.indpred is null) as indexed,
       (select failure from credit_rollout.feed) as failure`,
    [relation],
  );
  return { ...rows[0], triggers: await hasChangeTriggers(tx, relation) };
}

/** The GRANT that lets this login put triggers on a relation, which the catalog has quoted. */
export async function readTriggerGrant(tx: CellTransaction, relation: string): Promise<string> {
  return (await tx.raw(`select format('GRANT TRIGGER ON %s TO %I;', ?::text, session_user) as sql`, [relation])).rows[0]
    .sql;
}
