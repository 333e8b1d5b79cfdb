// A tool that rebuilds the product's table gives its name to another one, and our views stay on the old one: whoever
// looks says so, nothing is decided by what the views say, and `init` attaches them again, triggers included.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { explainOrg } from '../../../src/engine/org/explain-org.js';
import { previewDrift } from '../../../src/engine/reconcile/preview-drift.js';
import { requestReconcile } from '../../../src/engine/reconcile/request-reconciliation.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { addSignUpTrigger, installChangeFeed } from '../../../src/engine/setup/triggers.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { cellOwnerName } from '../../../src/stores/cell/cell-database.js';
import { readSourceState } from '../../../src/stores/cell/identity.js';
import { createTestCell, type TestCell } from '../../support/cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { checkCells, closeAll } from '../doctor/doctor-scene.js';

afterEach(closeAll);

const triggers = (cell: TestCell, wanted: 'wanted' | 'as_before') => {
  const options = { dataCenter: cell.dataCenter, clock: systemClock };
  return Promise.all([
    installChangeFeed(cell.cell, { ...options, feed: wanted }),
    addSignUpTrigger(cell.cell, { ...options, trigger: wanted }),
  ]);
};

/** As an online schema tool ends: the copy takes the name of the table in one transaction. */
const rebuild = (cell: TestCell, more = ''): Promise<unknown> =>
  cell.sql(`begin; create table public.orgs_new (like public.orgs including all);
    insert into public.orgs_new select * from public.orgs;
    grant select on public.orgs_new to ${cellOwnerName(cell.dataCenter.id)};
    alter table public.orgs rename to orgs_old; alter table public.orgs_new rename to orgs; ${more} commit`);

describe('a source that was rebuilt', () => {
  let fleet: Fleet;
  let cell: TestCell;
  beforeAll(async () => {
    fleet = await createFleet({ orgs: 250 });
    cell = fleet.cell(0);
    await triggers(cell, 'wanted');
  });
  afterAll(() => fleet.drop());

  const fails = {
    code: 'source_changed',
    message: expect.stringContaining('public.orgs_old, which is not public.orgs'),
  };
  const codes = async () => (await readStatus(fleet.engine)).dataCenters[0]?.holds.map(({ code }) => code);
  const changedOnTheWay = async () => {
    expect(await codes()).toContain('source_changed');
    expect(await cell.sql('select state from credit_rollout.fence')).toEqual([{ state: 'closed' }]);
  };

  test('in the middle of a run stops it before its next batch, and the run goes on after init', async () => {
    await fleet.applyPlan(cell, (await fleet.plan(cell)).planId ?? '');
    await fleet.tickUntil('the canary is over', async () => {
      if ((await fleet.stages())[0] === 'migrating') return true;
      await serveOpenWork(fleet.engine, cell.dataCenter.id);
      return false;
    });
    await rebuild(cell);
    const last = await applyBatches(fleet.engine, { dataCenter: cell.dataCenter.id, epoch: await epoch(), forMs: 0 });
    expect(last).toEqual({ batches: 0, last: { kind: 'fenced' } });
    await fleet.drive();
    await changedOnTheWay();
    await cell.init();
    await triggers(cell, 'as_before');
    expect(await fleet.drive()).toEqual(['done']);
    await fleet.expectInvariants();
  });
  const epoch = async () => BigInt(String((await cell.sql('select epoch from credit_rollout.fence'))[0]?.epoch));

  test('has its triggers on the new table only', async () => {
    const found = await cell.sql(`select tgrelid::regclass::text as "on", count(*)::int as triggers from pg_trigger
      where tgname like 'credit_rollout%' group by 1`);
    expect(found).toEqual([{ on: 'orgs', triggers: 3 }]);
  });

  test('is said by every command and process, and by doctor with the way out', async () => {
    await cell.sql('drop table public.orgs_old');
    await rebuild(cell);
    await cell.sql('update public.orgs set agents = agents + 1000 where org_id = 1');
    const { id } = cell.dataCenter;
    const { engine } = fleet;
    const caps = { maxChanged: null, maxLapsed: null, falls: 'within_limits' } as const;
    await expect(fleet.whatIf(cell)).rejects.toMatchObject(fails);
    await expect(fleet.plan(cell)).rejects.toMatchObject(fails);
    await expect(fleet.apply(cell)).rejects.toMatchObject(fails);
    await expect(verifyDataCenter(engine, id)).rejects.toMatchObject(fails);
    await expect(explainOrg(engine, { dataCenter: id, orgId: '1' })).rejects.toMatchObject(fails);
    await expect(previewDrift(engine, { dataCenter: id, caps, limit: 1 })).rejects.toMatchObject(fails);
    expect(await codes()).toEqual(['source_changed']);
    expect(await feedChanges(engine, id, { pace: 'at_once' })).toMatchObject({ kind: 'off' });
    const doctor = (await checkCells([cell])).filter(({ check }) => check === 'attached');
    expect(doctor).toMatchObject([{ level: 'error', code: 'source_changed' }]);
  });

  test('holds the night until init, which then finds what was edited meanwhile', async () => {
    await requestReconcile(fleet.engine, { dataCenter: cell.dataCenter.id, reason: null });
    await tick(fleet.engine);
    await changedOnTheWay();
    await cell.init();
    await triggers(cell, 'as_before');
    await fleet.drive();
    expect(await codes()).toEqual([]);
    expect(await cell.sql('select agents from credit_rollout.allotments where org_id = 1')).toEqual(
      await cell.sql('select agents from public.orgs where org_id = 1'),
    );
  });
});

const PARTITIONED =
  'alter table public.orgs rename to o; create table public.orgs (like public.o) partition by range (org_id); ' +
  'alter table public.orgs attach partition public.o for values from (1) to (10)';

describe('readSourceState', () => {
  let cell: TestCell;
  beforeAll(async () => {
    cell = await createTestCell();
    await cell.sql('create schema other');
  });
  afterAll(() => cell.drop());
  const state = () => cell.cell.inTransaction('fencer', readSourceState);

  test.each([
    ['a swap and its way back', 'alter table public.orgs rename to o; create table public.orgs ()', 'changed'],
    ['(the way back)', 'drop table public.orgs; alter table public.o rename to orgs', 'attached'],
    ['a table of the name that is gone', 'alter table public.orgs rename to o', 'changed'],
    ['a view in the place of the table', 'create view public.orgs as select * from public.o', 'changed'],
    ['(the way back)', 'drop view public.orgs; alter table public.o rename to orgs', 'attached'],
    ['another schema', 'alter table public.orgs set schema other', 'changed'],
    ['(the way back)', 'alter table other.orgs set schema public', 'attached'],
    ['a schema of another name', 'alter schema public rename to p', 'changed'],
    ['(the way back)', 'alter schema p rename to public', 'attached'],
    ['a rewrite in place, as by pg_repack', 'vacuum full public.orgs', 'attached'],
    ['a table that became a partition of its successor', PARTITIONED, 'changed'],
    ['(the way back)', 'alter table public.orgs detach partition public.o; drop table public.orgs', 'changed'],
    ['(the way back)', 'alter table public.o rename to orgs', 'attached'],
    ['a child, which may hold an id again', 'create table public.c () inherits (public.orgs)', 'changed'],
    ['(the way back)', 'drop table public.c', 'attached'],
    ['a key that is gone', 'alter table public.orgs drop constraint orgs_pkey', 'changed'],
    ['(another one)', 'create unique index orgs_one on public.orgs (org_id)', 'attached'],
    [
      'one of a part of the rows',
      'drop index public.orgs_one; create unique index on public.orgs (org_id) where paid',
      'changed',
    ],
    ['(the way back)', 'create unique index on public.orgs (org_id)', 'attached'],
    ['views that went with another relation', 'drop view credit_rollout.source_orgs cascade', 'detached'],
  ])('%s', async (_, sql, expected) => {
    for (const statement of sql.split('; ')) await cell.sql(statement);
    expect(await state()).toBe(expected);
  });
});
