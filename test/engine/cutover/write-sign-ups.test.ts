// Writing the sign-ups that wait where a key does not reach the inside of the view: many with one read, the others beside
// one that cannot be read, and no lock of the fence while the source is read.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { decideSignUpRest, explainSignUpsWait } from '../../../src/domain/cutover/sign-up-writing.js';
import { nameReading, type ReadTimes } from '../../../src/domain/source/read-times.js';
import { writeSignUps } from '../../../src/engine/cutover/write-sign-ups.js';
import { checkSignUps } from '../../../src/engine/doctor/check-source.js';
import { createFindingRecorder } from '../../../src/engine/doctor/finding.js';
import {
  readWaitingSignUps,
  type WrittenSignUps,
  writePendingSignUps,
} from '../../../src/stores/cell/cutover/pending-sign-ups.js';
import { measureOneOrg, measureOrgList, saveReadTimes } from '../../../src/stores/cell/setup/read-times.js';
import { findSource } from '../../../src/stores/cell/setup/source.js';
import { createTestCell, type TestCell } from '../../support/cell.js';
import { waitFor } from '../../support/wait.js';
import { arm, inMs, latch } from './gate-scene.js';

let cell: TestCell;
let next = 1;
const COLUMNS = 'org_id, edition, paid, light_agents, additional_credits, legacy_limit, created_at';

beforeAll(async () => {
  cell = await createTestCell({ view: true });
  await arm(cell, inMs(-1_000));
  expect((await latch(cell)).kind).toBe('latched');
});
afterAll(() => cell.drop());
beforeEach(async () => {
  await setView('agents');
  await cell.sql(`truncate credit_rollout.pending_sign_ups;
    update credit_rollout.sign_up_writer set rest_until = null, read_ms = null, failure = null;
    update credit_rollout.cell set one_org_ms = 500;
    update credit_rollout.fence set state = 'closed', single_writes = true,
      timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`);
});

/** A clock that is being set right by a time server may count a sleep a little shorter than it was. */
const SLEWED = 0.95;

/** The agents of every org, and what is read beside them. */
const setView = (agents: string, beside = ''): Promise<unknown> =>
  cell.sql(`do $$ declare columns text := (select string_agg(case attname when 'agents' then $x$(${agents})::bigint$x$
      else quote_ident(attname) end || ' as ' || quote_ident(attname), ', ' order by attnum)
    from pg_attribute where attrelid = 'public.orgs'::regclass and attnum > 0);
    begin execute 'create or replace view public.orgs as select ' || columns || $x$ from org_rows${beside}$x$; end $$`);

/** Recorded only, since the source takes long. */
async function signUp(orgs: number): Promise<readonly number[]> {
  const ids = Array.from({ length: orgs }, () => next++);
  await cell.sql(
    `insert into org_rows (${COLUMNS}, agents) select n, 'standard', true, 0, 0, null, now(), 5 from unnest($1::bigint[]) n`,
    [ids],
  );
  await cell.sql('select credit_rollout.onboard_org(n) from unnest($1::bigint[]) n', [ids]);
  return ids;
}
const write = (statementMs = 10_000): Promise<WrittenSignUps> =>
  cell.cell.inTransaction('worker', writePendingSignUps, { statementMs });
const waiting = (): Promise<readonly Record<string, unknown>[]> =>
  cell.sql('select org_id::int as id, tries from credit_rollout.pending_sign_ups order by 1');
const readState = () => cell.cell.inTransaction('state', readWaitingSignUps);
const makeDue = (): Promise<unknown> => cell.sql('update credit_rollout.pending_sign_ups set due_at = now()');
/** What doctor says of those that no worker has written. */
async function find(check: string): Promise<unknown> {
  const source = await cell.cell.asOwner((tx) => findSource(tx, cell.dataCenter.source, cell.dataCenter.id));
  const recorder = createFindingRecorder({ subject: cell.dataCenter.id, title: 'Data center' }, check);
  const [, found] = await checkSignUps({ cell: cell.cell, source }, recorder);
  return found;
}
const BREAKS_AT = (id: number): string => `case when org_id = ${id} then ('n/a' || org_id)::bigint else agents end`;

test('writes hundreds with one read of the source, and rests after it', async () => {
  await setView('agents', ', pg_sleep(0.3)');
  await signUp(300);
  const outcome = await writeSignUps(cell.context, cell.dataCenter.id);
  expect(outcome).toMatchObject({ tried: 300, written: 300, failure: null });
  expect(outcome.restMs).toBeGreaterThanOrEqual(1_200 * SLEWED);
  // the next ones wait until it is over, whichever worker asks
  await signUp(1);
  const resting = await writeSignUps(cell.context, cell.dataCenter.id);
  expect(resting).toMatchObject({ tried: 0, readMs: null });
  expect(resting.restMs).toBeGreaterThan(0);
  const state = await cell.cell.inTransaction('state', readWaitingSignUps);
  expect(state).toMatchObject({ count: 1, failure: null });
  expect(explainSignUpsWait(state, { frozen: false, singleWrites: true, workersAlive: 1 })).toBe('view_takes_long');
});

test('writes all others where one cannot be read, and says that it gave that one up', async () => {
  const [bad = 0] = await signUp(200);
  await setView(BREAKS_AT(bad));
  for (let calls = 0; (await waiting()).length > 1; calls += 1) {
    expect(calls).toBeLessThan(8);
    expect(await write()).toMatchObject({ failure: '22P02' });
  }
  expect(await waiting()).toMatchObject([{ id: bad }]);
  const later = await signUp(2);
  expect(await write()).toMatchObject({ written: 2, failure: null });
  for (let tries = 0; (await readState()).givenUp === null; tries += 1) {
    expect(tries).toBeLessThan(5);
    await makeDue();
    await write();
  }
  expect(await readState()).toMatchObject({ count: 0, since: null, givenUp: { count: 1, why: 'unreadable' } });
  expect(
    await cell.sql('select count(*)::int as n from credit_rollout.allotments where org_id = any ($1::bigint[])', [
      [bad, ...later],
    ]),
  ).toEqual([{ n: 2 }]);
  expect(await find('sign-ups')).toMatchObject({
    level: 'warning',
    found: expect.stringMatching(/^1 sign-up was not written in five tries, .* cannot be read$/u),
  });
  // it is tried again, alone, and what was written is forgotten
  await setView('agents');
  await makeDue();
  expect(await write()).toMatchObject({ tried: 1, written: 1 });
  expect(await readState()).toMatchObject({ givenUp: null });
});

test('says why it gave up: undecidable, absent, left to the night; and forgets what left the source a day ago', async () => {
  const [undecidable = 0, absent = 0, left = 0] = await signUp(3);
  await cell.sql(`update org_rows set edition = 'unheard of' where org_id = ${undecidable};
    delete from org_rows where org_id = ${absent}`);
  await cell.sql(
    `insert into credit_rollout.allotment_changes (org_id, operation, before, version, cause)
    select $1, 'delete', '{}', 1, 'gone'`,
    [left],
  );
  await cell.sql('update credit_rollout.pending_sign_ups set tries = 4');
  expect(await write()).toMatchObject({ tried: 3, written: 0, failure: null });
  expect(
    await cell.sql('select org_id::int as id, why, tries from credit_rollout.pending_sign_ups order by 1'),
  ).toEqual([
    { id: undecidable, why: 'undecidable', tries: 5 },
    { id: absent, why: 'absent', tries: 5 },
    { id: left, why: 'left_to_night', tries: 5 },
  ]);
  expect(await readState()).toMatchObject({ count: 0, givenUp: { count: 3 } });
  await cell.sql(`update credit_rollout.pending_sign_ups set noted_at = now() - interval '25 hours'`);
  await makeDue();
  await write();
  expect((await waiting()).map(({ id }) => id)).toEqual([undecidable, left]);
});

test('goes on with others after one that takes too long', async () => {
  const [slow = 0] = await signUp(1);
  await setView(`case when org_id = ${slow} and pg_sleep(30) is not null then 1 else agents end`);
  expect(await write(300)).toMatchObject({ tried: 1, written: 0, failure: '57014' });
  await signUp(1);
  expect(await write()).toMatchObject({ tried: 1, written: 1, failure: null });
  expect(await waiting()).toEqual([{ id: slow, tries: 1 }]);
});

test('counts no try where no org is the cause, and says the code', async () => {
  const ids = await signUp(3);
  await cell.sql('create table public.hidden (n int); insert into public.hidden values (1)');
  await cell.sql('revoke all on public.hidden from public');
  await cell.sql('create function public.peek() returns bigint language sql as $$ select n from public.hidden $$');
  await setView('agents * peek()');
  expect(await write()).toMatchObject({ tried: 0, written: 0, failure: '42501' });
  expect(await waiting()).toEqual(ids.map((id) => ({ id, tries: 0 })));
  await writeSignUps(cell.context, cell.dataCenter.id);
  await setView('agents');
  expect(await find('sign-ups')).toMatchObject({
    level: 'warning',
    found: expect.stringMatching(/^3 sign-ups wait .*\(42501\)$/u),
  });
});

test('holds no lock of the fence while it reads, and writes nothing that was closed meanwhile', async () => {
  await signUp(2);
  await setView('agents', ', pg_sleep(2)');
  const writing = write();
  await waitFor('the read of the source', async () => {
    const [{ n } = {}] = await cell.sql(
      `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
    );
    return n === 1;
  });
  await cell.sql(`begin; set local lock_timeout = 500; select pg_advisory_xact_lock(1129467724, 0);
    update credit_rollout.fence set single_writes = false; commit`);
  expect(await writing).toMatchObject({ tried: 0, written: 0 });
  expect(await waiting()).toHaveLength(2);
});

test('writes at once what the clock was set back from', async () => {
  await signUp(1);
  await cell.sql(`update credit_rollout.pending_sign_ups set due_at = now() + interval '1 hour';
    update credit_rollout.sign_up_writer set rest_until = now() + interval '1 hour'`);
  expect(await writeSignUps(cell.context, cell.dataCenter.id)).toMatchObject({ written: 1 });
});

test('rests four times as long as a read takes, but not where it is quick, and at most a minute', () => {
  expect([0, 250, 700, 30_000].map((ms) => decideSignUpRest(ms, 999))).toEqual([0, 0, 2_800, 60_000]);
});

test('rests as long as a read takes while more wait than one read decides', () => {
  expect(decideSignUpRest(700, 1_000)).toBe(700);
});

test.each([
  [20, 4],
  [40, 7],
  [200, 1],
])('reads for so many that a list takes a quarter of a second, where one org takes %i ms', async (ms, reads) => {
  await cell.sql('create sequence if not exists public.reads; grant usage on sequence public.reads to public');
  await setView('agents', `, nextval('public.reads')`);
  await signUp(40);
  await cell.sql(`update credit_rollout.cell set one_org_ms = ${ms}; alter sequence public.reads restart`);
  expect(await write()).toMatchObject({ tried: 40, written: 40 });
  expect(await cell.sql('select last_value::int as reads from public.reads')).toEqual([{ reads }]);
});

/** As init does. */
const measure = (): Promise<ReadTimes> =>
  cell.cell.asOwner(async (tx) => {
    const times = { oneOrgMs: await measureOneOrg(tx, 10_000), orgListMs: await measureOrgList(tx, 10_000) };
    await saveReadTimes(tx, times);
    return times;
  });

test('reads small lists where each org takes its time, and one that took too long in parts at once', async () => {
  await signUp(16);
  await setView('agents', ', pg_sleep(0.02)');
  expect(nameReading(await measure())).toBe('together');
  await cell.sql(`create function public.slowly(n bigint) returns bigint language plpgsql stable
    as $$ begin perform pg_sleep(0.06); return n; end $$`);
  await setView('public.slowly(agents)');
  const { oneOrgMs, orgListMs } = await measure();
  expect(oneOrgMs).toBeGreaterThanOrEqual(60 * SLEWED);
  expect(orgListMs).toBeGreaterThanOrEqual(16 * 60 * SLEWED);
  // lists of four, for about a second
  const first = await write();
  expect(first).toMatchObject({ tried: first.written, failure: null });
  expect(first.readMs).toBeLessThan(8 * 60);
  const source = await cell.cell.asOwner((tx) => findSource(tx, cell.dataCenter.source, cell.dataCenter.id));
  const recorder = createFindingRecorder({ subject: cell.dataCenter.id, title: 'Data center' }, 'sign-ups');
  expect((await checkSignUps({ cell: cell.cell, source }, recorder))[0]).toMatchObject({
    level: 'warning',
    found: expect.stringMatching(/, and as long for each other: of more than \d+ at once some follow later than 5 s$/u),
  });
  // as if init had measured a faster one
  await cell.sql('update credit_rollout.cell set one_org_ms = 20, org_list_ms = 100');
  await signUp(40);
  expect(await write(300)).toMatchObject({ written: 0, failure: '57014' });
  const again = await write();
  expect(again).toMatchObject({ tried: again.written, failure: null });
  expect(again.written).toBeGreaterThan(0);
});

test('says of a view that no worker can follow what would help', async () => {
  await signUp(1);
  await setView('agents', ', pg_sleep(0.9)');
  const source = await cell.cell.asOwner((tx) => findSource(tx, cell.dataCenter.source, cell.dataCenter.id));
  const recorder = createFindingRecorder({ subject: cell.dataCenter.id, title: 'Data center' }, 'sign-ups');
  const [found] = await checkSignUps({ cell: cell.cell, source }, recorder);
  expect(found).toMatchObject({
    level: 'warning',
    found: expect.stringMatching(/follows up to \d+ s after its sign-up/u),
  });
});

test.each([
  [{ frozen: true, singleWrites: false }, 'frozen'],
  [{ singleWrites: false, workersAlive: 0 }, 'closed'],
  [{ workersAlive: 0, failure: '57014' }, 'no_worker'],
  [{ failure: '57014' }, 'too_slow'],
  [{ failure: '42501', readMs: 900 }, 'failed'],
  [{ readMs: 900 }, 'view_not_followed'],
  [{ readMs: 900, untriedMs: 60_000 }, 'view_not_followed'],
  [{ readMs: 700, untriedMs: 5_001 }, 'crowd'],
  [{ readMs: 20, untriedMs: 5_001 }, 'crowd'],
  [{ readMs: 20, untriedMs: 5_000 }, 'being_written'],
  [{ readMs: 700 }, 'view_takes_long'],
  [{ readMs: 20 }, 'being_written'],
])('names why they wait: %j', (facts, why) => {
  const none = { frozen: false, singleWrites: true, workersAlive: 1, readMs: null, failure: null, untriedMs: 0 };
  const all = { ...none, ...facts };
  expect(explainSignUpsWait(all, all)).toBe(why);
});
