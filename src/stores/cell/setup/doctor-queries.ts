// What `doctor` reads of a cell: privileges, migrations, zones, the source through our views. Counts and catalog names only.
import { cellMigrations } from '../../../../migrations/cell/index.js';
import type { QuarantineReason } from '../../../domain/source/org-inputs.js';
import { CELL_ROLES, type CellRole, type CellTransaction, cellRoleName } from '../cell-database.js';
import { assertCellIdentity } from '../identity.js';

/** Throws wrong_cell or cell_is_standby; passes where our schema is not there yet. */
export async function assertRightCell(tx: CellTransaction, dataCenter: string): Promise<void> {
  await assertCellIdentity(async (sql) => (await tx.raw(sql)).rows, dataCenter);
}

/** Names of migrations that the cell lacks; undefined when our schema is not there at all. */
export async function listMissingMigrations(tx: CellTransaction): Promise<readonly string[] | undefined> {
  const found = await tx.raw(`select to_regclass('credit_rollout.migrations') is not null as found`);
  if (!found.rows[0].found) return undefined;
  const { rows } = await tx.raw('select name from credit_rollout.migrations');
  const done = new Set(rows.map((row: { name: string }) => row.name));
  // the id type goes into a migration's text, never into its name
  const all = cellMigrations({ orgIdType: 'bigint', orgIdCollation: null });
  return all.map((migration) => migration.name).filter((name) => !done.has(name));
}

/** Fails like a batch would: without privilege, behind row-level security, where the views are gone. Reads no row. */
export async function probeSource(tx: CellTransaction): Promise<void> {
  await tx.raw('select * from credit_rollout.source_orgs limit 0');
}

/** The same on the relation itself, before our views exist; `relation` is quoted by the catalog. */
export async function probeRelation(tx: CellTransaction, relation: string): Promise<void> {
  await tx.raw(`select * from ${relation.replaceAll('?', '\\?')} limit 0`);
}

/** The login of this connection, quoted for SQL. */
export async function readLogin(tx: CellTransaction): Promise<string> {
  return (await tx.raw(`select format('%I', session_user) as login`)).rows[0].login;
}

/** The GRANTs that let this login read a relation, which the catalog has quoted. */
export async function readSourceGrant(tx: CellTransaction, relation: string): Promise<string> {
  const { rows } = await tx.raw(
    `select format('GRANT USAGE ON SCHEMA %1$I TO %2$I; GRANT SELECT ON %3$s TO %2$I;', n.nspname, session_user, q.relation) as sql
     from (select ?::text as relation) q join pg_class c on c.relkind in ('r', 'p', 'v', 'm', 'f')
     join pg_namespace n on n.oid = c.relnamespace and format('%I.%I', n.nspname, c.relname) = q.relation`,
    [relation],
  );
  return rows[0].sql;
}

export interface EditionCount {
  /** Null: rows without an edition. */
  readonly edition: string | null;
  /** Decimal text. */
  readonly orgs: string;
}

/** Editions of the source that are not among these, the most frequent first, 20 at most. Reads every org. */
export async function listEditionsBeyond(
  tx: CellTransaction,
  editions: readonly string[],
): Promise<readonly EditionCount[]> {
  const { rows } = await tx.raw(
    `select s.edition, count(*)::text as orgs from credit_rollout.source_orgs s
     where s.edition is null or s.edition <> all (?::text[]) group by s.edition order by count(*) desc, s.edition limit 20`,
    [[...editions]],
  );
  return rows;
}

export interface RoleFact {
  readonly role: string;
  readonly exists: boolean;
  /** This login may SET ROLE to it. */
  readonly usable: boolean;
}

const ROLES = `
select w.role, r.oid is not null as exists, coalesce(pg_has_role(session_user, r.oid,
  case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end), false) as usable
from unnest(?::text[]) with ordinality w (role, place) left join pg_roles r on r.rolname = w.role order by w.place`;

/** The cell's roles, in the order of CELL_ROLES. */
export async function listRoles(tx: CellTransaction, dataCenter: string): Promise<readonly RoleFact[]> {
  return (await tx.raw(ROLES, [CELL_ROLES.map((role) => cellRoleName(dataCenter, role))])).rows;
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

// What no role of ours may ever hold, however it came by it: by grant, by membership, or through PUBLIC.
const FORBIDDEN: readonly { readonly role: CellRole; readonly on: string; readonly privileges: readonly string[] }[] = [
  ...CELL_ROLES.map((role) => ({ role, on: PRODUCT, privileges: WRITE })),
  { role: 'worker', on: 'credit_rollout.allotments', privileges: ['delete', 'truncate'] },
  ...(['planner', 'reader', 'fencer'] as const).map((role) => ({
    role,
    on: 'credit_rollout.allotments',
    privileges: WRITE,
  })),
  ...CELL_ROLES.map((role) => ({ role, on: 'credit_rollout.allotment_changes', privileges: WRITE })),
  { role: 'worker', on: 'credit_rollout.overrides', privileges: ['delete', 'truncate'] },
  ...(['planner', 'reader', 'fencer'] as const).flatMap((role) =>
    ['credit_rollout.overrides', 'credit_rollout.protected_orgs'].map((on) => ({ role, on, privileges: WRITE })),
  ),
  // plans only grow, by the planner
  ...['credit_rollout.plans', 'credit_rollout.plan_ranges', 'credit_rollout.plan_groups'].flatMap((on) =>
    CELL_ROLES.map((role) => ({ role, on, privileges: role === 'planner' ? CHANGE : WRITE })),
  ),
  ...(['planner', 'reader', 'fencer'] as const).map((role) => ({
    role,
    on: 'credit_rollout.stale_orgs',
    privileges: WRITE,
  })),
  // the fencer adds a new card's rates; nobody changes any
  ...CELL_ROLES.map((role) => ({ role, on: 'credit_rollout.rates', privileges: role === 'fencer' ? CHANGE : WRITE })),
  ...[
    PRODUCT,
    'credit_rollout.source_orgs',
    'credit_rollout.allotments',
    'credit_rollout.allotment_changes',
    'credit_rollout.overrides',
    'credit_rollout.protected_orgs',
    'credit_rollout.plan_ranges',
    'credit_rollout.plan_groups',
  ].map((on) => ({ role: 'fencer' as const, on, privileges: ['select'] })),
];

const EXCESS = `
select f.role, f.privilege, format('%I.%I', n.nspname, c.relname) as relation
from jsonb_to_recordset(?::jsonb) f (role text, relation text, privilege text)
join pg_class c on c.relkind in ('r', 'p', 'v', 'm', 'f')
join pg_namespace n on n.oid = c.relnamespace and format('%I.%I', n.nspname, c.relname) = f.relation
where has_table_privilege(f.role::name, c.oid, f.privilege)
  or case when f.privilege in ('select', 'insert', 'update') then has_any_column_privilege(f.role::name, c.oid, f.privilege) end
order by f.role, relation, f.privilege`;

/** Privileges that our roles hold and must not; all four roles must exist. `source` is quoted by the catalog. */
export async function listExcessGrants(
  tx: CellTransaction,
  dataCenter: string,
  source: string,
): Promise<readonly ExcessGrant[]> {
  const rows = FORBIDDEN.flatMap(({ role, on, privileges }) =>
    privileges.map((privilege) => ({
      role: cellRoleName(dataCenter, role),
      relation: on === PRODUCT ? source : on,
      privilege,
    })),
  );
  return (await tx.raw(EXCESS, [JSON.stringify(rows)])).rows;
}

/** Whether Postgres knows a zone by exactly this name. */
export async function isZoneKnown(tx: CellTransaction, zone: string): Promise<boolean> {
  const { rows } = await tx.raw('select exists (select from pg_timezone_names where name = ?) as known', [zone]);
  return rows[0].known;
}

/** How Postgres reads a local time and an instant in a zone. */
export interface ZoneReading {
  /** The instant of the local time; of one that exists twice, one of the two. */
  readonly instant: Date;
  /** What a clock shows at the instant: unlike the other way round, never ambiguous. */
  readonly agrees: boolean;
}

/** `local` as YYYY-MM-DDTHH:MM:SS; invariant I18 by the cell's own zone data. */
export async function readLocalInCell(
  tx: CellTransaction,
  at: { readonly local: string; readonly zone: string; readonly instant: Date },
): Promise<ZoneReading> {
  const { rows } = await tx.raw(
    'select ?::timestamp at time zone ? as instant, ?::timestamptz at time zone ? = ?::timestamp as agrees',
    [at.local, at.zone, at.instant.toISOString(), at.zone, at.local],
  );
  return rows[0];
}

// How many orgs nulls and negative numbers set aside, before any run, for `doctor`. Counts only; never an org.

interface ReasonCount {
  readonly reason: QuarantineReason;
  /** Decimal text. */
  readonly orgs: string;
}

/** `counted`: a null in light_agents cannot be decided either. */
type LightAgents = 'counted' | 'uncounted';

/**
 * Orgs of these editions that nulls or negative numbers make undecidable, by the first reason that holds; the most frequent
 * first. In the order of `assessed`, which knows only the cards that the cell has. Reads every org.
 */
export async function countBadInputs(
  tx: CellTransaction,
  { editions, lightAgents }: { readonly editions: readonly string[]; readonly lightAgents: LightAgents },
): Promise<readonly ReasonCount[]> {
  const { rows } = await tx.raw(
    `select q.reason, count(*)::text as orgs from (
       select case
         when s.paid is null then 'null_paid'
         when s.agents is null then 'null_agents'
         when s.light_agents is null and ? then 'null_light_agents'
         when s.additional_credits is null then 'null_additional_credits'
         when s.created_at is null then 'null_created_at'
         when s.agents < 0 then 'negative_agents'
         when s.light_agents < 0 then 'negative_light_agents'
         when s.additional_credits < 0 then 'negative_additional_credits'
         when s.negotiated_limit < 0 then 'negative_legacy_limit'
       end as reason
       from credit_rollout.source_orgs s where s.edition = any (?::text[])
     ) q where q.reason is not null group by q.reason order by count(*) desc, q.reason`,
    [lightAgents === 'counted', [...editions]],
  );
  return rows;
}

// The operator's own question to a cell before a bake may end; read only.

/** True when the query's first column of its only row is true; anything else is not. */
export async function runBakeQuery(tx: CellTransaction, sql: string): Promise<boolean> {
  await tx.raw('set transaction read only');
  const { rows } = await tx.raw(sql.replaceAll('?', '\\?'));
  const first = rows.length === 1 ? Object.values(rows[0])[0] : undefined;
  return first === true;
}
