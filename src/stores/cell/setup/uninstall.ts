// Removes everything of ours from a cell: schema, and those roles that no other database of the server needs. Drops
// nothing of the product's. As the login of init.
import { execute, runVerbatim, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { listRoleNames } from './roles.js';

/** Whether there is anything of ours. */
export async function hasOurSchema(tx: CellTransaction): Promise<boolean> {
  const { found } = await selectRow<{ readonly found: boolean }>(
    tx,
    `select to_regnamespace('credit_rollout') is not null as found`,
  );
  return found;
}

/** Whether this login may drop our schema. */
export async function isOwner(tx: CellTransaction): Promise<boolean> {
  const { owner } = await selectRow<{ readonly owner: boolean }>(
    tx,
    `select coalesce(pg_has_role(session_user, n.nspowner, 'usage'), false) as owner
     from pg_namespace n where n.nspname = 'credit_rollout'`,
  );
  return owner;
}

export interface InstalledRole {
  readonly name: string;
  /** Another database of this server depends on it: it stays. */
  readonly usedElsewhere: boolean;
  /** Logins that are its members; without this login. They stay, and are no members any more. */
  readonly members: readonly string[];
}

/** Ours on tables of the product, as `trigger_name on schema.table`. */
export async function listOurTriggers(tx: CellTransaction): Promise<readonly string[]> {
  const rows = await selectRows<{ readonly name: string }>(
    tx,
    `select format('%I on %I.%I', t.tgname, n.nspname, c.relname) as name
     from pg_trigger t join pg_proc p on p.oid = t.tgfoid
     join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
     where p.pronamespace = to_regnamespace('credit_rollout') and c.relnamespace <> p.pronamespace
     order by 1`,
  );
  return rows.map(({ name }) => name);
}

/** Those of this data center that exist. Roles belong to the server: another cell of the same name may use them. */
export function listInstalledRoles(tx: CellTransaction, dataCenter: string): Promise<readonly InstalledRole[]> {
  return selectRows<InstalledRole>(
    tx,
    `select r.rolname as name,
       exists (select from pg_shdepend d where d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid
         and d.dbid not in (0, (select b.oid from pg_database b where b.datname = current_database())))
         as used_elsewhere,
       array(select m.rolname::text from pg_auth_members a join pg_roles m on m.oid = a.member
         where a.roleid = r.oid and m.rolname not in (session_user, current_user) and not m.rolsuper
         order by 1) as members
     from pg_roles r where r.rolname = any (:names::text[]) order by 1`,
    { names: listRoleNames(dataCenter) },
  );
}

/**
 * Nobody can begin to depend on our tables and views until this transaction ends. Never a view by LOCK TABLE: that
 * would lock the product's table under it. Throws 55P03 when one stayed locked for 200 ms.
 */
export async function lockOurRelations(tx: CellTransaction): Promise<void> {
  await execute(tx, `set local lock_timeout = '200ms'; set local statement_timeout = 0`);
  const { sql } = await selectRow<{ readonly sql: string | null }>(
    tx,
    `select string_agg(case c.relkind
         when 'v' then format('alter view %s owner to %I', c.oid::regclass, pg_get_userbyid(c.relowner))
         else format('lock table only %s in access exclusive mode', c.oid::regclass) end, ';' order by c.oid) as sql
     from pg_class c where c.relnamespace = to_regnamespace('credit_rollout') and c.relkind in ('r', 'p', 'v')`,
  );
  if (sql !== null) await runVerbatim(tx, sql);
}

export const DROP_SCHEMA = 'drop schema credit_rollout cascade';
const quoted = (name: string): string => `"${name}"`;
/** Takes back what was granted to them in this database. */
export const dropOwnedSql = (...roles: readonly string[]): string => `drop owned by ${roles.map(quoted).join(', ')}`;
export const dropRolesSql = (...roles: readonly string[]): string => `drop role ${roles.map(quoted).join(', ')}`;

export async function dropSchema(tx: CellTransaction): Promise<void> {
  await execute(tx, DROP_SCHEMA);
}

/**
 * Takes from the roles what they have in this database, and drops those that nothing depends on any more. Returns what
 * this login may not do, as SQL for a superuser.
 */
export async function dropRoles(tx: CellTransaction, roles: readonly InstalledRole[]): Promise<readonly string[]> {
  const left: string[] = [];
  for (const { name, usedElsewhere } of roles) {
    if (usedElsewhere) {
      for (const sql of await listRevokes(tx, name)) await attempt(tx, sql);
      left.push(...(await listRevokes(tx, name)));
    } else if (!(await attempt(tx, dropOwnedSql(name))) || !(await attempt(tx, dropRolesSql(name))))
      left.push(dropOwnedSql(name), dropRolesSql(name));
  }
  return left;
}

/**
 * What takes back grants that this login cannot, as SQL for whoever owns the objects: those that `init` asked the
 * owners of the source for. They keep a role from being dropped.
 */
export async function listGrantsOfOthers(tx: CellTransaction, roles: readonly string[]): Promise<readonly string[]> {
  const rows = await selectRows<{ readonly sql: string }>(
    tx,
    `select format('revoke all on %s from %s', g.object, string_agg(distinct g.role, ', ' order by g.role)) as sql
     from (
       select quote_ident(r.rolname) as role, case d.classid
           when 'pg_namespace'::regclass then 'schema ' || d.objid::regnamespace::text
           when 'pg_proc'::regclass then 'routine ' || d.objid::regprocedure::text
           else 'table ' || d.objid::regclass::text end as object,
         coalesce((select c.relowner from pg_class c where d.classid = 'pg_class'::regclass and c.oid = d.objid),
           (select n.nspowner from pg_namespace n where d.classid = 'pg_namespace'::regclass and n.oid = d.objid),
           (select p.proowner from pg_proc p where d.classid = 'pg_proc'::regclass and p.oid = d.objid)) as owner
       from pg_shdepend d join pg_roles r on r.oid = d.refobjid
       where d.refclassid = 'pg_authid'::regclass and r.rolname = any (:roles::text[]) and d.deptype = 'a'
         and d.classid in ('pg_class'::regclass, 'pg_namespace'::regclass, 'pg_proc'::regclass)
         and d.dbid = (select b.oid from pg_database b where b.datname = current_database())) g
     -- what is in our schema goes with it
     where not pg_has_role(session_user, g.owner, 'usage') and g.object !~ '^\\w+ credit_rollout\\M'
     group by g.object order by 1`,
    { roles },
  );
  return rows.map(({ sql }) => sql);
}

/** What takes back the grants that a role has in this database: DROP OWNED would take those on other databases too. */
async function listRevokes(tx: CellTransaction, role: string): Promise<readonly string[]> {
  const rows = await selectRows<{ readonly sql: string }>(
    tx,
    `select format('revoke all on %s from %I', case d.classid
         when 'pg_namespace'::regclass then 'schema ' || d.objid::regnamespace::text
         when 'pg_proc'::regclass then 'routine ' || d.objid::regprocedure::text
         else 'table ' || d.objid::regclass::text end, r.rolname) as sql
     from pg_shdepend d join pg_roles r on r.oid = d.refobjid
     where d.refclassid = 'pg_authid'::regclass and r.rolname = :role and d.deptype = 'a'
       and d.classid in ('pg_class'::regclass, 'pg_namespace'::regclass, 'pg_proc'::regclass)
       and d.dbid = (select b.oid from pg_database b where b.datname = current_database())
     order by 1`,
    { role },
  );
  return rows.map(({ sql }) => sql);
}

async function attempt(tx: CellTransaction, sql: string): Promise<boolean> {
  try {
    await tx.transaction((nested) => runVerbatim(nested, sql));
    return true;
  } catch {
    return false;
  }
}
