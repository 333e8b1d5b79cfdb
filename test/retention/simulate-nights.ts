// Nights one after the other, with the engine's own functions on real databases. The clock of a database cannot be
// turned, so everything that is stored becomes a day older.
import { purgeService } from '../../jobs/purge.job.js';
import { findNight } from '../../src/domain/calendar/decide-nights.js';
import { localDate } from '../../src/domain/time/local-date.js';
import { applyBatches } from '../../src/engine/batch/apply-batches.js';
import type { EngineContext } from '../../src/engine/context.js';
import { endMaintenance } from '../../src/engine/reconcile/end-maintenance.js';
import { closeMaintenance, openMaintenance } from '../../src/engine/reconcile/maintenance-fence.js';
import { startMaintenance } from '../../src/engine/reconcile/start-maintenance.js';
import { serveMessage } from '../../src/engine/worker/serve-cell.js';
import { type DataCenterRow, listDataCenters } from '../../src/stores/control/data-centers.js';
import { saveDueChange } from '../../src/stores/control/due-work.js';
import { listMaintenance } from '../../src/stores/control/maintenance.js';
import type { Fleet } from '../support/fleet.js';
import type { Sql } from '../support/invariants.js';

const SCHEMAS = ['credit_rollout', 'credit_rollout_control'] as const;

/** Rows of every table of ours that has any, by schema and name. */
export type Counts = Readonly<Record<string, number>>;

interface Column {
  readonly relation: string;
  readonly name: string;
  readonly type: 'date' | 'timestamp with time zone';
}

/** The statements that make everything in a database a day older. */
async function writeAgeing(sql: Sql): Promise<string> {
  const columns = (await sql(
    `select format('%I.%I', c.table_schema, c.table_name) as relation, c.column_name as name, c.data_type as type
     from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where t.table_type = 'BASE TABLE' and c.table_schema = any ($1) and c.data_type in ('date', 'timestamp with time zone')`,
    [SCHEMAS],
  )) as unknown as readonly Column[];
  const updates = columns.map(({ relation, name, type }) =>
    type === 'date'
      ? // a date may be part of a key: over a place where no other is
        `update ${relation} set ${name} = ${name} - 1000000; update ${relation} set ${name} = ${name} + 999999;`
      : `update ${relation} set ${name} = ${name} - interval '1 day' where ${name} is not null;`,
  );
  // an allotment that is older is one that we wrote all the same
  const signed = columns.some(({ relation }) => relation === 'credit_rollout.allotments')
    ? 'update credit_rollout.allotments a set checksum = credit_rollout.checksum_of(a);'
    : '';
  return `begin; set local session_replication_role = replica; ${updates.join('\n')} ${signed} commit`;
}

export interface Nights {
  /** One more day is over, with its night and the purge of a scheduler. */
  next(): Promise<void>;
  count(): Promise<Counts>;
}

export async function simulateNights(fleet: Fleet): Promise<Nights> {
  const databases = [fleet.control, ...fleet.cells.map(({ sql }) => sql)];
  const ageing = await Promise.all(databases.map(async (sql) => ({ sql, text: await writeAgeing(sql) })));
  const purge = purgeService(fleet.engine);
  return {
    next: async () => {
      for (const { sql, text } of ageing) await sql(text);
      await runNight(fleet, fleet.config.reconcile.at);
      await purge.runOnce(new AbortController().signal);
    },
    count: async () => Object.assign({}, ...(await Promise.all(databases.map(countRows)))),
  };
}

/** A whole night of each data center, step by step as a scheduler decides it where nothing is in the way. */
async function runNight({ engine, cells }: Fleet, at: string): Promise<void> {
  const { control } = engine;
  for (const { dataCenter } of cells) {
    const { id, zone } = dataCenter;
    const today = localDate(engine.clock.now(), zone);
    const night = findNight(today, { zone, at });
    if (night === null) throw new Error(`${today} has no night in ${zone}`);
    await control.inTransaction((tx) => saveDueChange(tx, id, night));
    const row = await readRow(engine, id);
    await startMaintenance(engine, row, 'reconcile', 'it is due');
    const open = (await control.inTransaction(listMaintenance))(id).open;
    if (open === null) throw new Error('the night did not start');
    await openMaintenance(engine, row, open);
    await serveMessage(engine, { dataCenter: id, epoch: open.epoch, kind: 'detect' });
    await applyBatches(engine, { dataCenter: id, epoch: open.epoch, forMs: 60_000 });
    await closeMaintenance(engine, row, open, 'nothing is left');
    const end = { state: 'done', reason: 'nothing is left' } as const;
    if (!(await endMaintenance(engine, await readRow(engine, id), open, end))) throw new Error('the night did not end');
  }
}

async function readRow({ control }: Pick<EngineContext, 'control'>, id: string): Promise<DataCenterRow> {
  const row = (await control.inTransaction(listDataCenters)).find((one) => one.id === id);
  if (row === undefined) throw new Error(`no data center ${id}`);
  return row;
}

/** The tables of our schemas. */
export async function listTables(sql: Sql): Promise<readonly string[]> {
  const rows = await sql(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and n.nspname = any ($1) order by 1`,
    [[...SCHEMAS, 'bullmq']],
  );
  return rows.map(({ name }) => String(name));
}

async function countRows(sql: Sql): Promise<Counts> {
  const tables = await listTables(sql);
  const [row] = await sql(
    `select ${tables.map((name) => `(select count(*) from ${name})::int as "${name}"`).join(', ')}`,
  );
  return row as Counts;
}
