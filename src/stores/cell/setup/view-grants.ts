// What the code of the product's view needs where one of our roles, or a role of the product, runs it: one org is read
// as each of them, and the GRANT for what is denied is made from the catalog.
import { selectRow, selectRows } from '../../query.js';
import { CELL_ROLES, type CellTransaction, cellOwnerName, cellRoleName, cellSourceRoleName } from '../cell-database.js';
import type { SourceReader } from './read-source-as.js';

/** Some org of the source; undefined: it has none. */
export async function findSomeOrg(reader: SourceReader): Promise<string | undefined> {
  const [row] = await reader.rows<{ readonly id: string }>(
    'select org_id::text as id from credit_rollout.source_orgs limit 1',
  );
  return row?.id;
}

/** Reads all of one org through a view of ours. */
export async function readOneOrg(reader: SourceReader, view: OtherReader['view'], id: string): Promise<void> {
  await reader.rows(`select * from credit_rollout.${view} where org_id = :id::credit_rollout.org_id`, { id });
}

export interface OtherReader {
  readonly role: string;
  /** What it reads of ours. */
  readonly view: 'source_orgs' | 'org_capacity';
  /** This login may act as it. */
  readonly usable: boolean;
}

/** Who reads the source beside the roles of our transactions: our functions, and what `init --grant` was given. */
export function listOtherReaders(tx: CellTransaction, dataCenter: string): Promise<readonly OtherReader[]> {
  return selectRows<OtherReader>(
    tx,
    `select r.rolname as role, case when r.rolname = :source_role then 'source_orgs' else 'org_capacity' end as view,
       pg_has_role(session_user, r.oid,
         case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end) as usable
     from credit_rollout.cell c
     join pg_roles r on r.rolname = any (c.product_roles) or r.rolname in (:source_role, :meter_role)
     order by 1`,
    { source_role: cellSourceRoleName(dataCenter), meter_role: cellRoleName(dataCenter, 'meter') },
  );
}

// functions of the server are pinned: the catalog records no use of them
const VOLATILE = `
with recursive used (view) as (
  select to_regclass('credit_rollout.source_orgs')::oid
  union
  select c.oid from used u
  join pg_rewrite w on w.ev_class = u.view
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
  join pg_class c on c.oid = d.refobjid and c.relkind = 'v')
select distinct format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) as called
from used u
join pg_rewrite w on w.ev_class = u.view
join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_proc'::regclass
join pg_proc p on p.oid = d.refobjid and p.provolatile = 'v' and p.prokind = 'f'
join pg_namespace n on n.oid = p.pronamespace order by 1`;

/** The functions of the source's views, and of those below, that Postgres has to run for every row. */
export async function listVolatileCode(tx: CellTransaction): Promise<readonly string[]> {
  return (await selectRows<{ readonly called: string }>(tx, VOLATILE)).map(({ called }) => called);
}

const NOT_OURS = `n.nspname not in ('credit_rollout', 'information_schema') and n.nspname !~ '^pg_'`;

// by name: the server tells no schema; what every role holds already is not it
const MISSING = `
with reading as (
  select r.oid, quote_ident(r.rolname) as role from pg_roles r where r.rolname = any (:roles::text[])),
denied as (
  select n.oid as schema_id, n.nspname as schema, 'SELECT ON ' || format('%I.%I', n.nspname, c.relname) as what, g.oid
  from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join reading g
  where c.relname = :denied and c.relkind in ('r', 'p', 'v', 'm', 'f') and ${NOT_OURS}
    and not has_table_privilege(g.oid, c.oid, 'select')
  union all
  select n.oid, n.nspname, format('EXECUTE ON FUNCTION %s', p.oid::regprocedure), g.oid
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace cross join reading g
  where p.proname = :denied and ${NOT_OURS} and not has_function_privilege(g.oid, p.oid, 'execute')
  union all
  select n.oid, n.nspname, null, g.oid from pg_namespace n cross join reading g
  where n.nspname = :denied and ${NOT_OURS}),
needed as (
  select 'USAGE ON SCHEMA ' || quote_ident(d.schema) as what, d.oid from denied d
  where not has_schema_privilege(d.oid, d.schema_id, 'usage')
  union
  select d.what, d.oid from denied d where d.what is not null)
select format('GRANT %s TO %s;', n.what, string_agg(distinct g.role, ', ' order by g.role)) as sql
from needed n join reading g on g.oid = n.oid group by n.what order by n.what desc`;

/** What `init --grant` was given; none before `init` has made the cell. */
async function listProductRoles(tx: CellTransaction): Promise<readonly string[]> {
  const { made } = await selectRow<{ readonly made: boolean }>(
    tx,
    `select to_regclass('credit_rollout.cell') is not null as made`,
  );
  if (!made) return [];
  const rows = await selectRows<{ readonly role: string }>(
    tx,
    'select unnest(c.product_roles) as role from credit_rollout.cell c',
  );
  return rows.map(({ role }) => role);
}

/**
 * The GRANTs for an object that the server denied, by its name without a schema: for every role that reads the source
 * and lacks them, `product` too, which `init` is about to record. Empty: no role lacks any.
 */
export async function listViewGrants(
  tx: CellTransaction,
  dataCenter: string,
  denied: string,
  product?: string,
): Promise<readonly string[]> {
  const roles = [
    ...CELL_ROLES.filter((role) => role !== 'fencer' && role !== 'operator').map((role) =>
      cellRoleName(dataCenter, role),
    ),
    cellOwnerName(dataCenter),
    cellSourceRoleName(dataCenter),
    ...(product === undefined ? [] : [product]),
    ...(await listProductRoles(tx)),
  ];
  const rows = await selectRows<{ readonly sql: string }>(tx, MISSING, { roles, denied });
  return rows.map(({ sql }) => sql);
}
