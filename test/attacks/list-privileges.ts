// Everything that anybody but its owner may do with any object of a database, as text that a person can read and git
// can compare. Names of roles are those of their work: they carry the data center.
import type { Sql } from '../support/invariants.js';

export interface PrivilegesOf {
  readonly schema: string;
  /** What each role is called in the text, by its name on the server. */
  readonly roles: ReadonlyMap<string, string>;
}

interface Grant {
  readonly grantee: string;
  readonly object: string;
  readonly privilege: string;
  /** Names of columns; null: the whole object. */
  readonly columns: readonly string[] | null;
}

// every object that is not the system's own; what nobody has granted yet has the privileges that Postgres gives by
// itself
const GRANTS = `
with acls as (
  select 'schema ' || n.nspname as object, null::name as "column", n.nspowner as owner, n.nspacl as acl
  from pg_namespace n
  union all
  select case c.relkind when 'S' then 'sequence ' when 'v' then 'view ' else 'table ' end || c.oid::regclass, null,
    c.relowner, c.relacl
  from pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all
  select case c.relkind when 'v' then 'view ' else 'table ' end || c.oid::regclass, a.attname, c.relowner, a.attacl
  from pg_attribute a join pg_class c on c.oid = a.attrelid where a.attacl is not null
  union all
  select 'function ' || p.oid::regprocedure, null, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
  from pg_proc p where p.oid >= 16384
  union all
  select 'type ' || t.oid::regtype, null, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
  from pg_type t where t.oid >= 16384 and t.typtype in ('d', 'e', 'r', 'b') and t.typelem = 0
  union all
  select 'objects made later', null, d.defaclrole, d.defaclacl from pg_default_acl d
)
select case g.grantee when 0 then 'PUBLIC' else g.grantee::regrole::text end as grantee, a.object,
  g.privilege_type as privilege, array_agg(a."column" order by a."column") filter (where a."column" is not null)::text[]
    as columns
from acls a cross join lateral aclexplode(a.acl) g
where g.grantee <> a.owner and a.object !~ '^(schema|table|view) (pg_|information_schema)'
group by 1, 2, 3, (a."column" is null)
order by 2, 3`;

const FUNCTIONS = `
select p.oid::regprocedure::text as object, l.lanname as language, p.prosecdef as definer,
  p.prosqlbody is not null as parsed, coalesce(p.proconfig, '{}') as settings
from pg_proc p join pg_language l on l.oid = p.prolang
where p.pronamespace = $1::regnamespace
order by 1`;

export interface SchemaFunction {
  readonly object: string;
  readonly language: string;
  readonly definer: boolean;
  /** Its names were resolved when it was created. */
  readonly parsed: boolean;
  readonly settings: readonly string[];
}

/** The functions of a schema, by name. */
export const listFunctions = async (sql: Sql, schema: string): Promise<readonly SchemaFunction[]> =>
  (await sql(FUNCTIONS, [schema])) as unknown as readonly SchemaFunction[];

const MEMBERS = `
select m.member::regrole::text as member, m.roleid::regrole::text as of from pg_auth_members m
where m.member::regrole::text = any ($1) order by 1, 2`;

const POWERS = `
select rolname as name, concat_ws(', ', case when rolcanlogin then 'LOGIN' end, case when rolsuper then 'SUPERUSER' end,
  case when rolcreaterole then 'CREATEROLE' end, case when rolcreatedb then 'CREATEDB' end,
  case when rolreplication then 'REPLICATION' end, case when rolbypassrls then 'BYPASSRLS' end) as powers
from pg_roles where rolname = any ($1)`;

/** One section for PUBLIC and for each role, then what each function runs as. */
export async function showPrivileges(sql: Sql, { schema, roles }: PrivilegesOf): Promise<string> {
  const names = [...roles.keys()];
  const grants = (await sql(GRANTS)) as unknown as readonly Grant[];
  const members = await sql(MEMBERS, [names]);
  const powers = await sql(POWERS, [names]);
  const known = new Set(['PUBLIC', ...names]);
  const others = grants.map(({ grantee }) => grantee).filter((grantee) => !known.has(unquote(grantee)));
  const sections = ['PUBLIC', ...names, ...new Set(others)].map((name) => {
    const lines = showGrants(grants.filter(({ grantee }) => unquote(grantee) === name));
    const held = [
      ...powers.filter((row) => row.name === name && row.powers !== '').map((row) => `is ${row.powers}`),
      ...members.filter((row) => unquote(String(row.member)) === name).map((row) => `is a member of ${row.of}`),
    ];
    return [roles.get(name) ?? name, ...[...held, ...lines].map((line) => `  ${line}`)].join('\n');
  });
  const functions = (await listFunctions(sql, schema)).map(showFunction);
  const text = [...sections, ['functions', ...functions.map((line) => `  ${line}`)].join('\n')].join('\n\n');
  return `${text.replaceAll(`${schema}.`, '')}\n`;
}

const unquote = (name: string): string => name.replace(/^"(.*)"$/u, '$1');

const WIDTH = 120;

/** `table fence: SELECT, UPDATE of state, failure`, one line per object and one for each list of columns. */
function showGrants(grants: readonly Grant[]): readonly string[] {
  const whole = new Map<string, string[]>();
  for (const { object, privilege, columns } of grants)
    if (columns === null) whole.set(object, [...(whole.get(object) ?? []), privilege]);
  const objects = [...whole].map(([object, privileges]) => `${object}: ${privileges.join(', ')}`);
  const columns = grants.filter((grant) => grant.columns !== null).map(showColumns);
  return [...objects, ...columns].sort();
}

function showColumns({ object, privilege, columns }: Grant): string {
  const lines = [`${object}: ${privilege} of`];
  for (const column of columns ?? []) {
    const last = lines.at(-1) ?? '';
    if (`  ${last} ${column},`.length <= WIDTH) lines[lines.length - 1] = `${last} ${column},`;
    else lines.push(`      ${column},`);
  }
  return lines.join('\n').replace(/,$/u, '');
}

const showFunction = ({ object, language, definer, parsed, settings }: SchemaFunction): string =>
  [
    `${object}: ${language}, as ${definer ? 'its owner' : 'its caller'}`,
    ...(parsed ? ['names resolved when it was made'] : []),
    ...settings,
  ].join('; ');
