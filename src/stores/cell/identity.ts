// Which cell a connection leads to. Rejects a URL that leads to the cell of another data center, database or system.
import { RolloutError } from '../../kernel/rollout-error.js';
import { findRow, selectRow } from '../query.js';
import type { CellTransaction } from './cell-database.js';

type Query = (sql: string) => Promise<readonly Record<string, unknown>[]>;

const FACTS = `select current_database() as database_name, pg_is_in_recovery() as standby,
  (select system_identifier::text from pg_control_system()) as system_identifier,
  current_setting('server_version_num')::int as version,
  to_regclass('credit_rollout.cell') is not null as initialised`;

/** Runs on each new connection (I24). A cell without our schema passes: `init` and `doctor` report it. */
export async function assertCellIdentity(query: Query, dataCenter: string): Promise<void> {
  const [facts] = await query(FACTS);
  if (facts?.standby === true)
    throw new RolloutError('cell_is_standby', {
      message:
        `The database of data center "${dataCenter}" is a standby (in recovery); ` +
        'credit-rollout writes only to a primary.',
    });
  if (facts?.initialised !== true) return;
  const [cell] = await query('select data_center, system_identifier, database_name from credit_rollout.cell');
  if (cell === undefined) return;
  const wrong = [
    ['data center', cell.data_center, dataCenter],
    ['database', cell.database_name, facts.database_name],
    ['system', cell.system_identifier, facts.system_identifier],
  ].find(([, stored, expected]) => stored !== expected);
  if (wrong === undefined) return;
  const [name, stored, expected] = wrong;
  throw new RolloutError('wrong_cell', {
    message:
      `The database configured for data center "${dataCenter}" is another cell: ` +
      `its ${name} is "${stored}", expected "${expected}".`,
  });
}

export interface ServerFacts {
  readonly databaseName: string;
  readonly standby: boolean;
  readonly systemIdentifier: string;
  /** server_version_num, e.g. 180004. */
  readonly version: number;
  readonly initialised: boolean;
  readonly synchronousCommit: string;
  /** Cell clock, for doctor's comparison with ours. */
  readonly now: Date;
}

export async function readServerFacts(tx: CellTransaction): Promise<ServerFacts> {
  return selectRow<ServerFacts>(
    tx,
    `${FACTS}, current_setting('synchronous_commit') as synchronous_commit, clock_timestamp() as now`,
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

/** Whether our views are attached to the source; false after `detach`. */
export async function hasAttachedSource(tx: CellTransaction): Promise<boolean> {
  const { attached } = await selectRow<{ readonly attached: boolean }>(
    tx,
    `select to_regclass('credit_rollout.source_orgs') is not null as attached`,
  );
  return attached;
}

/** Instant of the cell's clock, by which everything in it is decided. */
export async function readCellClock(tx: CellTransaction): Promise<Date> {
  const { now } = await selectRow<{ readonly now: Date }>(tx, 'select clock_timestamp() as now');
  return now;
}
