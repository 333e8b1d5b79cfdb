// Checks the columns of a relation against the source contract. Pure: the catalog is read elsewhere.
import { MAX_ORG_ID_BYTES } from './org-id.js';

/** A column as the catalog describes it. */
export interface SourceColumn {
  readonly name: string;
  /** As Postgres writes it, for example `bigint` or `character varying(20)`. */
  readonly type: string;
  /** Base type from pg_type, for example `int8` or `varchar`. */
  readonly base: string;
  readonly isEnum: boolean;
  /** Quoted collation of a text column; null when default or not collatable. */
  readonly collation: string | null;
}

export interface SourceFault {
  readonly kind: 'missing' | 'type';
  readonly column: string;
  readonly expected: string;
  /** The type that was found; undefined when the column is missing. */
  readonly found?: string;
}

const INTEGERS = ['int2', 'int4', 'int8'];
const IDS: Readonly<Record<string, string>> = {
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  uuid: 'uuid',
  text: 'text',
  varchar: 'character varying',
};

interface Requirement {
  readonly column: string;
  readonly expected: string;
  readonly accepts: (column: SourceColumn) => boolean;
  readonly required: boolean;
}

const integer = (column: string, required: boolean): Requirement => ({
  column,
  required,
  expected: 'smallint, integer or bigint',
  accepts: ({ base }) => INTEGERS.includes(base),
});
const instant = (column: string, required: boolean): Requirement => ({
  column,
  required,
  expected: 'timestamp with time zone',
  accepts: ({ base }) => base === 'timestamptz',
});

const requirements = (lightAgentsNeeded: boolean): readonly Requirement[] => [
  {
    column: 'org_id',
    required: true,
    expected: 'smallint, integer, bigint, uuid, text or varchar',
    accepts: ({ base }) => Object.hasOwn(IDS, base),
  },
  {
    column: 'edition',
    required: true,
    expected: 'text, varchar or an enum',
    accepts: (c) => c.isEnum || ['text', 'varchar'].includes(c.base),
  },
  { column: 'paid', required: true, expected: 'boolean', accepts: ({ base }) => base === 'bool' },
  integer('agents', true),
  instant('created_at', true),
  integer('light_agents', lightAgentsNeeded),
  integer('additional_credits', false),
  integer('legacy_limit', false),
  instant('updated_at', false),
  integer('peak_credits', false),
];

/** Whether the contract has this column; all others are ignored. */
export function isContractColumn(name: string): boolean {
  return requirements(false).some(({ column }) => column === name);
}

/** Every difference from the contract, in the order of the contract. */
export function checkSourceColumns(
  columns: ReadonlyMap<string, SourceColumn>,
  lightAgentsNeeded: boolean,
): readonly SourceFault[] {
  return requirements(lightAgentsNeeded).flatMap(({ column, expected, accepts, required }): SourceFault[] => {
    const found = columns.get(column);
    if (found === undefined) return required ? [{ kind: 'missing', column, expected }] : [];
    return accepts(found) ? [] : [{ kind: 'type', column, expected, found: found.type }];
  });
}

/** Whether an id of this column can be longer than one that is held: a character has four bytes at most. */
export function canBeLong(column: Pick<SourceColumn, 'base' | 'type'> | undefined): boolean {
  const most = /\((\d+)\)/u.exec(column?.type ?? '')?.[1] ?? Number.POSITIVE_INFINITY;
  return column?.base === 'text' || (column?.base === 'varchar' && Number(most) * 4 > MAX_ORG_ID_BYTES);
}

/** The type of our org_id domain for a source column that passed the check. */
export function orgIdType(column: SourceColumn): string {
  return IDS[column.base] ?? 'text';
}
