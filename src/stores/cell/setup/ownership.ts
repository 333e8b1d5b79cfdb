// To whom our schema in a cell belongs: to a role that nobody can log in as, but for the functions that read the
// source. The code of the product's view runs wherever it is read, so those belong to a role that can read and nothing
// else.
import { SOURCE_FUNCTIONS } from '../../../../migrations/cell/source-functions.js';
import { execute } from '../../query.js';
import {
  giveFunctions,
  listOthersFunctions,
  listPowers,
  rejectStrongOwner,
  type SchemaOwner,
  transferSchema,
} from '../../schema-owner.js';
import { type CellTransaction, cellOwnerName, cellSourceRoleName } from '../cell-database.js';

/** Throws not_permitted when one of both roles could do more than own what is ours. */
export async function rejectStrongOwners(tx: CellTransaction, dataCenter: string): Promise<void> {
  for (const role of [cellOwnerName(dataCenter), cellSourceRoleName(dataCenter)])
    await rejectStrongOwner(tx, role, `Data center "${dataCenter}"`);
}

/** Gives both what is theirs; this login must be a member of them. Changes nothing where they have it already. */
export async function giveSchema(tx: CellTransaction, dataCenter: string): Promise<void> {
  const source = cellSourceRoleName(dataCenter);
  await transferSchema(tx, 'credit_rollout', cellOwnerName(dataCenter), source);
  await giveFunctions(tx, 'credit_rollout', SOURCE_FUNCTIONS, source);
}

/**
 * Before `init` calls what reads the source: both run with the rights of their role, also if code inside them changed
 * that. Nobody can change it again before this transaction ends.
 */
export async function keepDefiners(tx: CellTransaction): Promise<void> {
  await execute(
    tx,
    `alter function credit_rollout.count_null_ids() security definer;
     alter function credit_rollout.measure_one_org() security definer;
     do $$ begin
       if to_regprocedure('credit_rollout.measure_look()') is not null then
         alter function credit_rollout.measure_look() security definer;
       end if;
     end $$`,
  );
}

/** The role whose functions read the source; `others`: those of them that do not belong to it. */
export async function readSourceRole(
  tx: CellTransaction,
  dataCenter: string,
): Promise<SchemaOwner & { readonly others: readonly string[] }> {
  const name = cellSourceRoleName(dataCenter);
  return {
    name,
    powers: await listPowers(tx, name),
    others: await listOthersFunctions(tx, 'credit_rollout', SOURCE_FUNCTIONS, name),
  };
}
