// The sign-up trigger on the product's table. Locks on that table are short, or not taken: writes of the product would
// wait behind ours.
import {
  dropSignUpTriggerSql,
  SIGN_UP_TRIGGER,
  signUpFunctionSql,
  signUpTriggerSql,
} from '../../../../migrations/cell/attached/sign-up-trigger.js';
import { execute, runVerbatim, selectRow } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

/** How long the product's writes may wait behind one attempt of ours. */
const LOCK_TIMEOUT = "set local lock_timeout = '200ms'";

interface Found {
  readonly found: boolean;
}

/** Whether it is on this relation, which the catalog has quoted, and enabled. */
export async function hasSignUpTrigger(tx: CellTransaction, relation: string): Promise<boolean> {
  const { found } = await selectRow<Found>(
    tx,
    `select exists (
       select from pg_trigger t
       join pg_class c on c.oid = t.tgrelid
       join pg_namespace n on n.oid = c.relnamespace
       where format('%I.%I', n.nspname, c.relname) = :relation and t.tgname = :trigger_name and t.tgenabled <> 'D'
         and t.tgfoid = to_regproc('credit_rollout.onboard_inserted')) as found`,
    { relation, trigger_name: SIGN_UP_TRIGGER },
  );
  return found;
}

/**
 * Creates function and trigger. Where the trigger exists it only replaces the function, which locks nothing. Throws
 * 55P03 when the table stayed locked for 200 ms.
 */
export async function installSignUpTrigger(tx: CellTransaction, relation: string): Promise<void> {
  const installed = await hasSignUpTrigger(tx, relation);
  await execute(tx, LOCK_TIMEOUT);
  // it may be on the relation that was the source before, or disabled
  if (!installed) await execute(tx, dropSignUpTriggerSql);
  await execute(tx, signUpFunctionSql);
  if (!installed) await runVerbatim(tx, signUpTriggerSql(relation));
}

/** Whether there is anything to remove. */
export async function hasSignUpFunction(tx: CellTransaction): Promise<boolean> {
  const { found } = await selectRow<Found>(
    tx,
    `select to_regproc('credit_rollout.onboard_inserted') is not null as found`,
  );
  return found;
}

/** Drops function and trigger; does nothing without them. Throws 55P03 when the table stayed locked for 200 ms. */
export async function removeSignUpTrigger(tx: CellTransaction): Promise<void> {
  await execute(tx, LOCK_TIMEOUT);
  await execute(tx, dropSignUpTriggerSql);
}
