// The sign-up trigger on the product's table. Locks on that table are short, or not taken: whoever waits behind us is the product.
import {
  dropSignUpTriggerSql,
  SIGN_UP_TRIGGER,
  signUpFunctionSql,
  signUpTriggerSql,
} from '../../../../migrations/cell/attached/sign-up-trigger.js';
import type { CellTransaction } from '../cell-database.js';

/** How long the product's writes may wait behind one attempt of ours. */
const LOCK = "set local lock_timeout = '200ms'";

const HANGING = `
select exists (select from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
  where format('%I.%I', n.nspname, c.relname) = ? and t.tgname = ? and t.tgenabled <> 'D'
    and t.tgfoid = to_regproc('credit_rollout.onboard_inserted')) as found`;

/** Whether it hangs on this relation, which the catalog has quoted, and fires. */
async function hasSignUpTrigger(tx: CellTransaction, relation: string): Promise<boolean> {
  return (await tx.raw(HANGING, [relation, SIGN_UP_TRIGGER])).rows[0].found;
}

/**
 * Makes function and trigger, or makes the function anew where it hangs there already, which locks nothing. Throws 55P03
 * when the table was not to be had for 200 ms.
 */
export async function installSignUpTrigger(tx: CellTransaction, relation: string): Promise<void> {
  const hangs = await hasSignUpTrigger(tx, relation);
  await tx.raw(LOCK);
  // it may hang on what was the source before, or be disabled
  if (!hangs) await tx.raw(dropSignUpTriggerSql);
  await tx.raw(signUpFunctionSql);
  if (!hangs) await tx.raw(signUpTriggerSql(relation));
}

/** Whether there is anything to remove. */
export async function hasSignUpFunction(tx: CellTransaction): Promise<boolean> {
  return (await tx.raw(`select to_regproc('credit_rollout.onboard_inserted') is not null as found`)).rows[0].found;
}

/** Takes function and trigger away; a no-op without them. Throws 55P03 as above. */
export async function removeSignUpTrigger(tx: CellTransaction): Promise<void> {
  await tx.raw(LOCK);
  await tx.raw(dropSignUpTriggerSql);
}
