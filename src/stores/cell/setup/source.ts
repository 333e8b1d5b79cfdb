// The product's relation, found in the catalog by exact name: no other dynamic identifier exists anywhere.
import { isContractColumn, type SourceColumn } from '../../../domain/source/source-contract.js';
import { RolloutError } from '../../../kernel/rollout-error.js';
import type { CellTransaction } from '../cell-database.js';

export interface Source {
  /** Quoted by the catalog: `"public"."orgs"`. */
  readonly relation: string;
  readonly kind: 'table' | 'view' | 'materialized view' | 'foreign table';
  readonly columns: ReadonlyMap<string, SourceColumn>;
  /** A valid, unconditional unique index on org_id alone. */
  readonly unique: boolean;
  /** Any index whose first column is org_id: a batch reads only its range. */
  readonly indexed: boolean;
  readonly rowSecurity: boolean;
  readonly selectable: boolean;
  /** What lets this login read it, as its owner would type it. */
  readonly grant: string;
  /** Changes when a column that we read changes type, or the relation is another one. */
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
      message: `The source "${text}" lies in the system schema "${schema}", which is never a source of orgs.`,
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

const RELATION = `
select c.oid, c.relkind, format('%I.%I', n.nspname, c.relname) as relation, c.relrowsecurity as row_security,
  has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as selectable,
  format('GRANT USAGE ON SCHEMA %1$I TO %3$I; GRANT SELECT ON %1$I.%2$I TO %3$I;', n.nspname, c.relname, session_user) as read_grant
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = ? and c.relname = ? and c.relkind in ('r', 'p', 'v', 'm', 'f')`;

const COLUMNS = `
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
  case when t.typtype = 'd' then bt.typname else t.typname end as base, t.typtype = 'e' as is_enum,
  case when a.attcollation <> 0 then
    (select format('%I.%I', cn.nspname, co.collname) from pg_collation co join pg_namespace cn on cn.oid = co.collnamespace
     where co.oid = a.attcollation and co.collname <> 'default') end as collation
from pg_attribute a join pg_type t on t.oid = a.atttypid left join pg_type bt on bt.oid = t.typbasetype
where a.attrelid = ? and a.attnum > 0 and not a.attisdropped order by a.attnum`;

const INDEXES = `
select coalesce(bool_or(i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1), false) as uniq, count(*) > 0 as indexed
from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attname = 'org_id' and i.indkey[0] = a.attnum
where i.indrelid = ?`;

/** Reads the relation from the catalog; throws source_not_found. Says nothing yet about its columns. */
export async function findSource(tx: CellTransaction, text: string, dataCenter: string): Promise<Source> {
  const { schema, name } = parseSourceName(text);
  const found = (await tx.raw(RELATION, [schema, name])).rows[0];
  if (found === undefined)
    throw new RolloutError('source_not_found', {
      message: `Data center "${dataCenter}" has no table or view "${text}" (names are matched exactly, upper and lower case included).`,
    });
  const columns = (await tx.raw(COLUMNS, [found.oid])).rows;
  const index = (await tx.raw(INDEXES, [found.oid])).rows[0];
  const signature = columns
    .filter((c: { name: string }) => isContractColumn(c.name)) // extra columns may come and go
    .map((c: { name: string; type: string }) => `${c.name} ${c.type}`)
    .join(', ');
  return {
    relation: found.relation,
    kind: KINDS[found.relkind] ?? 'table',
    columns: new Map(
      columns.map((c: SourceColumn & { is_enum: boolean }) => [
        c.name,
        { name: c.name, type: c.type, base: c.base, isEnum: c.is_enum, collation: c.collation },
      ]),
    ),
    unique: index.uniq,
    indexed: index.indexed || found.relkind === 'v',
    rowSecurity: found.row_security,
    selectable: found.selectable,
    grant: found.read_grant,
    signature: `${found.relation}: ${signature}`,
  };
}

/** Whether two spellings name one relation: quoted or not, and cut as Postgres cuts a long name. */
export async function isSameSource(tx: CellTransaction, one: string, other: string): Promise<boolean> {
  const [a, b] = [parseSourceName(one), parseSourceName(other)];
  const names = [a.schema, b.schema, a.name, b.name];
  return (await tx.raw('select ?::name = ?::name and ?::name = ?::name as same', names)).rows[0].same;
}

/** How many rows have no id at all; they can be neither decided nor quarantined. */
export async function countNullIds(tx: CellTransaction): Promise<string> {
  return (await tx.raw('select null_ids::text from credit_rollout.source_faults')).rows[0].null_ids;
}
