// The invariants themselves: each one must see the break it is there for, or a green suite means nothing.
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFleet, type Fleet } from './fleet.js';
import { CELL_INVARIANTS, CONTROL_INVARIANTS, findBroken, type Sql } from './invariants.js';
import { LIST_TABLES, traceSql, WATCHED_CELL, WATCHED_CELL_AT_REST, WATCHED_CONTROL } from './invariants-watched.js';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await createFleet({ cells: [{}, {}], orgs: 300 });
  await fleet.apply(...fleet.cells);
  await fleet.drive();
  // history for the invariants on changes
  await fleet.cell(0).sql(`update public.orgs set additional_credits = additional_credits + 1`);
  await fleet.apply(fleet.cell(0));
  await fleet.drive();
});
afterAll(() => fleet.drop());

const OFF = `set local session_replication_role = 'replica'; alter table credit_rollout.allotments drop constraint allotments_promise_check;
  alter table credit_rollout.allotments drop constraint allotments_total_check; alter table credit_rollout.batches drop constraint batches_counts_check;
  alter table credit_rollout.allotments drop constraint allotments_floor_edition_check;`;
const CONTROL_OFF = `set local session_replication_role = 'replica';`;
const WATCHED = { cell: [...WATCHED_CELL, ...WATCHED_CELL_AT_REST], control: WATCHED_CONTROL };
/** Each invariant that saw a break, as id and promise. */
const seen = new Set<string>();
const ALLOTMENTS = 'credit_rollout.allotments';
const LAST = '(select max(run_id) from credit_rollout.runs)';
/** A run that took nothing back. */
const UNDO_NOTHING = `insert into credit_rollout.runs select (u.run).* from (select jsonb_populate_record(r,
    jsonb_build_object('run_id', r.run_id + 1000, 'kind', 'undo', 'undoes', r.run_id, 'plan_id', null)) as run
  from credit_rollout.runs r where r.run_id = ${LAST}) u`;

const CELL_BREAKS = [
  ['I1', `delete from ${ALLOTMENTS} where org_id = 12`],
  ['I4', `delete from public.orgs where org_id = 12`],
  ['I5', `delete from ${ALLOTMENTS} where org_id = 12`],
  ['PROMISE', `update ${ALLOTMENTS} set version = 1, legacy_limit = total_credits + 1 where org_id = 2`],
  ['HISTORY', `update credit_rollout.allotment_changes set version = 3 where org_id = 2`],
  ['HISTORY', `update credit_rollout.allotment_changes set before = before || '{"version": 7}' where org_id = 2`],
  ['COUNTERS', `update credit_rollout.batches set inserted = 0, raised = 0 where run_id = ${LAST}`],
  ['I8', UNDO_NOTHING],
  [
    'I8',
    `${UNDO_NOTHING}; update public.orgs set updated_at = clock_timestamp();
     insert into credit_rollout.batches select (b.copy).* from (select jsonb_populate_record(b, jsonb_build_object(
       'run_id', b.run_id + 1000, 'stale', 0)) as copy from credit_rollout.batches b
     where b.run_id = ${LAST} - 1000 and b.kind = 'range') b`,
  ],
  [
    'I9',
    `insert into credit_rollout.freezes (frozen_at, frozen_by, login, acknowledged_at)
     select '2025-10-30', 'alice', 'alice', '2025-10-30'`,
  ],
  ['I2', `update ${ALLOTMENTS} set grandfathered_credits = 0 where winner = 'legacy'`],
  ['I6', `update ${ALLOTMENTS} set grandfathered_credits = grandfathered_credits + 1 where org_id = 2`],
  ['I2', `update ${ALLOTMENTS} set floor = floor - 1 where org_id = 2`],
  ['I2', `update ${ALLOTMENTS} set floor = null where org_id = 2`],
  ['I3', `update ${ALLOTMENTS} set version = version + 1 where org_id = 2`],
  ['I3', `delete from credit_rollout.allotment_changes where org_id = 2`],
  ['I6', `update ${ALLOTMENTS} set total_credits = total_credits + 1 where org_id = 2`],
  ['I6', `update ${ALLOTMENTS} set winner = 'credits' where winner = 'legacy'`],
  [
    'I7',
    `insert into credit_rollout.allotment_changes (org_id, operation, cause, run_id, version, before)
     select org_id, operation, cause, run_id, version, before from credit_rollout.allotment_changes where org_id = 2`,
  ],
  ['I9', `update credit_rollout.batches set epoch = epoch + 1000 where batch_no = 1 and run_id = ${LAST}`],
  [
    'I9',
    `update credit_rollout.batches set done_at = now() + interval '1 hour' where batch_no = 1 and run_id = ${LAST}`,
  ],
  ['I12', `delete from credit_rollout.batches where batch_no = 2`],
  ['I12', `update credit_rollout.batches set upper_id = null where batch_no = 1`],
  ['I12', `update credit_rollout.batches set lower_id = lower_id - 1 where batch_no = 2`],
  ['I13', `update credit_rollout.batches set timeline = '000000FF', verified_at = null`],
  ['I16', `update ${ALLOTMENTS} set rate_card = 'another' where org_id = 2`],
  ['I16', `update credit_rollout.runs set card_hash = 'another'`],
  ['I22', `update credit_rollout.batches set total_credits = total_credits + 1 where run_id = ${LAST}`],
  ['I22', `update credit_rollout.batches set unchanged = unchanged + 1`],
  ['I24', `update credit_rollout.cell set database_name = 'elsewhere'`],
  ['I24', `update credit_rollout.cell set data_center = 'elsewhere'`],
  ['I11', `update credit_rollout.fence set state = 'open'`],
  ['I11', `update credit_rollout.batches set verified_at = null where run_id = ${LAST}`],
  ['I11', `update credit_rollout.batches set state = 'pending', done_at = null where run_id = ${LAST}`],
  ['I14', `update credit_rollout.fence set epoch = 1000000`],
  ['I21', `insert into credit_rollout.audit_heads values (1, '${'0'.repeat(64)}')`],
  [
    'I17',
    `update credit_rollout.gate set armed_at = '2025-10-30', effective_at = '2025-10-30';
     insert into credit_rollout.sign_ups values (2, 'legacy', '2025-10-30')`,
  ],
  [
    'I17',
    `insert into credit_rollout.sign_ups values (2, 'legacy', '2025-10-29');
     update ${ALLOTMENTS} set origin = 'signup' where org_id = 2`,
  ],
] as const;

const CONTROL_BREAKS = [
  ['I9', `update credit_rollout_control.audit set at = at - interval '1 hour' where action = 'close_fence'`],
  [
    'I10',
    `drop index credit_rollout_control.data_centers_rollout_slot_idx; update credit_rollout_control.data_centers set stage = 'migrating'`,
  ],
  ['I11', `update credit_rollout_control.data_centers set quiet = false`],
  ['I11', `update credit_rollout_control.runs set counts = jsonb_set(counts, '{inserted}', '7')`],
  [
    'I14',
    `update credit_rollout_control.audit set epoch = 1 where seq = (select max(seq) from credit_rollout_control.audit where action = 'open_fence')`,
  ],
  ['I16', `delete from credit_rollout_control.runs`],
  [
    'I19',
    `insert into credit_rollout_control.due_work (data_center, kind, local_date, due_at, due_local, state)
     select id, 'reconcile', '2025-10-30', '2025-11-03', '', 'due' from credit_rollout_control.data_centers`,
  ],
  [
    'I20',
    `alter table credit_rollout_control.approvals drop constraint approvals_two_people_check;
     update credit_rollout_control.approvals set kind = 'person', approver = author`,
  ],
  ['I21', `update credit_rollout_control.audit set reason = 'another' where seq = 3`],
  ['I21', `delete from credit_rollout_control.audit_links where link = 3`],
  [
    'I21',
    `delete from credit_rollout_control.audit_links where link = (select max(link) from credit_rollout_control.audit_links)`,
  ],
  [
    'I23',
    `update credit_rollout_control.data_centers set stage = 'migrating', run_id = 999999, stage_since = now() - interval '1 hour'
       where position = 0;
     update credit_rollout_control.audit set at = at - interval '1 hour';
     update credit_rollout_control.hold_log set since = since - interval '1 hour', until = until - interval '1 hour'`,
  ],
  ['I20', `update credit_rollout_control.data_centers set stage = 'aborted'`],
  ['I20', `delete from credit_rollout_control.audit where action = 'transition' and details ->> 'to' = 'verifying'`],
] as const;

/** What the invariants report inside a transaction that breaks something; it is taken back. */
async function breaksOf(where: 'cell' | 'control', breaking: string): Promise<string> {
  const broken = fleet.cell(0);
  const client = new pg.Client({ connectionString: where === 'cell' ? broken.url : fleet.controlUrl });
  await client.connect();
  const inside: Sql = async (text, params) => (await client.query(text, params && [...params])).rows;
  try {
    await client.query(`begin; ${where === 'cell' ? OFF : CONTROL_OFF} ${breaking}`);
    const cells = fleet.cells.map(({ dataCenter, sql }) => ({ id: dataCenter.id, sql }));
    const first = { id: broken.dataCenter.id, sql: inside };
    const found = await findBroken(
      where === 'cell'
        ? { control: fleet.control, cells: [first, ...cells.slice(1)], also: WATCHED }
        : { control: inside, cells, also: WATCHED },
    );
    for (const sentence of found) seen.add(sentence.replace(/^(\S+) in \S+: (.*); \d+ rows, .*$/su, '$1 $2'));
    return found.join('\n');
  } finally {
    await client.query('rollback');
    await client.end();
  }
}

describe('expectInvariants', () => {
  test('finds nothing in a sound fleet', async () => {
    await fleet.expectInvariants();
    const cells = fleet.cells.map(({ dataCenter, sql }) => ({ id: dataCenter.id, sql }));
    expect(await findBroken({ control: fleet.control, cells, also: WATCHED })).toEqual([]);
  });

  test.each(CELL_BREAKS)('%s sees in a cell: %s', async (id, breaking) => {
    expect(await breaksOf('cell', breaking)).toContain(`${id} in `);
  });

  test.each(CONTROL_BREAKS)('%s sees in control: %s', async (id, breaking) => {
    expect(await breaksOf('control', breaking)).toContain(`${id} in `);
  });

  test('I10 sees two cells whose batches overlap in time', async () => {
    expect(await breaksOf('cell', `update credit_rollout.batches set duration_ms = 3600000`)).toContain('I10 in ');
  });

  test('none of them was never seen to find anything', () => {
    const all = [...CELL_INVARIANTS, ...CONTROL_INVARIANTS, ...WATCHED.cell, ...WATCHED.control];
    const unproven = all.map(({ id, holds }) => `${id} ${holds}`).filter((one) => !seen.has(one));
    expect(unproven).toEqual([]);
  });

  test('I15 sees an id of an org in a table of control, whatever the table', async () => {
    const tables = (await fleet.control(LIST_TABLES)).map(({ name }) => String(name));
    const trace = '770770';
    expect(await fleet.control(traceSql(tables, trace))).toEqual([]);
    await fleet.control(`create table public.notes as select 'org 770770000012' as note`);
    const found = await fleet.control(traceSql([...tables, 'public.notes'], trace));
    await fleet.control('drop table public.notes');
    expect(found).toEqual([{ found: 'public.notes' }]);
  });

  test('left everything as it was', () => fleet.expectInvariants());
});
