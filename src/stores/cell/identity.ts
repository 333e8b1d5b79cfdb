// Which cell a connection leads to. Rejects a URL that leads to the cell of another data center, database or system.
import { type Advice, advise, command } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { findRow, selectRow, selectRows } from '../query.js';
import { askServer } from '../refused-function.js';
import type { CellTransaction } from './cell-database.js';

type Query = (sql: string) => Promise<readonly Record<string, unknown>[]>;

// a view of that name is nobody's cell: reading it would run code of whoever made it
const FACTS = `select current_database() as database_name, pg_is_in_recovery() as standby,
  (select system_identifier::text from pg_control_system()) as system_identifier,
  current_setting('server_version_num')::int as version,
  exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'credit_rollout' and c.relname = 'cell' and c.relkind = 'r') as initialised`;

const IDENTITY_FUNCTIONS = 'pg_control_system() or pg_is_in_recovery()';

const RECORDED = 'select data_center, system_identifier, database_name from credit_rollout.cell';

/** As a role: what each of its connections asks. */
export async function readRecordedIdentity(tx: CellTransaction): Promise<void> {
  await selectRows(tx, RECORDED);
}

/**
 * Runs on each new connection (I24). A cell without our schema passes: `init` and `doctor` report it. `wherever`: a
 * cell of the data center that was moved passes too, so that it can be looked at and adopted.
 */
export async function assertCellIdentity(
  query: Query,
  dataCenter: string,
  place: 'as_recorded' | 'wherever' = 'as_recorded',
): Promise<void> {
  const [facts] = await askServer(IDENTITY_FUNCTIONS, () => query(FACTS));
  if (facts?.standby === true)
    throw new RolloutError('cell_is_standby', {
      message:
        `The database of data center "${dataCenter}" is a standby (in recovery); ` +
        'credit-rollout writes only to a primary.',
    });
  if (facts?.initialised !== true) return;
  const [cell] = await query(RECORDED);
  if (cell === undefined) return;
  const wrong = [
    ['data center', cell.data_center, dataCenter],
    ...(place === 'wherever'
      ? []
      : [
          ['database', cell.database_name, facts.database_name],
          ['system', cell.system_identifier, facts.system_identifier],
        ]),
  ].find(([, stored, expected]) => stored !== expected);
  if (wrong === undefined) return;
  const [name, stored, expected] = wrong;
  throw new RolloutError('wrong_cell', {
    message:
      `The database configured for data center "${dataCenter}" is another cell: ` +
      `its ${name} is "${stored}", expected "${expected}".`,
    ...(name !== 'data center' && {
      next: adviseMoved(dataCenter),
    }),
  });
}

export const adviseMoved = (dataCenter: string): Advice => {
  const adopt = command`adopt-cell --dc ${dataCenter}`;
  return advise`Correct its URL in the configuration; if the cell was moved on purpose, run: ${adopt}`;
};

export interface ServerFacts {
  /** Of the database, such as UTF8. */
  readonly encoding: string;
  readonly databaseName: string;
  readonly standby: boolean;
  readonly systemIdentifier: string;
  /** server_version_num, e.g. 180004. */
  readonly version: number;
  readonly initialised: boolean;
  readonly synchronousCommit: string;
  /** It was made read-only: a transaction of its own choice may write. */
  readonly readOnly: boolean;
  /** Cell clock, for doctor's comparison with ours. */
  readonly now: Date;
}

export async function readServerFacts(tx: CellTransaction): Promise<ServerFacts> {
  return askServer(IDENTITY_FUNCTIONS, () =>
    selectRow<ServerFacts>(
      tx,
      `${FACTS}, current_setting('synchronous_commit') as synchronous_commit,
         current_setting('transaction_read_only') = 'on' as read_only, current_setting('server_encoding') as encoding,
         clock_timestamp() as now`,
    ),
  );
}

/** The one row of `credit_rollout.cell`, which `init` writes. */
export interface CellRow {
  readonly dataCenter: string;
  readonly zone: string;
  readonly activeCard: string | null;
  readonly lapseGraceDays: number;
  readonly source: string | null;
  readonly sourceUnique: boolean;
  readonly sourceSignature: string | null;
  /** Local date of the data center, YYYY-MM-DD. */
  readonly today: string;
}

/** Undefined before `init`. */
export async function findCell(tx: CellTransaction): Promise<CellRow | undefined> {
  return findRow<CellRow>(
    tx,
    `select data_center, zone, active_card, lapse_grace_days, source, coalesce(source_unique, false) as source_unique,
       source_signature, (now() at time zone zone)::date::text as today
     from credit_rollout.cell`,
  );
}

/**
 * What our views read: the relation that has the name of the source; none, after `detach`; or another one, since what
 * had the name was renamed or put in another schema, as tools do that build a table again.
 */
export type SourceState = 'attached' | 'detached' | 'changed';

/** The relations that our view is made on, by the name that each has now. */
const READ_BY_US = `
  from pg_catalog.pg_rewrite w
  join pg_catalog.pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
    and d.refclassid = 'pg_class'::regclass and d.refobjid <> w.ev_class
  join pg_catalog.pg_class c on c.oid = d.refobjid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where w.ev_class = to_regclass('credit_rollout.source_orgs')`;

/**
 * SQL: true where an index proves that no two of all the rows that a relation gives have one org_id. The rows of a
 * child table come with those of its parent, whose index does not have them. `relation`: its oid.
 */
export const provesUnique = (relation: string): string => `(
  exists (select from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attname = 'org_id' and i.indkey[0] = a.attnum
    where i.indrelid = ${relation} and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1
      and i.indcollation[0] = a.attcollation)
  and not exists (select from pg_catalog.pg_inherits h
    join pg_catalog.pg_class p on p.oid = h.inhparent and p.relkind = 'r' where h.inhparent = ${relation}))`;

/**
 * SQL: true where the views read what has the name of the source, and its ids are as unique as they were created for.
 */
export const READS_SOURCE = 'credit_rollout.reads_source()';

export async function readSourceState(tx: CellTransaction): Promise<SourceState> {
  const { state } = await selectRow<{ readonly state: SourceState }>(
    tx,
    `select case when to_regclass('credit_rollout.source_orgs') is null then 'detached'
       when ${READS_SOURCE} then 'attached' else 'changed' end as state`,
  );
  return state;
}

/**
 * Throws source_changed where our views read another relation than the one that has the name of the source. Detached
 * views pass.
 */
export async function rejectChangedSource(tx: CellTransaction, dataCenter: string): Promise<void> {
  if ((await readSourceState(tx)) !== 'changed') return;
  const { source, read } = await selectRow<{ readonly source: string; readonly read: string | null }>(
    tx,
    `select k.source, (select min(format('%I.%I', n.nspname, c.relname))${READ_BY_US}) as read
     from credit_rollout.cell k`,
  );
  if (read === source)
    throw new RolloutError('source_changed', {
      message:
        `Data center "${dataCenter}": no index proves any more that an id occurs once in ${source}: one was dropped, ` +
        'or the table has child tables now.',
    });
  throw new RolloutError('source_changed', {
    message:
      `Data center "${dataCenter}": our views read ${read ?? 'another relation'}, which is not ${source} any more: ` +
      'it was renamed, or another table or view has taken its name.',
  });
}

/** Whether the database was made read-only: a transaction of its own choice may write. */
export async function isReadOnly(tx: CellTransaction): Promise<boolean> {
  const { readOnly } = await selectRow<{ readonly readOnly: boolean }>(
    tx,
    `select current_setting('transaction_read_only') = 'on' as read_only`,
  );
  return readOnly;
}

/** Instant of the cell's clock, by which everything in it is decided. */
export async function readCellClock(tx: CellTransaction): Promise<Date> {
  const { now } = await selectRow<{ readonly now: Date }>(tx, 'select clock_timestamp() as now');
  return now;
}
