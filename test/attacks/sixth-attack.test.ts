// What a sixth review found in cells: numbers and instants at the end of their types, and roles of the server that
// nobody had thought of.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { applyBatches } from '../../src/engine/batch/apply-batches.js';
import { writeSignUps } from '../../src/engine/cutover/write-sign-ups.js';
import { feedChanges } from '../../src/engine/feed/feed-changes.js';
import { detectDrift } from '../../src/engine/reconcile/detect-drift.js';
import { readProgress } from '../../src/stores/cell/batch/progress.js';
import { findMaintenance } from '../../src/stores/cell/reconcile/maintenance.js';
import { openFeed } from '../engine/feed/feed-cell.js';
import { closeNight, openNight } from '../scenarios/life/night.js';
import { type CellScene, openCellScene } from './cell-scene.js';
import { type ControlScene, openControlScene } from './control-scene.js';

let scene: CellScene;
let control: ControlScene;
beforeAll(async () => {
  [scene, control] = await Promise.all([openCellScene(), openControlScene()]);
});
afterAll(() => Promise.all([scene.drop(), control.drop()]));
afterEach(() => scene.close());

const NUMBERS = ['integer', 'bigint', 'numeric', 'real', 'double precision'];
/** What no login may make too large, or what nothing adds to; see migrations/numbers.ts. */
const NAMES = /(_id|_no|^epoch|_epoch|link|seq|kept|hash|hashes|checksum|digest|number|version|revision|threshold)$/u;
/** Many rows at once, by the rule or with checks of their own. */
const MANY = ['allotments', 'drift', 'plan_ranges', 'quarantine', 'stale_orgs'];
const written = (schema: string): string => `
  select distinct c.relname as "table", a.attname as "column", format_type(a.atttypid, null) as type,
    exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = c.relname || '_zz_numbers'
      and t.tgenabled = 'O' and pg_get_triggerdef(t.oid) ~ ('new\\."?' || a.attname || '\\M')) as bounded
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  cross join lateral (select x.grantee, x.privilege_type from aclexplode(c.relacl) x
    union all select x.grantee, x.privilege_type from aclexplode(a.attacl) x) g
  where c.relnamespace = '${schema}'::regnamespace and c.relkind = 'r' and g.grantee <> c.relowner
    and g.privilege_type in ('INSERT', 'UPDATE') and format_type(a.atttypid, null) = any (array['${NUMBERS.join("','")}'])
  order by 1, 2`;
const names = (found: readonly Record<string, unknown>[]): readonly string[] =>
  found
    .filter(({ bounded, column }) => bounded !== true && !NAMES.test(String(column)))
    .map(({ table, column }) => `${table}.${column}`);

describe('every number that a login may write', () => {
  test('has bounds in control, but for a limit that nothing adds to', async () => {
    expect(names(await control.fleet.control(written('credit_rollout_control')))).toEqual(['check_limits.limit_value']);
  });

  test('has bounds in a cell, but for what the rule gives, and amounts that nothing adds to', async () => {
    const found = names(await scene.cell.sql(written('credit_rollout')));
    expect(found.filter((name) => !MANY.includes(name.split('.')[0] ?? ''))).toEqual([
      'checks.value',
      'exceptions.wanted',
      'overrides.floor',
    ]);
  });

  test('stops nobody at the end of its type: a night, the feed, sign-ups and status go on', async () => {
    const { cell, logins } = scene;
    await cell.sql('update public.orgs set agents = 400 where org_id < 10');
    const epoch = await openNight(cell, { batchSize: 3 });
    const job = { dataCenter: cell.dataCenter.id, epoch };
    const extremes = await cell.sql(written('credit_rollout'));
    const most = { integer: '2147483647', bigint: '9223372036854775807', numeric: `'1e1000'`, real: `'NaN'` };
    /** As a worker's login, each column of these tables at its end, as far as it may. */
    const push = async (tables: readonly string[], value: (type: string) => string | undefined): Promise<void> => {
      for (const { table, column, type } of extremes)
        if (tables.includes(String(table)) && !NAMES.test(String(column)))
          await logins.worker.attempt(
            `update credit_rollout.${table} set ${column} = ${value(String(type)) ?? `'Infinity'`}`,
          );
    };
    const up = (type: string): string | undefined => most[type as keyof typeof most];
    await logins.worker.attempt(`insert into credit_rollout.detections (run_id, pass) values (${epoch}, 1)`);
    await push(['detections', 'throttle', 'sign_up_writer'], up);
    expect(await detectDrift(cell.context, job)).toBe('detected');
    expect((await applyBatches(cell.context, { ...job, forMs: 60_000 })).last).toEqual({ kind: 'nothing_pending' });
    await push(['batches', 'feed'], up);
    await logins.worker.attempt(`update credit_rollout.batches set inserted = 2147483647, orgs = 2147483647`);
    const progress = await cell.cell.inTransaction('fencer', (tx) => findMaintenance(tx, epoch));
    expect(progress).toMatchObject({ detected: true, pending: 0 });
    const { totalCredits } = await cell.cell.inTransaction('fencer', (tx) => readProgress(tx, epoch));
    expect(totalCredits.length).toBeLessThan(40);
    await closeNight(cell, epoch);

    await openFeed(cell);
    await push(['feed'], up);
    await logins.worker.attempt('update credit_rollout.feed set noted_to = -9223372036854775808');
    await cell.sql('update public.orgs set agents = 500, updated_at = now() where org_id < 10');
    await cell.sql('update credit_rollout.feed set failure = null, rest_until = null');
    expect(await feedChanges(cell.context, cell.dataCenter.id, { pace: 'at_once' })).toMatchObject({ raised: 9 });

    await logins.worker.attempt(`update credit_rollout.sign_up_writer set rest_until = '9999-01-01', read_ms = 'NaN'`);
    expect(
      await cell.sql(
        `select rest_until < now() + interval '6 minutes' as soon, read_ms from credit_rollout.sign_up_writer`,
      ),
    ).toEqual([{ soon: true, read_ms: 0 }]);
    await logins.worker.attempt(`update credit_rollout.fence set changed_at = '9999-01-01'`);
    expect(await cell.sql('select changed_at <= clock_timestamp() as past from credit_rollout.fence')).toEqual([
      { past: true },
    ]);
    await writeSignUps(cell.context, cell.dataCenter.id);
  });
});

describe('roles of the server', () => {
  /** A process with one of these can do what its work does not need, and `doctor` says so. */
  const POWERS = [
    ...['pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files'],
    ...['pg_write_all_data', 'pg_read_all_data', 'pg_maintain', 'pg_create_subscription'],
  ];
  /** They decide nothing, read no table and keep no lock. */
  const HARMLESS = {
    pg_database_owner: 'who owns the database has it; nobody can be given it',
    pg_monitor: 'how the server does',
    pg_read_all_settings: 'settings',
    pg_read_all_stats: 'statements of other sessions, whose values are parameters',
    pg_stat_scan_tables: 'reads sizes, with a lock that waits for nobody',
    pg_signal_backend: 'ends sessions: what they had open is undone and done again',
    pg_signal_autovacuum_worker: 'ends a vacuum',
    pg_checkpoint: 'costs time',
    pg_use_reserved_connections: 'connects where others cannot',
  };

  test('are powers, or named as harmless: each that this version has', async () => {
    const found = await scene.cell.sql(`select rolname as name from pg_roles where rolname ~ '^pg_' order by 1`);
    expect(
      found.map(({ name }) => String(name)).filter((name) => !POWERS.includes(name) && !(name in HARMLESS)),
    ).toEqual([]);
  });

  test('are known to whatever records the powers of a login', async () => {
    const bodies = (schema: string): string => `select p.prosrc as body from pg_proc p
      where p.pronamespace = '${schema}'::regnamespace and p.prosrc like '%pg_execute_server_program%'`;
    const found = [
      ...(await scene.cell.sql(bodies('credit_rollout'))),
      ...(await control.fleet.control(bodies('credit_rollout_control'))),
    ];
    expect(found.length).toBeGreaterThanOrEqual(3);
    for (const { body } of found) for (const power of POWERS) expect(body).toContain(`'${power}'`);
  });
});
