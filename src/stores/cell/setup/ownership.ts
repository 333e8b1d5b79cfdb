// To whom our schema in a cell belongs: to a role that nobody can log in as, but for the functions that read the
// source. The code of the product's view runs wherever it is read, so those belong to a role that can read and nothing
// else.
import { SOURCE_FUNCTIONS } from '../../../../migrations/cell/source-functions.js';
import { execute, inlineValues, runVerbatim, selectRow } from '../../query.js';
import {
  giveFunctions,
  listOthersFunctions,
  listPowers,
  rejectForeignSchema,
  rejectStrongOwner,
  type SchemaOwner,
  transferSchema,
} from '../../schema-owner.js';
import { type CellTransaction, cellOwnerName, cellSourceRoleName } from '../cell-database.js';
import { lockSchema } from './schema.js';

/** Throws not_permitted where our schema is somebody else's, whose code this login must not run. */
export async function rejectOthersSchema(tx: CellTransaction, dataCenter: string): Promise<void> {
  const owner = cellOwnerName(dataCenter);
  await rejectForeignSchema(tx, { schema: 'credit_rollout', owner, subject: `Data center "${dataCenter}"` });
}

/** Throws not_permitted when one of both roles could do more than own what is ours. */
export async function rejectStrongOwners(tx: CellTransaction, dataCenter: string): Promise<void> {
  for (const role of [cellOwnerName(dataCenter), cellSourceRoleName(dataCenter)])
    await rejectStrongOwner(tx, role, `Data center "${dataCenter}"`);
}

// A view may use current_date, or a date as text: what it gives must not depend on the session that asks.
const KEEP_SETTINGS = `
do $keep$
declare
  changed regprocedure;
begin
  for changed in
    select p.oid from pg_proc p
    where p.pronamespace = to_regnamespace('credit_rollout') and p.proname = any (string_to_array(:names, ','))
      and not coalesce(p.proconfig, '{}') @> array['TimeZone=UTC', 'DateStyle=ISO, MDY', 'IntervalStyle=postgres']
  loop
    execute format($$alter function %s set timezone = 'UTC' set datestyle = 'ISO, MDY' set intervalstyle = 'postgres'$$,
      changed);
  end loop;
end $keep$`;

/** Gives both what is theirs; this login must be a member of them. Changes nothing where they have it already. */
export async function giveSchema(tx: CellTransaction, dataCenter: string): Promise<void> {
  const source = cellSourceRoleName(dataCenter);
  await transferSchema(tx, 'credit_rollout', cellOwnerName(dataCenter), source);
  await giveFunctions(tx, 'credit_rollout', SOURCE_FUNCTIONS, source);
  await runVerbatim(
    tx,
    inlineValues(tx, KEEP_SETTINGS, {
      names: [...SOURCE_FUNCTIONS, 'check_floor_falls', 'check_written_numbers'].join(','),
    }),
  );
}

/**
 * Before `init` calls what reads the source: both run with the rights of their role, also if code inside them changed
 * that. Nobody can change it again before this transaction ends.
 */
export async function keepDefiners(tx: CellTransaction): Promise<void> {
  await execute(
    tx,
    `alter function credit_rollout.count_null_ids() security definer;
     alter function credit_rollout.measure_one_org security definer;
     do $$ begin
       if to_regprocedure('credit_rollout.measure_look()') is not null then
         alter function credit_rollout.measure_look() security definer;
       end if;
     end $$`,
  );
}

/** The same for `doctor`: a login that may change nothing has no more rights to lose than its own. */
export async function keepDefinersIfOwner(tx: CellTransaction): Promise<void> {
  const { owns } = await selectRow<{ readonly owns: boolean }>(
    tx,
    `select count(*) = 2 and bool_and(pg_has_role(session_user, p.proowner, 'usage')) as owns
     from pg_proc p where p.pronamespace = to_regnamespace('credit_rollout')
       and p.proname in ('count_null_ids', 'measure_one_org')`,
  );
  if (!owns) return;
  await lockSchema(tx);
  await keepDefiners(tx);
}

export interface OwnerMembers {
  /** Quoted by the catalog. */
  readonly others: readonly string[];
  /** This login is one too. */
  readonly own: boolean;
}

/** Who can act as one of both roles, superusers aside: members, and members of members. */
export async function readOwnerMembers(tx: CellTransaction, dataCenter: string): Promise<OwnerMembers> {
  return selectRow<OwnerMembers>(
    tx,
    `with recursive members as (
       select a.member as oid from pg_auth_members a join pg_roles o on o.oid = a.roleid
       where o.rolname in (:owner, :source)
       union select a.member from pg_auth_members a join members m on m.oid = a.roleid)
     select coalesce(bool_or(r.rolname = session_user), false) as own,
       coalesce(array_agg(format('%I', r.rolname) order by r.rolname)
         filter (where r.rolname <> session_user and not r.rolsuper), '{}') as others
     from members m join pg_roles r on r.oid = m.oid`,
    { owner: cellOwnerName(dataCenter), source: cellSourceRoleName(dataCenter) },
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
