// A seal is checked when it is used, and again when its transaction commits: who leaves one open does nothing later
// than the seal says.
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openSealScene, SEALED_ACTIONS, type SealedAction, type SealScene } from './seal-scene.js';

const REFUSED = '23001';
/** What can be done again and again. */
const KINDS = ['run', 'maintenance', 'cutover', 'retention'] as const satisfies readonly SealedAction[];
const KEY = 'credit_rollout.seal_key';

let scene: SealScene;
beforeAll(async () => {
  scene = await openSealScene();
});
afterAll(() => scene.drop());
beforeEach(() =>
  scene.cell.rewritePast(`delete from credit_rollout.runs where run_id in (900, 901);
    delete from credit_rollout.used_seals; update credit_rollout.gate set configured_at = null,
      configured_local = null, configured_set_at = null, armed_at = null, effective_at = null`),
);

const useOf = (kind: SealedAction, seal: string): string =>
  `select credit_rollout.${SEALED_ACTIONS[kind].call}('${seal}'::jsonb${SEALED_ACTIONS[kind].more ?? ''})`;

/** Sends these in one transaction of a fencer; `late` after what happens meanwhile. `done`, or the SQLSTATE. */
async function leaveOpen(
  first: readonly string[],
  meanwhile: () => Promise<unknown>,
  ...late: readonly string[]
): Promise<string> {
  const session = await scene.logins.fencer.connect();
  try {
    await session.query('begin');
    for (const statement of first) await session.query(statement);
    await meanwhile();
    for (const statement of late) await session.query(statement);
    return 'done';
  } catch (error) {
    return String((error as pg.DatabaseError).code);
  } finally {
    await session.end();
  }
}

const nothing = async (): Promise<void> => undefined;
const armed = async () => (await scene.cell.sql('select armed_at from credit_rollout.gate'))[0]?.armed_at;

describe.each(KINDS)('the action "%s"', (kind) => {
  test('is done by a transaction that commits in time', async () => {
    expect(await leaveOpen([useOf(kind, await scene.seal(kind))], nothing, 'commit')).toBe('done');
    expect(await scene.cell.sql('select from credit_rollout.seals_in_use')).toEqual([]);
  });

  test('is not done by one that commits when its seal is good no more', async () => {
    const [key] = await scene.cell.sql(`select encode(inner_pad, 'hex') as old from ${KEY}`);
    const change = () => scene.cell.sql(`update ${KEY} set inner_pad = sha256('1') || sha256('2')`);
    expect(await leaveOpen([useOf(kind, await scene.seal(kind))], change, 'commit')).toBe(REFUSED);
    await scene.cell.sql(`update ${KEY} set inner_pad = decode($1, 'hex')`, [key?.old]);
  });
});

describe('an instant that was moved since', () => {
  const soon = () => useOf('cutover', pending);
  let pending: string;
  beforeEach(async () => {
    pending = await scene.seal('cutover', scene.contentOf('cutover'), '300 milliseconds');
  });
  const PAST_ITS_END = `select pg_sleep(0.4)`;

  test('is not armed by a transaction that was left open until its seal had expired', async () => {
    expect(await leaveOpen([soon()], nothing, PAST_ITS_END, 'commit')).toBe(REFUSED);
    expect(await armed()).toBeNull();
  });

  test.each([
    ['all constraints', 'set constraints all immediate'],
    ['this one', 'set constraints credit_rollout.seals_checked_at_commit immediate'],
  ])('is not armed where the check of %s was asked for early', async (_what, early) => {
    expect(await leaveOpen([soon()], nothing, early, PAST_ITS_END, 'commit')).toBe(REFUSED);
    expect(await leaveOpen([early, soon()], nothing, PAST_ITS_END, 'commit')).toBe(REFUSED);
    expect(await armed()).toBeNull();
  });

  test.each([
    ['a trigger of its own table', 'create temp table slow (n integer)', 'insert into slow values (1)'],
    [
      'a trigger of a table of somebody else',
      'create table public.slow (n integer); grant insert on public.slow to public',
      'insert into public.slow values (1)',
    ],
  ])('is not armed by a commit that is delayed by %s', async (_what, make, delay) => {
    const mine = make.includes('temp');
    const trigger = `create constraint trigger wait after insert on slow deferrable initially deferred
      for each row execute function public.wait()`;
    await scene.cell.sql(`create or replace function public.wait() returns trigger language plpgsql as
      'begin perform pg_sleep(0.4); return null; end'`);
    if (!mine) await scene.cell.sql(`${make}; ${trigger.replace('on slow', 'on public.slow')}`);
    expect(await leaveOpen([...(mine ? [make, trigger] : []), soon(), delay], nothing, 'commit')).toBe(REFUSED);
    expect(await armed()).toBeNull();
  });

  test('is not armed by a commit that is delayed by a cursor that outlives it', async () => {
    const cursor = 'declare slow cursor with hold for select pg_sleep(0.4)';
    expect(await leaveOpen([soon(), cursor], nothing, 'commit')).toBe(REFUSED);
    expect(await armed()).toBeNull();
  });
});

describe('a run that was aborted', () => {
  test('is opened again by no login, with the seal that it had neither', async () => {
    const { fencer } = scene.logins;
    const open = useOf('run', await scene.seal('run'));
    expect(await fencer.attempt(open)).toBe('done');
    const set = (state: string) =>
      `update credit_rollout.runs set state = '${state}', ended_at = now() where run_id = 900`;
    expect(await fencer.attempt(set('aborted'))).toBe('done');
    for (const state of ['failed', 'done', 'open']) expect(await fencer.attempt(set(state))).toBe(REFUSED);
    for (const login of ['worker', 'planner', 'reader', 'operator', 'override', 'product', 'stranger'] as const)
      for (const state of ['failed', 'open']) expect(await scene.logins[login].attempt(set(state))).toBe('42501');
    expect(await fencer.attempt(open)).toBe(REFUSED);
    expect(await scene.cell.sql('select state from credit_rollout.runs where run_id = 900')).toEqual([
      { state: 'aborted' },
    ]);
  });
});

describe('every date and instant of a cell', () => {
  // what orgs and batches write; allotments have checks of their own
  const MANY = [
    'allotments',
    'allotment_changes',
    'changed_orgs',
    'feed',
    'pending_sign_ups',
    'sign_ups',
    'undone_allotments',
    'usage_days',
  ];
  test('is one that a program can hold, where few rows are written', async () => {
    const unguarded = await scene.cell.sql(
      `select distinct c.relname from pg_class c
       join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         and a.atttypid in ('date'::regtype, 'timestamptz'::regtype)
       where c.relnamespace = 'credit_rollout'::regnamespace and c.relkind = 'r' and c.relname !~ 'migrations'
         and not exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = c.relname || '_zz_instants'
           and pg_get_triggerdef(t.oid) ~ a.attname)
       order by 1`,
    );
    expect(unguarded.map(({ relname }) => relname).sort()).toEqual([...MANY].sort());
  });

  test('at which a worker was seen is that of the database', async () => {
    const ghost = `insert into credit_rollout.workers (worker_id, seen_at, started_at)
      values ('ghost', 'infinity', '-infinity')`;
    expect(await scene.logins.worker.attempt(ghost, `update credit_rollout.workers set seen_at = 'infinity'`)).toBe(
      'done',
    );
    expect(
      await scene.cell.sql(`select seen_at between now() - interval '1 minute' and clock_timestamp()
        and started_at > now() - interval '1 minute' as now from credit_rollout.workers where worker_id = 'ghost'`),
    ).toEqual([{ now: true }]);
  });
});

describe('every function that uses a seal', () => {
  test('has it checked at the commit too', async () => {
    const callers = await scene.cell.sql(`select p.proname from pg_proc p
      where p.pronamespace = 'credit_rollout'::regnamespace and p.prosrc ~ 'prove_seal' order by 1`);
    expect(callers).toEqual([{ proname: 'check_seal' }, { proname: 'check_seal_at_commit' }]);
  });

  test('is volatile, since it writes what it uses', async () => {
    expect(
      await scene.cell.sql(`select p.proname from pg_proc p where p.pronamespace = 'credit_rollout'::regnamespace
        and p.prosrc ~ '(check_seal|sealed_days)[(]' and p.provolatile <> 'v'`),
    ).toEqual([]);
  });

  test('lets its check hang on no table of somebody else', async () => {
    expect(
      await scene.logins.fencer.attempt(
        'create temp table mine (document jsonb, action text)',
        `create trigger t after insert on mine for each row execute function credit_rollout.check_seal_at_commit()`,
      ),
    ).toBe('42501');
  });
});
