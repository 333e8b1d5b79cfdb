// When the change feed must not write, what it must not lose, and what must not stop it.
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { type FeedOutcome, feedChanges } from '../../../src/engine/feed/feed-changes.js';
import { freezeCell, unfreezeCell } from '../../../src/stores/cell/batch/freezes.js';
import { FEED_LOCK, LOCK_CLASS } from '../../../src/stores/cell/cell-database.js';
import { hasLockWait, openRun, type TestCell, type TestCellOptions } from '../../support/cell.js';
import { waitFor } from '../../support/wait.js';
import { closeFeed, createFedCell, edit, type FeedBy, openFeed, readTotal } from './feed-cell.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function makeFed(by: FeedBy, options: TestCellOptions = { orgs: [{}, {}, {}] }): Promise<TestCell> {
  const cell = await createFedCell(by, options);
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
const feed = (cell: TestCell): Promise<FeedOutcome> =>
  feedChanges(cell.context, cell.dataCenter.id, { pace: 'at_once' });
const totalOf = async (cell: TestCell, orgId: number): Promise<unknown> => (await readTotal(cell, orgId))?.total;
const RAISE = 'additional_credits = additional_credits + 1000';

describe('feedChanges writes nothing', () => {
  const scenes: readonly (readonly [
    string,
    (cell: TestCell) => Promise<unknown>,
    (cell: TestCell) => Promise<unknown>,
  ])[] = [
    ['while single writes are not allowed', closeFeed, openFeed],
    [
      'while the cell is frozen, whatever the fence says',
      ({ cell }) => cell.inTransaction('fencer', (tx) => freezeCell(tx, { by: 'ops', reason: 'test' })),
      ({ cell }) => cell.inTransaction('fencer', (tx) => unfreezeCell(tx, { by: 'ops', reason: null })),
    ],
    [
      'while a run has the fence',
      ({ cell, card }) => openRun(cell, card),
      async (cell) => {
        await cell.sql(`update credit_rollout.fence set state = 'closed'`);
        await openFeed(cell);
      },
    ],
    [
      'under another timeline',
      ({ sql }) => sql(`update credit_rollout.fence set timeline = '000000FF'`),
      ({ sql }) =>
        sql(`update credit_rollout.fence set timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`),
    ],
  ];

  test.each(scenes)('%s, and catches up after it', async (_when, close, reopen) => {
    for (const by of ['triggers', 'updates'] as const) {
      const cell = await makeFed(by);
      await close(cell);
      await edit(cell, 1, RAISE);
      expect(await feed(cell)).toMatchObject({ kind: 'closed', read: 0, raised: 0 });
      expect(await totalOf(cell, 1)).toBe('150000');
      await reopen(cell);
      expect(await feed(cell)).toMatchObject({ kind: 'read', raised: 1 });
      expect(await totalOf(cell, 1)).toBe('151000');
    }
  });

  test('after the exclusive lock was granted, however many edits and checks there are (I9)', async () => {
    const cell = await makeFed('triggers');
    const stopping = new AbortController();
    const repeat = async (act: () => Promise<unknown>): Promise<void> => {
      while (!stopping.signal.aborted) await act();
    };
    const busy = [repeat(() => edit(cell, 1, RAISE)), repeat(() => feed(cell)), repeat(() => feed(cell))];
    const versionOf = async (): Promise<number> => (await readTotal(cell, 1))?.version ?? 0;
    for (let round = 0; round < 5; round += 1) {
      const before = await versionOf();
      await waitFor('raises', async () => (await versionOf()) > before + 2);
      await closeFeed(cell);
      const closedAt = await versionOf();
      const [started] = await cell.sql('select max(change_no)::int as n from credit_rollout.changed_orgs');
      await waitFor('edits meanwhile', async () => {
        const [now] = await cell.sql('select max(change_no)::int as n from credit_rollout.changed_orgs');
        return Number(now?.n) > Number(started?.n ?? 0) + 20;
      });
      expect(await versionOf()).toBe(closedAt);
      await openFeed(cell);
    }
    stopping.abort();
    await Promise.all(busy);
  });

  test('while another worker reads: the notes stay', async () => {
    const cell = await makeFed('triggers');
    await edit(cell, 1, RAISE);
    const other = await makeClient(cell);
    await other.query('begin');
    await other.query('select pg_advisory_xact_lock($1, $2)', [LOCK_CLASS, FEED_LOCK]);
    expect(await feed(cell)).toMatchObject({ kind: 'busy' });
    await other.query('rollback');
    expect(await feed(cell)).toMatchObject({ kind: 'read', read: 1, raised: 1 });
  });

  test('where edits cannot be seen, or our views are detached', async () => {
    const cell = await makeFed('updates');
    await cell.sql('drop view credit_rollout.source_updates cascade');
    expect(await feed(cell)).toMatchObject({ kind: 'off' });
  });
});

describe('feedChanges loses nothing', () => {
  /** As if the last read had been so many seconds ago, with nothing open. */
  const readBefore = (cell: TestCell, seconds: number): Promise<unknown> =>
    cell.sql(
      `update credit_rollout.feed set read_at = clock_timestamp() - make_interval(secs => $1), open_then = '{}',
         read_from = clock_timestamp() - make_interval(secs => $1 + 5)`,
      [seconds],
    );

  test('of a transaction that began before a read and commits after it', async () => {
    const cell = await makeFed('updates');
    await readBefore(cell, 31);
    const late = await makeClient(cell);
    await late.query('begin');
    // it began 30 s ago by its updated_at
    await late.query(
      `update public.orgs set ${RAISE}, updated_at = clock_timestamp() - interval '30 s' where org_id = 2`,
    );
    expect(await feed(cell)).toMatchObject({ kind: 'read', raised: 0 });
    // however long it is open: what was updated since it began is not read again and again
    await cell.sql(`update public.orgs set updated_at = clock_timestamp() - interval '20 s' where org_id = 3`);
    expect(await feed(cell)).toMatchObject({ kind: 'read', read: 0 });
    await late.query('commit');
    expect(await feed(cell)).toMatchObject({ kind: 'read', raised: 1 });
    expect(await totalOf(cell, 2)).toBe('151000');
  });

  test('and does not read everything again and again when no transaction is open', async () => {
    const cell = await makeFed('updates');
    await readBefore(cell, 31);
    await feed(cell);
    const [row] = await cell.sql(
      `select extract(epoch from clock_timestamp() - read_from)::float8 as behind, open_then from credit_rollout.feed`,
    );
    expect(row?.open_then).toEqual({});
    expect(row?.behind).toBeLessThan(8);
  });

  test('of notes that commit out of order', async () => {
    const cell = await makeFed('triggers');
    const late = await makeClient(cell);
    await late.query('begin');
    await late.query(`update public.orgs set ${RAISE} where org_id = 2`);
    await edit(cell, 1, RAISE);
    expect(await feed(cell)).toMatchObject({ read: 1, raised: 1 });
    await late.query('commit');
    expect(await feed(cell)).toMatchObject({ read: 1, raised: 1 });
    expect(await totalOf(cell, 2)).toBe('151000');
  });

  test('of an override that is approved in the same moment', async () => {
    const cell = await makeFed('triggers');
    await edit(cell, 1, RAISE);
    const people = await makeClient(cell);
    // as `begin_override` leaves it, whose seal is no part of this
    await people.query(`begin; set local session_replication_role = replica;
      insert into credit_rollout.overrides (org_id, floor, reason, author, before)
        select org_id, 400000, 'a promise', 'eve', to_jsonb(a) from credit_rollout.allotments a where org_id = 1;
      set local session_replication_role = origin; select set_config('credit_rollout.cause', 'override', true)`);
    await people.query(`update credit_rollout.allotments set floor = 400000, grandfathered_credits = 275000, total_credits = 400000
      where org_id = 1`);
    const fed = feed(cell);
    await waitFor('the feed to wait', () => hasLockWait(cell));
    await people.query('commit');
    await fed;
    await feed(cell);
    expect(await readTotal(cell, 1)).toMatchObject({ total: '401000', floor: '400000' });
  });

  test('of more edits than one page holds', async () => {
    for (const by of ['triggers', 'updates'] as const) {
      const cell = await makeFed(by, { orgs: Array.from({ length: 4_500 }, () => ({})) });
      await cell.sql(`update public.orgs set ${RAISE}, updated_at = now()`);
      expect(await feed(cell)).toMatchObject({ kind: 'read', raised: 4_500 });
    }
  });
});

describe('feedChanges goes on', () => {
  test('past an org whose row cannot be read, through a view', async () => {
    const cell = await makeFed('updates', { view: true, orgs: Array.from({ length: 60 }, () => ({})) });
    await cell.sql(`create or replace view public.orgs as select org_id, edition, paid,
      case when edition = 'poison' then ('x' || agents)::bigint else agents end as agents, light_agents, additional_credits,
      legacy_limit, created_at, updated_at, peak_credits from public.org_rows`);
    await cell.sql(
      `update public.org_rows set ${RAISE}, updated_at = now(), edition = case org_id when 31 then 'poison' else edition end`,
    );
    expect(await feed(cell)).toMatchObject({ kind: 'read', raised: 59 });
    expect(await totalOf(cell, 31)).toBe('150000');
    expect(await totalOf(cell, 60)).toBe('151000');
  });

  test('after edits that cannot be found in time, which it leaves to the night', async () => {
    const cell = await makeFed('updates', { view: true, orgs: [{}, {}] });
    const slow = (seconds: number): Promise<unknown> =>
      cell.sql(`create or replace view public.orgs as select org_id, edition, paid, agents, light_agents, additional_credits,
        legacy_limit, created_at, case when pg_sleep(${seconds}) is null then updated_at else updated_at end as updated_at, peak_credits
        from public.org_rows`);
    await slow(3);
    await edit(cell, 1, RAISE).catch(() => undefined);
    await cell.sql(`update public.org_rows set ${RAISE}, updated_at = now() where org_id = 1`);
    expect(await feed(cell)).toMatchObject({ kind: 'failed', failure: 'too_slow' });
    expect(await cell.sql('select failure from credit_rollout.feed')).toEqual([{ failure: 'too_slow' }]);
    await slow(0);
    await cell.sql(`update public.org_rows set ${RAISE}, updated_at = now() + interval '1 second' where org_id = 2`);
    expect(await feed(cell)).toMatchObject({ kind: 'read', raised: expect.any(Number) });
    expect(await totalOf(cell, 2)).toBe('151000');
    expect(await cell.sql('select failure from credit_rollout.feed')).toEqual([{ failure: null }]);
  });
});
