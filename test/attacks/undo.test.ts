// Kinds 2 and 5. Nobody takes a rollout back alone: the cell computes what is undone, a second person agrees where paid
// orgs fall, control seals the run, and a worker undoes nothing but that.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tick } from '../../src/engine/scheduler/tick.js';
import { CELL_ROLES } from '../../src/stores/cell/cell-database.js';
import { CONTROL_ROLES, type ControlRole } from '../../src/stores/control/roles.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { createPeople, type TestPeople } from '../support/person.js';
import { sealInCell } from '../support/seal-in-cell.js';
import { type Attacker, openAttacker } from './attacker.js';
import { type CellLogins, createCellLogins } from './cell-logins.js';

const DENIED = '42501';
const REFUSED = '23001';
const NOT_NOW = '55000';
const DIGEST = 'a'.repeat(64);
let fleet: Fleet;
let logins: CellLogins;
let crowd: TestPeople;
beforeAll(async () => {
  fleet = await createFleet({ orgs: 120 });
  await fleet.apply(fleet.cell(0));
  await fleet.drive();
  logins = await createCellLogins(fleet.cell(0));
  crowd = await createPeople(fleet, ...CONTROL_ROLES.map((role) => ({ name: role, roles: [role] })));
});
afterAll(async () => {
  await logins.drop();
  await crowd.drop();
  await fleet.drop();
});

const sql = (text: string, params?: readonly unknown[]) => fleet.cell(0).sql(text, params);
const dc = () => fleet.cell(0).dataCenter.id;
const as = (role: ControlRole): Attacker => {
  const person = crowd.people.find(({ name }) => name.startsWith(`${role}_`));
  if (person === undefined) throw new Error(`there is no ${role}`);
  return openAttacker(person.controlUrl, person.name);
};
const seal = (kind: Parameters<typeof sealInCell>[1], content: Readonly<Record<string, unknown>>): Promise<string> =>
  sealInCell(fleet.cell(0).cell, kind, content);
const quoted = (document: string): string => `'${document.replaceAll("'", "''")}'`;
const countAllotments = async () => (await sql('select count(*)::int as n from credit_rollout.allotments'))[0]?.n;

/** A plan of an undo, as an honest login of people makes it. */
async function makePlan(): Promise<{ readonly undoId: string; readonly digest: string }> {
  const [begun] = await logins.override.read(`select credit_rollout.begin_undo_plan('x', 'y') as id`);
  const undoId = String(begun?.id);
  await logins.override.read(`select credit_rollout.plan_undo_range(undo_id, range_no)
    from credit_rollout.undo_ranges where undo_id = ${undoId}`);
  const [made] = await logins.override.read(`select credit_rollout.finish_undo_plan(${undoId}) as digest`);
  return { undoId, digest: String(made?.digest) };
}

describe('no login of a cell', () => {
  test('takes anything back where no undo is open', async () => {
    const before = await countAllotments();
    const [run] = await sql(`select max(run_id) as id from credit_rollout.runs`);
    for (const role of CELL_ROLES)
      for (const statement of [
        'delete from credit_rollout.allotments',
        `select * from credit_rollout.take_back(${run?.id}, 1, '{1}', '{false}', '{9}', '{0}')`,
        `select credit_rollout.lock_undo_range(${run?.id}, 1)`,
        `select credit_rollout.add_undo_range(1, 1, '{}', '{}', '{}', '{}')`,
        `insert into credit_rollout.undo_plans (undoes, author, reason) values (${run?.id}, 'x', 'y')`,
        `update credit_rollout.undo_plans set state = 'accepted'`,
        'delete from credit_rollout.undo_falls',
        `update credit_rollout.runs set undoes = ${run?.id}`,
      ])
        expect([role, statement, await logins[role].attempt(statement)]).toEqual([role, statement, DENIED]);
    expect(await logins.worker.attempt(`select * from credit_rollout.undo_range(${run?.id}, 1)`)).toBe(NOT_NOW);
    expect(await countAllotments()).toBe(before);
  });

  test('accepts an undo in which paid orgs fall without the seal of exactly its approval', async () => {
    const { undoId, digest } = await makePlan();
    const accept = (document: string): string => `select credit_rollout.accept_undo(${undoId}, ${document})`;
    const other = { number: Number(undoId), digest: DIGEST, author: 'x', approver: 'z' };
    for (const document of [
      'null',
      `'{}'`,
      quoted(await seal('undo', other)),
      quoted(await seal('undo', { ...other, number: 999, digest })),
      quoted(await seal('repair', { ...other, digest })),
    ])
      expect(await logins.override.attempt(accept(document))).toBe(REFUSED);
    const honest = quoted(await seal('undo', { ...other, digest }));
    for (const role of CELL_ROLES.filter((one) => one !== 'override'))
      expect(await logins[role].attempt(accept(honest))).toBe(DENIED);
    // and a plan that another one took the place of is accepted no more
    const newer = await makePlan();
    expect(await logins.override.attempt(accept(honest))).toBe(REFUSED);
    expect(newer.undoId).not.toBe(undoId);
  });

  test('finishes a plan with ranges that nobody computed', async () => {
    const [begun] = await logins.override.read(`select credit_rollout.begin_undo_plan('x', 'y') as id`);
    expect(await logins.override.attempt(`select credit_rollout.finish_undo_plan(${begun?.id})`)).toBe(NOT_NOW);
  });

  test('opens the run of an undo without the seal of control, or with one of another plan', async () => {
    const { undoId, digest } = await makePlan();
    const content = { run_id: 10_000, undo_id: Number(undoId), digest, batch_size: 10, lanes: 1 };
    const open = (document: string): string => `select credit_rollout.open_undo(${document})`;
    for (const document of [
      'null',
      quoted(JSON.stringify(content)),
      quoted(await seal('undo', content)),
      quoted(await seal('undo_run', { ...content, digest: DIGEST })),
      // nobody has accepted it
      quoted(await seal('undo_run', content)),
    ])
      expect(await logins.fencer.attempt(open(document))).toBe(REFUSED);
    for (const role of CELL_ROLES.filter((one) => one !== 'fencer'))
      expect(await logins[role].attempt(open(quoted(await seal('undo_run', content))))).toBe(DENIED);
  });
});

describe('in control', () => {
  test('nobody moves a data center to be undone without a request that a run carries out', async () => {
    const toUndoing = `update credit_rollout_control.data_centers set stage = 'undoing' where id = '${dc()}'`;
    expect(await as('operator').attempt(toUndoing)).toBe(DENIED);
    expect(await as('scheduler').attempt(toUndoing)).toBe(REFUSED);
    const ask = `insert into credit_rollout_control.undo_requests (data_center, undo_id, digest, reason)
      values ('${dc()}', 1, '${DIGEST}', 'x')`;
    expect(await as('scheduler').attempt(ask)).toBe(DENIED);
    expect(await as('viewer').attempt(ask)).toBe(DENIED);
    // what no cell has accepted is dropped, and nothing moves
    expect(await as('operator').attempt(ask)).toBe('done');
    expect(await as('scheduler').attempt(toUndoing)).toBe(REFUSED);
    await tick(fleet.engine);
    expect(await fleet.stages()).toEqual(['done']);
    expect(
      await fleet.control('select run_id, ended_at is null as open from credit_rollout_control.undo_requests'),
    ).toEqual([{ run_id: null, open: false }]);
    expect(await as('operator').attempt('delete from credit_rollout_control.undo_requests')).toBe(DENIED);
  });

  test('nobody gets the seal of a run that is not open', async () => {
    for (const role of CONTROL_ROLES) {
      const read = as(role).read('select credit_rollout_control.seal_undo(1) as seal');
      if (role === 'scheduler') expect(await read).toEqual([{ seal: null }]);
      else await expect(read).rejects.toMatchObject({ code: DENIED });
    }
  });
});
