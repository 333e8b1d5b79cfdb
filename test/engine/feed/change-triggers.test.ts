// The triggers run inside the product's writes: they note what the rule reads, and whatever is wrong with ours, the
// product's write goes through.
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { detachCell } from '../../../src/engine/setup/detach-cell.js';
import { installChangeFeed } from '../../../src/engine/setup/triggers.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { createTestCell, hasLockWait, type TestCell, type TestCellOptions } from '../../support/cell.js';
import { explained } from '../../support/explained.js';
import { createFleet } from '../../support/fleet.js';
import { waitFor } from '../../support/wait.js';
import { createFedCell, edit } from './feed-cell.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function makeFed(options: TestCellOptions = { orgs: [{}, {}, {}] }): Promise<TestCell> {
  const cell = await createFedCell('triggers', options);
  dropped.push(cell.drop);
  return cell;
}
async function makeClient(cell: TestCell): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: cell.url });
  client.on('error', () => undefined);
  await client.connect();
  dropped.push(() => client.end());
  return client;
}
const install = ({ cell, dataCenter }: TestCell, clock = systemClock): Promise<boolean> =>
  installChangeFeed(cell, { dataCenter, clock, feed: 'wanted' });
const noted = async (cell: TestCell): Promise<readonly unknown[]> =>
  (await cell.sql('select org_id from credit_rollout.changed_orgs order by change_no')).map((row) => row.org_id);
const triggers = (cell: TestCell): Promise<readonly unknown[]> =>
  cell.sql(`select tgname from pg_trigger where tgname like 'credit_rollout%' and tgrelid = 'public.orgs'::regclass`);
const agentsOf = async (cell: TestCell, orgId: number): Promise<unknown> =>
  (await cell.sql('select agents from public.orgs where org_id = $1', [orgId]))[0]?.agents;

describe('the triggers of the change feed', () => {
  test('note what the rule reads, each org of a statement, and nothing else', async () => {
    const cell = await makeFed();
    await cell.sql('update public.orgs set peak_credits = 7, updated_at = now()');
    await cell.sql('update public.orgs set agents = agents');
    expect(await noted(cell)).toEqual([]);
    await cell.sql('update public.orgs set additional_credits = 5 where org_id > 1');
    expect((await noted(cell)).toSorted()).toEqual(['2', '3']);
    await cell.insertOrgs({ org_id: 77 });
    expect((await noted(cell)).at(-1)).toBe('77');
    await cell.sql('update public.orgs set legacy_limit = null where org_id = 3');
    expect(await noted(cell)).toHaveLength(3);
  });

  test('note nothing before the first run, and no more than a million that nobody reads', async () => {
    const fresh = await createTestCell({ orgs: [{}] });
    dropped.push(fresh.drop);
    await install(fresh);
    await edit(fresh, 1, 'agents = 400');
    expect(await noted(fresh)).toEqual([]);
    const cell = await makeFed();
    await cell.sql('update credit_rollout.feed set noted_to = -1000001');
    await edit(cell, 1, 'agents = 400');
    expect(await noted(cell)).toEqual([]);
  });

  test('work for text ids, editions of an enum, and a product role that has no right of ours', async () => {
    const cell = await createTestCell({ idType: 'text', orgs: [{}, {}], init: 'left' });
    dropped.push(cell.drop);
    await cell.sql(`create type public.edition as enum ('free', 'standard', 'professional')`);
    await cell.sql('alter table public.orgs alter edition type public.edition using edition::public.edition');
    await cell.init();
    await install(cell);
    await cell.sql(`insert into credit_rollout.runs (run_id, kind, card_hash, batch_size, lanes)
      select 1, 'migrate', active_card, 1, 1 from credit_rollout.cell`);
    const role = `product_${cell.dataCenter.id}`;
    await cell.sql(`create role ${role}; grant select, update on public.orgs to ${role}`);
    dropped.push(() => cell.sql(`drop owned by ${role}; drop role ${role}`).then(() => undefined));
    const client = await makeClient(cell);
    await client.query(`set role ${role}`);
    await client.query(`update public.orgs set edition = 'professional' where org_id = 'org-000002'`);
    expect(await noted(cell)).toEqual(['org-000002']);
  });

  test.each([
    ['our table is gone', 'drop table credit_rollout.changed_orgs'],
    [
      'its numbers are used up',
      'alter table credit_rollout.changed_orgs alter change_no set maxvalue 2 restart with 2',
    ],
    ['the state of the feed is gone', 'drop table credit_rollout.feed'],
    [
      'the disk is full',
      `create function public.full() returns trigger language plpgsql as $$ begin raise sqlstate '53100'; end $$;
       create trigger t before insert on credit_rollout.changed_orgs execute function public.full()`,
    ],
    ['a column that it names is gone', 'alter table public.orgs drop column light_agents cascade'],
  ])('never fail the write of the product: %s', async (_what, breakage) => {
    const cell = await makeFed();
    await cell.sql(breakage);
    await cell.sql('update public.orgs set agents = 301 where org_id = 1');
    await cell.sql('update public.orgs set agents = 302 where org_id = 1');
    expect(await agentsOf(cell, 1)).toBe('302');
    await cell.sql(`insert into public.orgs (org_id, edition, paid, agents) values (50, 'free', false, 1)`);
    expect(await agentsOf(cell, 50)).toBe('1');
  });

  test('never make the product wait long for a table of ours that somebody holds', async () => {
    const cell = await makeFed();
    const holder = await makeClient(cell);
    await holder.query('begin; lock table credit_rollout.changed_orgs in access exclusive mode');
    const client = await makeClient(cell);
    await client.query(`set statement_timeout = '1s'`);
    await client.query('update public.orgs set agents = 301 where org_id = 1');
    expect(await agentsOf(cell, 1)).toBe('301');
    await holder.query('rollback');
    expect(await noted(cell)).toEqual([]);
  });
});

describe('installChangeFeed', () => {
  test('waits for a busy table in short attempts, and is idempotent', async () => {
    const cell = await createTestCell({ orgs: [{}] });
    dropped.push(cell.drop);
    const busy = await makeClient(cell);
    await busy.query('begin; update public.orgs set agents = 2');
    let pauses = 0;
    const clock = {
      ...systemClock,
      sleep: async () => {
        pauses += 1;
        // writes of the product go on between two attempts
        await cell.sql('update public.orgs set agents = 3 where org_id = 99');
        if (pauses === 3) await busy.query('commit');
      },
    };
    expect(await install(cell, clock)).toBe(true);
    expect(pauses).toBe(3);
    expect(await triggers(cell)).toHaveLength(2);
    const again = await makeClient(cell);
    await again.query('begin; update public.orgs set agents = 4');
    expect(await install(cell)).toBe(true);
    await again.query('commit');
  });

  test('gives up on a table that is never free, with cell_busy, and leaves nothing', async () => {
    const cell = await createTestCell({ orgs: [{}] });
    dropped.push(cell.drop);
    const busy = await makeClient(cell);
    await busy.query('begin; update public.orgs set agents = 2');
    const clock = { ...systemClock, sleep: async () => undefined };
    await expect(explained(install(cell, clock))).rejects.toMatchObject({ code: 'cell_busy' });
    await busy.query('commit');
    expect(await triggers(cell)).toEqual([]);
  });

  test('rejects a view, and names the other way', async () => {
    const cell = await createTestCell({ orgs: [{}], view: true });
    dropped.push(cell.drop);
    await expect(install(cell)).rejects.toMatchObject({
      code: 'source_not_a_table',
      message: expect.stringContaining('is a view'),
      next: expect.stringContaining('updated_at'),
    });
    expect(
      await installChangeFeed(cell.cell, { dataCenter: cell.dataCenter, clock: systemClock, feed: 'as_before' }),
    ).toBe(false);
  });
});

describe('detachCell', () => {
  test('takes the triggers away with the views, past a busy table, and the table can be altered', async () => {
    const fleet = await createFleet({ orgs: 10 });
    dropped.push(fleet.drop);
    const cell = fleet.cell(0);
    await install(cell);
    const busy = await makeClient(cell);
    await busy.query('begin; update public.orgs set agents = 2 where org_id = 1');
    const detached = detachCell(fleet.engine, cell.dataCenter.id, null);
    await waitFor('an attempt', () => hasLockWait(cell));
    await busy.query('commit');
    expect(await detached).toMatchObject({ changeFeed: true });
    expect(await triggers(cell)).toEqual([]);
    await cell.sql('alter table public.orgs alter agents type int');
    expect(await detachCell(fleet.engine, cell.dataCenter.id, null)).toMatchObject({ changeFeed: false });
  });
});
