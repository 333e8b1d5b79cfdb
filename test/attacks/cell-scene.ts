// What the attacks on a cell share: a cell after its rollout, closed again, and a login for each role.
import { applyAll, createTestCell, type TestCell } from '../support/cell.js';
import { type CellLogins, createCellLogins } from './cell-logins.js';

export interface CellScene {
  readonly cell: TestCell;
  readonly logins: CellLogins;
  /** What `applyAll` carried out; its fence is closed. */
  readonly runId: bigint;
  /** Opens the fence for that run again, as its owner. */
  open(): Promise<void>;
  close(): Promise<void>;
  drop(): Promise<void>;
}

/** SQLSTATEs that refuse. */
export const REFUSED = {
  permission: '42501',
  restriction: '23001',
  check: '23514',
  state: '55000',
  locked: '55P03',
  parameter: '22023',
} as const;

/** Orgs 1 to 20: paid, standard, 300 agents, with a floor of 75,000. */
export async function openCellScene(): Promise<CellScene> {
  const cell = await createTestCell({ orgs: Array.from({ length: 20 }, () => ({})) });
  const { runId } = await applyAll(cell);
  const logins = await createCellLogins(cell);
  return {
    cell,
    logins,
    runId,
    open: async () => {
      await cell.sql(`update credit_rollout.runs set state = 'open', ended_at = null, kind = 'migrate'`);
      await cell.sql(`update credit_rollout.fence set state = 'open', failure = null`);
    },
    close: async () => {
      await cell.sql(`update credit_rollout.fence set state = 'closed', single_writes = false`);
      await cell.sql(`update credit_rollout.runs set state = 'done', ended_at = now() where state = 'open'`);
    },
    drop: async () => {
      await logins.drop();
      await cell.drop();
    },
  };
}

/** Everything that a login can put before our names, in its own pg_temp and its search path. */
export const HOSTILE_NAMES: readonly string[] = [
  'create temp table allotments (org_id bigint)',
  'create temp table allotment_changes (org_id bigint)',
  'create temp table fence (run_id bigint, state text, single_writes boolean)',
  `create temp view runs as select 1::bigint as run_id, 'open'::text as state`,
  'create temp table source_orgs (org_id bigint, edition text, paid boolean, agents bigint)',
  'create temp table rates (card_hash text, edition text, base bigint)',
  `create temp view cell as select 'x'::text as active_card, 'UTC'::text as zone, 0 as lapse_grace_days`,
  'create temp view gate as select null::timestamptz as effective_at, now() as swept_at',
  'create domain pg_temp.text as pg_catalog.varchar(3)',
  'create domain pg_temp.bigint as pg_catalog.int4',
  'create domain pg_temp.timestamptz as pg_catalog.date',
  'create domain pg_temp.org_id as pg_catalog.int2',
  'create domain pg_temp.regclass as pg_catalog.oid',
  `create function pg_temp.now() returns pg_catalog.timestamptz language sql as $$ select '1999-01-01'::pg_catalog.timestamptz $$`,
  'create function pg_temp.is_true(pg_catalog.int8, pg_catalog.int8) returns boolean language sql as $$ select true $$',
  'create function pg_temp.pg_has_role(oid, pg_catalog.text) returns boolean language sql as $$ select true $$',
  'create operator pg_temp.< (leftarg = pg_catalog.int8, rightarg = pg_catalog.int8, function = pg_temp.is_true)',
  'create operator pg_temp.>= (leftarg = pg_catalog.int8, rightarg = pg_catalog.int8, function = pg_temp.is_true)',
  'set search_path = pg_temp, public, pg_catalog, credit_rollout',
];
