// Our schemas belong to a role that nobody can log in as: functions that run as their owner, and the code of the
// product's view inside them, then have the rights of that role and no more.
import type { Knex } from 'knex';
import { RolloutError } from '../kernel/rollout-error.js';
import { findRow, inlineValues, runVerbatim, selectRow, selectRows } from './query.js';

// Sequences of identity columns follow their table, and indexes and triggers too. The schema comes first: whoever gets
// an object must be allowed to create in its schema.
const TRANSFER = `
do $transfer$
declare
  change text;
begin
  for change in
    select statement from (
      select 0 as place, format('alter schema %I owner to %I', n.nspname, o.rolname) as statement
      from pg_namespace n, pg_roles o
      where n.nspname = :schema and o.rolname = :owner and n.nspowner <> o.oid
      union all
      select 1, format('alter %s %s owner to %I',
        case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' else 'table' end,
        c.oid::regclass, o.rolname)
      from pg_class c, pg_roles o
      where c.relnamespace = to_regnamespace(:schema) and o.rolname = :owner and c.relowner <> o.oid
        and c.relkind in ('r', 'p', 'v', 'm', 'S')
        and not exists (select from pg_depend d
          where d.classid = 'pg_class'::regclass and d.objid = c.oid and c.relkind = 'S' and d.deptype in ('a', 'i'))
      union all
      select 1, format('alter routine %s owner to %I', p.oid::regprocedure, o.rolname)
      from pg_proc p, pg_roles o
      where p.pronamespace = to_regnamespace(:schema) and o.rolname = :owner and p.proowner <> o.oid
        and p.proowner is distinct from to_regrole(quote_ident(:apart))
      union all
      select 1, format('alter type %s owner to %I', format_type(t.oid, null), o.rolname)
      from pg_type t, pg_roles o
      where t.typnamespace = to_regnamespace(:schema) and o.rolname = :owner and t.typowner <> o.oid
        and t.typtype in ('d', 'e')
    ) s order by s.place
  loop
    execute change;
  end loop;
end $transfer$`;

/**
 * Gives a schema and everything in it to `owner`, which must exist; this login must be a member of it. Functions that
 * belong to the role `apart` stay its. Changes nothing where it has everything already.
 */
export async function transferSchema(
  tx: Knex.Transaction,
  schema: string,
  owner: string,
  apart: string = owner,
): Promise<void> {
  await runVerbatim(tx, inlineValues(tx, TRANSFER, { schema, owner, apart }));
}

const GIVE = `
do $give$
declare
  change text;
begin
  for change in
    select format('alter routine %s owner to %I', p.oid::regprocedure, o.rolname)
    from pg_proc p, pg_roles o
    where p.pronamespace = to_regnamespace(:schema) and p.proname = any (string_to_array(:names, ','))
      and o.rolname = :owner and p.proowner <> o.oid
  loop
    -- whoever gets an object must be allowed to create in its schema, for this moment
    execute format('grant create on schema %I to %I', :schema, :owner);
    execute change;
    execute format('revoke create on schema %I from %I', :schema, :owner);
  end loop;
end $give$`;

/** Gives functions of a schema to another role than its owner. Changes nothing where it has them already. */
export async function giveFunctions(
  tx: Knex.Transaction,
  schema: string,
  names: readonly string[],
  owner: string,
): Promise<void> {
  await runVerbatim(tx, inlineValues(tx, GIVE, { schema, names: names.join(','), owner }));
}

/** SQL that makes a role without login; another database of this server may make it at the same moment. */
export const createRoleSql = (name: string): string =>
  `do $$ begin create role "${name}" nologin; exception when duplicate_object or unique_violation then null; end $$`;

export interface SchemaOwner {
  readonly name: string;
  /** What it may do beyond owning, such as LOGIN or SUPERUSER. */
  readonly powers: readonly string[];
}

const POWERS = `array_remove(array[
  case when r.rolcanlogin then 'LOGIN' end, case when r.rolsuper then 'SUPERUSER' end,
  case when r.rolcreaterole then 'CREATEROLE' end, case when r.rolcreatedb then 'CREATEDB' end,
  case when r.rolbypassrls then 'BYPASSRLS' end, case when r.rolreplication then 'REPLICATION' end], null)`;

/** Who owns a schema, which must exist. */
export async function readSchemaOwner(tx: Knex.Transaction, schema: string): Promise<SchemaOwner> {
  return selectRow<SchemaOwner>(
    tx,
    `select r.rolname as name, ${POWERS} as powers
     from pg_namespace n join pg_roles r on r.oid = n.nspowner where n.nspname = :schema`,
    { schema },
  );
}

/** What a role may do beyond owning; none where there is no such role. */
export async function listPowers(tx: Knex.Transaction, name: string): Promise<readonly string[]> {
  const found = await findRow<Pick<SchemaOwner, 'powers'>>(
    tx,
    `select ${POWERS} as powers from pg_roles r where r.rolname = :name`,
    { name },
  );
  return found?.powers ?? [];
}

/** SQL that takes these powers from a role. */
export const withoutPowers = (name: string, powers: readonly string[]): string =>
  `ALTER ROLE "${name}" ${powers.map((power) => `NO${power}`).join(' ')}`;

/** Throws not_permitted when a role that is to own a schema could do more than own it. */
export async function rejectStrongOwner(tx: Knex.Transaction, owner: string, subject: string): Promise<void> {
  const powers = await listPowers(tx, owner);
  if (powers.length === 0) return;
  throw new RolloutError('not_permitted', {
    message: `${subject}: the role "${owner}", which owns objects of ours, must not have ${powers.join(', ')}.`,
    next: `As a superuser run: ${withoutPowers(owner, powers)}; then run init again.`,
  });
}

/** Which of these functions of a schema belong to somebody else than `owner`. */
export async function listOthersFunctions(
  tx: Knex.Transaction,
  schema: string,
  names: readonly string[],
  owner: string,
): Promise<readonly string[]> {
  const rows = await selectRows<{ readonly name: string }>(
    tx,
    `select p.proname as name from pg_proc p join pg_roles o on o.oid = p.proowner
     where p.pronamespace = to_regnamespace(:schema) and p.proname = any (:names::text[]) and o.rolname <> :owner
     order by 1`,
    { schema, names, owner },
  );
  return rows.map(({ name }) => name);
}

/**
 * Throws not_permitted where the schema belongs to somebody whom this login need not trust: what they put into it, such
 * as a view by the name of a table of ours, would run with the rights of this login. It may be `owner`'s, this login's,
 * or a superuser's, as an earlier version left it.
 */
export async function rejectForeignSchema(
  tx: Knex.Transaction,
  { schema, owner, subject }: { readonly schema: string; readonly owner: string; readonly subject: string },
): Promise<void> {
  const found = await findRow<{ readonly name: string }>(
    tx,
    `select format('%I', o.rolname) as name from pg_namespace n join pg_roles o on o.oid = n.nspowner
     where n.nspname = :schema and o.rolname not in (:owner, session_user) and not o.rolsuper
       -- of another data center, in a copy of its database
       and not (o.rolname ~ '^credit_rollout_.*_owner$' and not o.rolcanlogin)`,
    { schema, owner },
  );
  if (found === undefined) return;
  throw new RolloutError('not_permitted', {
    message: `${subject}: the schema ${schema} belongs to ${found.name}, and what is in it could act as this login.`,
    next:
      `If init made it, run it as ${found.name}, or as a superuser: ALTER SCHEMA ${schema} OWNER TO "${owner}"; ` +
      'else rename it. Then run init again.',
  });
}
