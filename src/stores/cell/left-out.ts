// Orgs of the source whose ids are too long to be held: our views leave them out, and these count them. Never an id.
import { selectRow } from '../query.js';
import type { CellTransaction } from './cell-database.js';

interface LeftOut {
  readonly orgs: string;
}

/** Whether ids of the source may be too long; else there is nothing to count. Reads no org. */
export async function canLeaveOut(tx: CellTransaction): Promise<boolean> {
  const { can } = await selectRow<{ readonly can: boolean }>(
    tx,
    String.raw`select coalesce(
       pg_get_viewdef(to_regclass('credit_rollout.source_left_out')) ~* '\mfrom\M', false) as can`,
  );
  return can;
}

/** Reads every id of a source whose ids are texts, and none of another one. */
export async function countLeftOut(tx: CellTransaction): Promise<number> {
  const { orgs } = await selectRow<LeftOut>(tx, 'select orgs::text from credit_rollout.source_left_out');
  return Number(orgs);
}

/** The same, and keeps the number for `status`. */
export async function noteLeftOut(tx: CellTransaction): Promise<number> {
  const { orgs } = await selectRow<LeftOut>(tx, 'select credit_rollout.note_left_out()::text as orgs');
  return Number(orgs);
}

/** When a plan or a night counted last. */
export async function readLeftOut(tx: CellTransaction): Promise<number> {
  const { orgs } = await selectRow<LeftOut>(tx, 'select last_value::text as orgs from credit_rollout.left_out');
  return Number(orgs);
}
