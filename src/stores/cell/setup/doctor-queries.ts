// What `doctor` checks in a cell: privileges, migrations, zones, the source through our views. Counts and catalog names
// only.
import { cellMigrations } from '../../../../migrations/cell/index.js';
import type { QuarantineReason } from '../../../domain/source/org-inputs.js';
import { findRow, runVerbatim, selectRow, selectRows } from '../../query.js';
import { beginReadOnly, readCheckQuery } from '../batch/built-in-checks.js';
import { CELL_ROLES, type CellRole, type CellTransaction, cellRoleName } from '../cell-database.js';
import { assertCellIdentity } from '../identity.js';
import { READ_COLUMNS, SAMPLED_ORGS } from '../unreadable.js';
import type { SourceReader } from './read-source-as.js';

/** Throws wrong_cell or cell_is_standby; returns where our schema does not exist yet. */
export async function assertRightCell(tx: CellTransaction, dataCenter: string): Promise<void> {
  await assertCellIdentity((sql) => runVerbatim(tx, sql), dataCenter);
}

/** Names of migrations that the cell lacks; undefined when our schema does not exist. */
export async function listMissingMigrations(tx: CellTransaction): Promise<readonly string[] | undefined> {
  const { found } = await selectRow<{ found: boolean }>(
    tx,
    `select to_regclass('credit_rollout.migrations') is not null as found`,
  );
  if (!found) return undefined;
  const rows = await selectRows<{ name: string }>(tx, 'select name from credit_rollout.migrations');
  const done = new Set(rows.map(({ name }) => name));
  // the id type is part of a migration's text, never of its name
  const all = cellMigrations({ orgIdType: 'bigint', orgIdCollation: null });
  return all.map((migration) => migration.name).filter((name) => !done.has(name));
}

/** Fails as a batch would: without privilege, under row-level security, where the views are missing. Reads no row. */
export async function probeSource(reader: SourceReader): Promise<void> {
  await reader.rows('select * from credit_rollout.source_orgs limit 0');
}

/** The same on the relation itself, before our views exist; the catalog has quoted `relation`. */
export async function probeRelation(tx: CellTransaction, relation: string): Promise<void> {
  await runVerbatim(tx, `select * from ${relation} limit 0`);
}

/** A materialized view that a view reads, and that was never refreshed; by the catalog. `relation`: quoted by it. */
export async function findUnpopulated(tx: CellTransaction, relation: string): Promise<string | undefined> {
  const row = await findRow<{ readonly name: string }>(
    tx,
    `with recursive reads as (
       select to_regclass(:relation)::oid as oid
       union select d.refobjid from reads r join pg_rewrite w on w.ev_class = r.oid
       join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
         and d.refclassid = 'pg_class'::regclass)
     select c.oid::regclass::text as name from reads r join pg_class c on c.oid = r.oid
     where c.relkind = 'm' and not c.relispopulated limit 1`,
    { relation },
  );
  return row?.name;
}

/** The login of this connection, quoted for SQL. */
export async function readLogin(tx: CellTransaction): Promise<string> {
  const { login } = await selectRow<{ login: string }>(tx, `select format('%I', session_user) as login`);
  return login;
}

export interface EditionCount {
  /** Null: rows without an edition. */
  readonly edition: string | null;
  /** Decimal text. */
  readonly orgs: string;
}

/** Editions of the source that are not among these, the most frequent first, 20 at most. Reads every org. */
export function listUnknownEditions(
  reader: SourceReader,
  editions: readonly string[],
): Promise<readonly EditionCount[]> {
  return reader.rows<EditionCount>(
    `select s.edition, count(*)::text as orgs from credit_rollout.source_orgs s
     where s.edition is null or s.edition <> all (:editions::text[])
     group by s.edition order by count(*) desc, s.edition limit 20`,
    { editions },
  );
}

export interface RoleFact {
  readonly role: string;
  readonly exists: boolean;
  /** This login may SET ROLE to it. */
  readonly usable: boolean;
}

/** The cell's roles, in the order of CELL_ROLES. */
export function listRoles(tx: CellTransaction, dataCenter: string): Promise<readonly RoleFact[]> {
  return selectRows<RoleFact>(
    tx,
    `select w.role, r.oid is not null as exists, coalesce(pg_has_role(session_user, r.oid,
       case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end), false) as usable
     from unnest(:names::text[]) with ordinality w (role, place)
     left join pg_roles r on r.rolname = w.role
     order by w.place`,
    { names: CELL_ROLES.map((role) => cellRoleName(dataCenter, role)) },
  );
}

export interface ExcessGrant {
  readonly role: string;
  readonly privilege: string;
  /** Quoted by the catalog. */
  readonly relation: string;
}

const WRITE = ['insert', 'update', 'delete', 'truncate'] as const;
const CHANGE = ['update', 'delete', 'truncate'] as const;
const PRODUCT = 'product';
/** The roles that see no org. */
const STATE_ROLES: readonly CellRole[] = ['fencer', 'operator'];

// What no role of ours may hold, neither by a grant nor by membership nor through PUBLIC.
const FORBIDDEN: readonly { readonly role: CellRole; readonly on: string; readonly privileges: readonly string[] }[] = [
  ...CELL_ROLES.map((role) => ({ role, on: PRODUCT, privileges: WRITE })),
  { role: 'worker', on: 'credit_rollout.allotments', privileges: ['delete', 'truncate'] },
  ...(['planner', 'reader', 'fencer', 'operator', 'override', 'meter'] as const).map((role) => ({
    role,
    on: 'credit_rollout.allotments',
    privileges: WRITE,
  })),
  ...['credit_rollout.allotment_changes', 'credit_rollout.undone_allotments', 'credit_rollout.decision_log'].flatMap(
    (on) => CELL_ROLES.map((role) => ({ role, on, privileges: WRITE })),
  ),
  { role: 'override', on: 'credit_rollout.overrides', privileges: ['delete', 'truncate'] },
  ...(['worker', 'planner', 'reader', 'fencer', 'operator', 'meter'] as const).flatMap((role) =>
    ['credit_rollout.overrides', 'credit_rollout.protected_orgs'].map((on) => ({ role, on, privileges: WRITE })),
  ),
  // plans only grow, by functions of the owner
  ...['credit_rollout.plans', 'credit_rollout.plan_ranges', 'credit_rollout.plan_groups'].flatMap((on) =>
    CELL_ROLES.map((role) => ({ role, on, privileges: WRITE })),
  ),
  ...(['planner', 'reader', 'fencer', 'operator', 'override'] as const).map((role) => ({
    role,
    on: 'credit_rollout.stale_orgs',
    privileges: WRITE,
  })),
  // who changes the state of a cell adds the rates of a new card; nobody changes rates
  ...CELL_ROLES.map((role) => ({
    role,
    on: 'credit_rollout.rates',
    privileges: STATE_ROLES.includes(role) ? CHANGE : WRITE,
  })),
  // what the meter counted is written by a function of the owner, and an exception by those who override
  ...CELL_ROLES.map((role) => ({ role, on: 'credit_rollout.usage_days', privileges: WRITE })),
  ...CELL_ROLES.map((role) => ({
    role,
    on: 'credit_rollout.exceptions',
    privileges: role === 'override' ? ['delete', 'truncate'] : WRITE,
  })),
  ...CELL_ROLES.map((role) => ({
    role,
    on: 'credit_rollout.enforcement',
    privileges: role === 'override' ? ['delete', 'truncate'] : WRITE,
  })),
  ...[PRODUCT, 'credit_rollout.source_orgs', 'credit_rollout.overrides', 'credit_rollout.exceptions'].map((on) => ({
    role: 'meter' as const,
    on,
    privileges: ['select'],
  })),
  ...[
    PRODUCT,
    'credit_rollout.source_orgs',
    'credit_rollout.allotments',
    'credit_rollout.allotment_changes',
    'credit_rollout.org_changes',
    'credit_rollout.undone_allotments',
    'credit_rollout.overrides',
    'credit_rollout.protected_orgs',
    'credit_rollout.plan_ranges',
    'credit_rollout.plan_groups',
    'credit_rollout.usage_days',
    'credit_rollout.usage_alerts',
    'credit_rollout.exceptions',
  ].flatMap((on) => STATE_ROLES.map((role) => ({ role, on, privileges: ['select'] }))),
];

const EXCESS = `
select f.role, f.privilege, format('%I.%I', n.nspname, c.relname) as relation
from jsonb_to_recordset(:forbidden::jsonb) f (role text, relation text, privilege text)
join pg_class c on c.relkind in ('r', 'p', 'v', 'm', 'f')
join pg_namespace n on n.oid = c.relnamespace and format('%I.%I', n.nspname, c.relname) = f.relation
where has_table_privilege(f.role::name, c.oid, f.privilege)
  or case when f.privilege in ('select', 'insert', 'update')
       then has_any_column_privilege(f.role::name, c.oid, f.privilege) end
order by f.role, relation, f.privilege`;

/** Privileges that our roles hold and must not; all four roles must exist. The catalog has quoted `source`. */
export function listExcessGrants(
  tx: CellTransaction,
  dataCenter: string,
  source: string,
): Promise<readonly ExcessGrant[]> {
  const forbidden = FORBIDDEN.flatMap(({ role, on, privileges }) =>
    privileges.map((privilege) => ({
      role: cellRoleName(dataCenter, role),
      relation: on === PRODUCT ? source : on,
      privilege,
    })),
  );
  return selectRows<ExcessGrant>(tx, EXCESS, { forbidden: JSON.stringify(forbidden) });
}

/** Whether Postgres knows a zone by exactly this name. */
export async function isZoneKnown(tx: CellTransaction, zone: string): Promise<boolean> {
  const { known } = await selectRow<{ known: boolean }>(
    tx,
    'select exists (select from pg_timezone_names where name = :zone) as known',
    { zone },
  );
  return known;
}

/** How Postgres reads a local time and an instant in a zone. */
export interface ZoneReading {
  /** The instant of the local time; of one that exists twice, one of the two. */
  readonly instant: Date;
  /** What a clock shows at the instant: unlike the other way round, never ambiguous. */
  readonly agrees: boolean;
}

/** `local` as YYYY-MM-DDTHH:MM:SS; invariant I18 by the cell's own zone data. */
export function readLocalInCell(
  tx: CellTransaction,
  { local, zone, instant }: { readonly local: string; readonly zone: string; readonly instant: Date },
): Promise<ZoneReading> {
  return selectRow<ZoneReading>(
    tx,
    `select :local::timestamp at time zone :zone as instant,
       :instant::timestamptz at time zone :zone = :local::timestamp as agrees`,
    { local, zone, instant: instant.toISOString() },
  );
}

interface ReasonCount {
  readonly reason: QuarantineReason;
  /** Decimal text. */
  readonly orgs: string;
}

/** `counted`: a null in light_agents cannot be decided either. */
type LightAgents = 'counted' | 'uncounted';

/**
 * Orgs of these editions that nulls or negative numbers make undecidable, by the first reason that holds; the most
 * frequent first. In the order of `assessed`, which knows only the cards that the cell has. Reads every org.
 */
export function countBadInputs(
  reader: SourceReader,
  { editions, lightAgents }: { readonly editions: readonly string[]; readonly lightAgents: LightAgents },
): Promise<readonly ReasonCount[]> {
  return reader.rows<ReasonCount>(
    `select q.reason, count(*)::text as orgs from (
       select case
         when s.paid is null then 'null_paid'
         when s.agents is null then 'null_agents'
         when s.light_agents is null and :light_agents_counted then 'null_light_agents'
         when s.additional_credits is null then 'null_additional_credits'
         when s.created_at is null then 'null_created_at'
         when s.agents < 0 then 'negative_agents'
         when s.light_agents < 0 then 'negative_light_agents'
         when s.additional_credits < 0 then 'negative_additional_credits'
         when s.negotiated_limit < 0 then 'negative_legacy_limit'
       end as reason
       from credit_rollout.source_orgs s where s.edition = any (:editions::text[])
     ) q where q.reason is not null group by q.reason order by count(*) desc, q.reason`,
    { light_agents_counted: lightAgents === 'counted', editions },
  );
}

/** Ids of some orgs of the source: for the database only. */
export async function listSampledOrgs(reader: SourceReader): Promise<readonly string[]> {
  return (await reader.rows<{ readonly id: string }>(SAMPLED_ORGS.sql, SAMPLED_ORGS.values)).map(({ id }) => id);
}

/** Reads what a decision needs of one org, to see whether that fails. */
export async function readOrg(reader: SourceReader, id: string): Promise<void> {
  const of = 'from credit_rollout.source_orgs where org_id = :id::credit_rollout.org_id';
  await reader.rows(`select count((${READ_COLUMNS}))::int ${of}`, { id });
}

/**
 * The operator's query that must be true before a bake may end: one query, which reads only. True when the first column
 * of its only row is true; false for anything else.
 */
export async function runBakeQuery(tx: CellTransaction, sql: string): Promise<boolean> {
  await beginReadOnly(tx);
  return (await readCheckQuery(tx, sql)) === true;
}

/** The same for `doctor`, whose login may be the one of `init`. */
export const tryBakeQuery = async (reader: SourceReader, sql: string): Promise<boolean> =>
  isTrue(await reader.foreign(sql, 2));

const isTrue = ([row, ...others]: readonly Readonly<Record<string, unknown>>[]): boolean =>
  row !== undefined && others.length === 0 && Object.values(row)[0] === true;
