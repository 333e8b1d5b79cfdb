// Sign-ups on sources that are ordinary views over normalised tables: the product's transaction neither fails nor
// waits, whatever its own time-outs, and a worker writes what was only recorded.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PRODUCT_VIEWS, type ProductView, productTables } from '../../../scripts/bench/product-views.js';
import { writeSignUps } from '../../../src/engine/cutover/write-sign-ups.js';
import { feedChanges } from '../../../src/engine/feed/feed-changes.js';
import { initCell } from '../../../src/engine/setup/init-cell.js';
import type { CellTransaction } from '../../../src/stores/cell/cell-database.js';
import { listRaises } from '../../../src/stores/cell/feed/feed-writes.js';
import { createTestCell, letOwnerRead, type TestCell } from '../../support/cell.js';
import { countRead } from '../feed/feed-cell.js';
import { arm, inMs, latch } from './gate-scene.js';

const ORGS = 20_000;
describe.each(Object.keys(PRODUCT_VIEWS) as ProductView[])('a sign-up on a %s view', (name) => {
  let cell: TestCell;
  let product: pg.Client;
  let role: string;
  let next = ORGS + 1;

  beforeAll(async () => {
    cell = await createTestCell({ init: 'left' });
    const { sql, dataCenter, card } = cell;
    role = `product_${randomBytes(4).toString('hex')}`;
    await sql('drop table public.orgs');
    await sql(productTables(ORGS));
    await sql(`create view public.orgs as ${PRODUCT_VIEWS[name]}`);
    await sql(`create role ${role} login password 'x'; grant insert on accounts, subscriptions, users to ${role}`);
    await letOwnerRead(sql, dataCenter.id);
    await initCell(cell.cell, { dataCenter, card, lapseGraceDays: 30, grant: role });
    await arm(cell, inMs(-1_000));
    expect((await latch(cell)).kind).toBe('latched');
    const url = new URL(cell.url);
    url.username = role;
    url.password = 'x';
    product = new pg.Client({ connectionString: url.href });
    await product.connect();
  });
  afterAll(async () => {
    await product.end();
    await cell.sql(`drop owned by ${role}; drop role ${role}`);
    await cell.drop();
  });

  /** One sign-up, as the product's code has it. */
  async function signUp(timeoutMs: number): Promise<{ id: number; answer: string }> {
    const id = next++;
    await product.query(`begin; set local statement_timeout = ${timeoutMs}`);
    await product.query(`insert into accounts values (${id}, now())`);
    await product.query(`insert into subscriptions values (${id}, 'standard', 'active')`);
    const { rows } = await product.query(`select credit_rollout.onboard_org(${id}) as answer`);
    await product.query('commit');
    return { id, answer: rows[0].answer };
  }
  const unwritten = async (): Promise<number> =>
    Number((await cell.sql('select count(*) as n from credit_rollout.pending_sign_ups'))[0]?.n);
  async function writeAll(): Promise<void> {
    await cell.sql(`update credit_rollout.fence set state = 'closed', single_writes = true,
      timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`);
    for (let rounds = 0; (await unwritten()) > 0; rounds += 1) {
      expect(rounds).toBeLessThan(50);
      await cell.sql('update credit_rollout.sign_up_writer set rest_until = null');
      await writeSignUps(cell.context, cell.dataCenter.id);
    }
  }

  test.each([50, 100, 300])('commits under a time-out of %d ms, and its allotment follows', async (timeoutMs) => {
    const ids: number[] = [];
    for (let n = 0; n < 20; n += 1) {
      const { id, answer } = await signUp(timeoutMs);
      expect(answer).toBe('credits');
      ids.push(id);
    }
    expect(await cell.sql('select count(*)::int as n from accounts where account_id = any ($1)', [ids])).toEqual([
      { n: 20 },
    ]);
    await writeAll();
    expect(
      await cell.sql(
        `select count(*)::int as n, min(origin) as origin from credit_rollout.allotments where org_id = any ($1)`,
        [ids],
      ),
    ).toEqual([{ n: 20, origin: 'signup' }]);
  });

  test('records it and nothing else: the source is not read, and what is rare is not called', async () => {
    const session = new pg.Client({ connectionString: cell.url });
    await session.connect();
    const ask = async (sql: string): Promise<unknown> => (await session.query(sql)).rows;
    const countRead = `select pg_stat_get_xact_blocks_fetched('public.users'::regclass)::int as n`;
    await session.query(`set track_functions = 'all'; begin`);
    const id = next++;
    await session.query(`insert into accounts values (${id}, now())`);
    await session.query(`insert into subscriptions values (${id}, 'standard', 'active')`);
    const before = await ask(countRead);
    expect(await ask(`select credit_rollout.onboard_org(${id}) as answer`)).toEqual([{ answer: 'credits' }]);
    expect(await ask(countRead)).toEqual(before);
    const called = `select funcname from pg_stat_xact_user_functions where schemaname = 'credit_rollout' order by 1`;
    expect(await ask(called)).toEqual([{ funcname: 'onboard_org' }, { funcname: 'sign_up' }]);
    await session.query('commit');
    await session.end();
    await writeAll();
  });

  test('is followed by the change feed when seats are added, which reads one org where a key reaches the view', async () => {
    const { id } = await signUp(1_000);
    await writeAll();
    await cell.sql(`insert into users select 1000000 + n, ${id}, 'full' from generate_series(1, 10) n`);
    await cell.sql(`update accounts set updated_at = now() where account_id = ${id}`);
    // no key reaches below a window over all orgs
    if (name !== 'window') {
      const ask = (tx: CellTransaction) => listRaises(tx, { orgIds: [String(id)], by: 'keys' });
      expect(await countRead(cell, 'users', ask)).toBeLessThan(100);
    }
    expect(await feedChanges(cell.context, cell.dataCenter.id, { pace: 'at_once' })).toMatchObject({ raised: 1 });
  });

  test('stays, and is written later, when the view cannot be read in the time that is left', async () => {
    // as if init had measured a fast source
    await cell.sql('update credit_rollout.cell set one_org_ms = 0');
    await cell.sql('alter view public.orgs rename to orgs_fast');
    const columns = 'org_id, edition, paid, created_at, updated_at, light_agents, agents, additional_credits';
    await cell.sql(`create view public.orgs as select ${columns} from public.orgs_fast`);
    await cell.sql(
      `create or replace view public.orgs_fast as select o.* from (${PRODUCT_VIEWS[name]}) o, pg_sleep(0.2)`,
    );
    const { id, answer } = await signUp(100);
    expect(answer).toBe('credits');
    expect(await cell.sql('select model from credit_rollout.sign_ups where org_id = $1', [id])).toEqual([
      { model: 'credits' },
    ]);
    expect(await unwritten()).toBe(1);
    await cell.sql(`create or replace view public.orgs_fast as ${PRODUCT_VIEWS[name]}`);
    await writeAll();
    expect(await cell.sql('select origin from credit_rollout.allotments where org_id = $1', [id])).toEqual([
      { origin: 'signup' },
    ]);
  });
});
