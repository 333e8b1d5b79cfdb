// The product's relation, found in the catalog by its exact name. No other name in our SQL comes from outside.

import { isContractColumn, type SourceColumn } from '../../../domain/source/source-contract.js';
import { toPastedSql } from '../../../kernel/pasted-sql.js';
import { RolloutError } from '../../../kernel/rollout-error.js';
import { findRow, selectRow, selectRowAndUndo, selectRows } from '../../query.js';
import { type CellTransaction, cellOwnerName } from '../cell-database.js';
import { provesUnique } from '../identity.js';
import type { SourceReader } from './read-source-as.js';

export interface Source {
  /** Quoted by the catalog: `"public"."orgs"`. */
  readonly relation: string;
  readonly kind: 'table' | 'view' | 'materialized view' | 'foreign table';
  readonly columns: ReadonlyMap<string, SourceColumn>;
  /** An index proves that an org_id occurs once: one on org_id alone, of all rows that the relation gives. */
  readonly unique: boolean;
  /** Any index whose first column is org_id: a batch reads only its range. */
  readonly indexed: boolean;
  readonly rowSecurity: boolean;
  /** False: a materialized view that was never refreshed. */
  readonly populated: boolean;
  readonly selectable: boolean;
  /** The GRANTs that let this login read it, for its owner to run. */
  readonly grant: string;
  /** The same for the role that owns our schema; null: it may read it. */
  readonly ownerGrant: string | null;
  /** Differs when a column that we read has another type, or the relation is another one. */
  readonly signature: string;
}

/** `schema.name` or `"Schema.With.Dots"."Name"` into its two exact parts. */
export function parseSourceName(text: string): { schema: string; name: string } {
  const part = '(?:"((?:[^"]|"")+)"|([^".]+))';
  const match = new RegExp(`^${part}\\.${part}$`, 'u').exec(text);
  const schema = (match?.[1] ?? match?.[2])?.replaceAll('""', '"');
  const name = (match?.[3] ?? match?.[4])?.replaceAll('""', '"');
  if (schema === undefined || name === undefined || text.includes('\u0000'))
    throw new RolloutError('invalid_source_name', {
      message: `The source "${text}" is not a name of the form schema.relation.`,
    });
  if (/^(pg_.*|information_schema|credit_rollout)$/u.test(schema))
    throw new RolloutError('invalid_source_name', {
      message: `The source "${text}" is in the system schema "${schema}", which cannot be a source of orgs.`,
    });
  return { schema, name };
}

const KINDS: Readonly<Record<string, Source['kind']>> = {
  r: 'table',
  p: 'table',
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
};

interface RelationRow {
  readonly oid: number;
  readonly relkind: string;
  readonly relation: string;
  readonly rowSecurity: boolean;
  readonly populated: boolean;
  readonly selectable: boolean;
  readonly readGrant: string;
  readonly ownerGrant: string | null;
}

const READ_GRANT = 'GRANT USAGE ON SCHEMA %1$I TO %3$I; GRANT SELECT ON %1$I.%2$I TO %3$I;';

const RELATION = `
select c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) as relation, c.relrowsecurity as row_security,
  c.relispopulated as populated,
  has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as selectable,
  format(:read_grant, n.nspname, c.relname, session_user) as read_grant,
  case when o.rolname is null or not has_schema_privilege(o.oid, n.oid, 'usage')
      or not has_table_privilege(o.oid, c.oid, 'select')
    then format(:read_grant, n.nspname, c.relname, :owner::name) end as owner_grant
from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_roles o on o.rolname = :owner
where n.nspname = :schema and c.relname = :relation and c.relkind in ('r', 'p', 'v', 'm', 'f')`;

const COLUMNS = `
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
  case when t.typtype = 'd' then bt.typname else t.typname end as base,
  t.typtype = 'e' as is_enum,
  case when a.attcollation <> 0 then (
    select format('%I.%I', cn.nspname, co.collname)
    from pg_collation co join pg_namespace cn on cn.oid = co.collnamespace
    where co.oid = a.attcollation and co.collname <> 'default') end as collation
from pg_attribute a
join pg_type t on t.oid = a.atttypid
left join pg_type bt on bt.oid = t.typbasetype
where a.attrelid = :relation_id and a.attnum > 0 and not a.attisdropped
order by a.attnum`;

interface IndexRow {
  readonly isUnique: boolean;
  readonly indexed: boolean;
}

const INDEXES = `
select count(*) > 0 as indexed, ${provesUnique(':relation_id')} as is_unique
from pg_index i
join pg_attribute a on a.attrelid = i.indrelid and a.attname = 'org_id' and i.indkey[0] = a.attnum
where i.indrelid = :relation_id`;

/** Reads the relation from the catalog; throws source_not_found. Does not check its columns. */
export async function findSource(tx: CellTransaction, text: string, dataCenter: string): Promise<Source> {
  const { schema, name } = parseSourceName(text);
  const found = await findRow<RelationRow>(tx, RELATION, {
    schema,
    relation: name,
    owner: cellOwnerName(dataCenter),
    read_grant: READ_GRANT,
  });
  if (found === undefined)
    throw new RolloutError('source_not_found', {
      message: `Data center "${dataCenter}" has no table or view "${text}"; upper and lower case must match, too.`,
    });
  const columns = await selectRows<SourceColumn>(tx, COLUMNS, { relation_id: found.oid });
  const index = await selectRow<IndexRow>(tx, INDEXES, { relation_id: found.oid });
  const signature = columns
    .filter((column) => isContractColumn(column.name)) // extra columns may come and go
    .map((column) => `${column.name} ${column.type}`)
    .join(', ');
  return {
    relation: found.relation,
    kind: KINDS[found.relkind] ?? 'table',
    columns: new Map(columns.map((column) => [column.name, column])),
    unique: index.isUnique,
    indexed: index.indexed || found.relkind === 'v',
    rowSecurity: found.rowSecurity,
    populated: found.populated,
    selectable: found.selectable,
    grant: toPastedSql(found.readGrant),
    ownerGrant: found.ownerGrant === null ? null : toPastedSql(found.ownerGrant),
    signature: `${found.relation}: ${signature}`,
  };
}

/** Whether two spellings name one relation: quoted or not, and cut as Postgres cuts a long name. */
export async function isSameSource(tx: CellTransaction, one: string, other: string): Promise<boolean> {
  const [a, b] = [parseSourceName(one), parseSourceName(other)];
  const { same } = await selectRow<{ same: boolean }>(
    tx,
    `select :schema_a::name = :schema_b::name and :relation_a::name = :relation_b::name as same`,
    { schema_a: a.schema, schema_b: b.schema, relation_a: a.name, relation_b: b.name },
  );
  return same;
}

/** How many rows have no id at all, as decimal text; they can be neither decided nor quarantined. */
export async function countNullIds(tx: CellTransaction): Promise<string> {
  const { nullIds } = await selectRow<{ nullIds: string }>(tx, NULL_IDS);
  return nullIds;
}

const NULL_IDS = 'select null_ids::text from credit_rollout.source_faults';

/** The same for `doctor`, whose login may be the one of `init`. */
export async function countNullIdsAs(reader: SourceReader): Promise<string> {
  const [row] = await reader.rows<{ readonly nullIds: string }>(NULL_IDS);
  return row?.nullIds ?? '0';
}

/** The same for `init`, whose login may be a superuser: nothing in a view can become that login. */
export async function countNullIdsAsOwner(tx: CellTransaction): Promise<string> {
  const { nullIds } = await selectRowAndUndo<{ nullIds: string }>(
    tx,
    'select credit_rollout.count_null_ids()::text as null_ids',
  );
  return nullIds;
}

/** How many orgs our views leave out, as decimal text. */
export async function countLongIdsAs(reader: SourceReader): Promise<string> {
  const [row] = await reader.rows<{ readonly orgs: string }>('select orgs::text from credit_rollout.source_left_out');
  return row?.orgs ?? '0';
}
