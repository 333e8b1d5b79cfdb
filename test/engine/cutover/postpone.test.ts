// Moving a cut-over on real databases with real logins: two people, the gate of the cell at once, and every rejection.
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../../src/engine/context.js';
import { approvePostponement, proposePostponement } from '../../../src/engine/cutover/postpone.js';
import { withdrawCutoverProposal } from '../../../src/engine/cutover/proposals.js';
import { readCutovers } from '../../../src/engine/cutover/read-cutovers.js';
import { GATE_LOCK, LOCK_CLASS } from '../../../src/stores/cell/cell-database.js';
import { saveGateArmed, saveGateLatched } from '../../../src/stores/cell/cutover/gate.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople, type TestPerson } from '../../support/person.js';
import { sealInCell } from '../../support/seal-in-cell.js';

let fleet: Fleet;
let crowd: TestPeople;
let alice: TestPerson;
let bob: TestPerson;
let dc = '';

beforeAll(async () => {
  fleet = await createFleet({ cells: [{ orgs: [], zone: 'Europe/Berlin' }, { orgs: [] }] });
  crowd = await createPeople(fleet, 'alice', 'bob');
  [alice, bob] = crowd.people as [TestPerson, TestPerson];
  dc = fleet.cell(0).dataCenter.id;
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
});

const OCTOBER = '2098-10-30T00:00:00';
// every test begins with a cut-over that is pinned, far ahead, and not armed
beforeEach(async () => {
  await fleet.control(`set local session_replication_role = replica;
    delete from credit_rollout_control.postponements;
    update credit_rollout_control.rollout set pinned_at = now();
    update credit_rollout_control.data_centers set cutover_at = timestamp '${OCTOBER}' at time zone 'Europe/Berlin',
      cutover_local = '${OCTOBER} Europe/Berlin', not_before_at = null, not_before_local = null, gate_effective_at = null,
      gate_latched_at = null`);
  await fleet.cell(0).sql(`set local session_replication_role = replica;
    update credit_rollout.gate set configured_at = null, configured_set_at = null, armed_at = null, effective_at = null, latched_at = null, swept_at = null`);
});

const propose = (person: { readonly engine: EngineContext }, to: string) =>
  proposePostponement(person.engine, { dataCenter: dc, to, reason: 'the product is late' });
const approve = (person: { readonly engine: EngineContext }, proposalId: bigint) =>
  approvePostponement(person.engine, { kind: 'postponement', dataCenter: dc, proposalId }, 'seen');
const withdraw = (person: { readonly engine: EngineContext }, reason: string) =>
  withdrawCutoverProposal(person.engine, { kind: 'postponement', dataCenter: dc, reason });
const arm = async (at: string) => {
  const { cell } = fleet.cell(0);
  const seal = await sealInCell(cell, 'cutover', { at: new Date(at), local: at, set_at: new Date(0) });
  return cell.inTransaction('fencer', (tx) => saveGateArmed(tx, seal));
};
const gateOf = async () => (await fleet.cell(0).sql('select * from credit_rollout.gate'))[0];
const cutoverOf = async () =>
  (
    await fleet.control('select cutover_at, cutover_local from credit_rollout_control.data_centers where id = $1', [dc])
  )[0];
const PINNED = { cutover_at: new Date('2098-10-29T23:00:00Z'), cutover_local: `${OCTOBER} Europe/Berlin` };
const rejectionOf = (person: { sql: TestPerson['sql'] }, text: string, params?: readonly unknown[]): Promise<unknown> =>
  person.sql(text, params).then(
    () => undefined,
    (error: { code?: unknown; constraint?: unknown }) => error.constraint ?? error.code,
  );
const owner = { sql: (text: string, params?: readonly unknown[]) => fleet.control(text, params) };

describe('a postponement', () => {
  test('moves nothing until a second person approves it, then control and the audit with both instants', async () => {
    const proposed = await propose(alice, '2098-11-03');
    expect(proposed).toMatchObject({
      author: alice.name,
      state: 'proposed',
      toLocal: '2098-11-03T00:00:00 Europe/Berlin',
    });
    expect(proposed.toAt).toEqual(new Date('2098-11-02T23:00:00Z'));
    expect(await cutoverOf()).toEqual(PINNED);
    await expect(approve(alice, proposed.proposalId)).rejects.toMatchObject({ code: 'same_person', exitCode: 7 });
    expect(await cutoverOf()).toEqual(PINNED);
    expect(await approve(bob, proposed.proposalId)).toMatchObject({ state: 'applied', approver: bob.name });
    expect(await cutoverOf()).toEqual({ cutover_at: proposed.toAt, cutover_local: proposed.toLocal });
    const rows = await fleet.control(
      `select actor, action, reason, details ->> 'from_at' as "from", details ->> 'to_at' as "to" from credit_rollout_control.audit
       where action in ('postpone', 'postponed') order by seq`,
    );
    const moved = { from: '2098-10-29T23:00:00.000Z', to: '2098-11-02T23:00:00.000Z' };
    expect(rows).toEqual([
      { actor: alice.name, action: 'postpone', reason: 'the product is late', ...moved },
      { actor: bob.name, action: 'postponed', reason: 'seen', ...moved },
    ]);
    await expect(approve(bob, proposed.proposalId)).rejects.toMatchObject({ code: 'postponement_decided' });
    const [report] = await readCutovers(fleet.engine, [dc]);
    expect(report).toMatchObject({
      state: 'planned',
      cutoverLocal: proposed.toLocal,
      postponements: [{ state: 'applied' }],
    });
  });

  test('moves an armed gate at once, with no scheduler', async () => {
    await arm('2098-10-29T23:00:00Z');
    const { proposalId, toAt } = await propose(alice, '2098-11-03T02:30');
    await approve(bob, proposalId);
    expect(await gateOf()).toMatchObject({
      configured_at: toAt,
      effective_at: toAt,
      configured_local: '2098-11-03T02:30:00 Europe/Berlin',
    });
  });

  test('is rejected without a change when the instant came between proposal and approval', async () => {
    const { proposalId } = await propose(alice, '2098-11-03');
    await arm(new Date(Date.now() - 60_000).toISOString());
    await expect(approve(bob, proposalId)).rejects.toMatchObject({
      code: 'cutover_refused',
      message: expect.stringContaining('it took effect at'),
    });
    expect(await cutoverOf()).toEqual(PINNED);
    await fleet.cell(0).cell.inTransaction('fencer', saveGateLatched);
    await expect(approve(bob, proposalId)).rejects.toMatchObject({
      message: expect.stringContaining('cannot be postponed'),
    });
    await expect(propose(bob, '2098-11-05')).rejects.toMatchObject({ code: 'postponement_open' });
    await withdraw(alice, 'too late');
    await expect(propose(bob, '2098-11-05')).rejects.toMatchObject({
      message: expect.stringContaining('cannot be postponed'),
    });
    expect(await cutoverOf()).toEqual(PINNED);
  });

  test('is rejected while a sign-up holds the armed gate, which it names, and goes through once that has ended', async () => {
    await arm('2098-10-29T23:00:00Z');
    const { proposalId } = await propose(alice, '2098-11-03');
    const signUp = new pg.Client({ connectionString: fleet.cell(0).url, application_name: 'shop' });
    await signUp.connect();
    await signUp.query('begin');
    await signUp.query('select pg_advisory_xact_lock_shared($1, $2)', [LOCK_CLASS, GATE_LOCK]);
    await expect(approve(bob, proposalId)).rejects.toMatchObject({
      code: 'cell_busy',
      message: expect.stringContaining('shop'),
    });
    expect(await cutoverOf()).toEqual(PINNED);
    await signUp.end();
    expect(await approve(bob, proposalId)).toMatchObject({ state: 'applied' });
  });

  test.each([
    ['into the past', '2020-01-01', 'cutover_refused', 'is past'],
    ['to the same instant', '2098-10-30', 'cutover_refused', 'is already its instant'],
    ['into a gap', '2098-03-30T02:30', 'invalid_instant', 'does not exist'],
    ['into an overlap', '2098-10-26T02:30', 'invalid_instant', 'exists twice'],
    ['to no date', 'soon', 'invalid_instant', 'is not a local date or time'],
    ['to an instant with an offset', '2098-11-03T00:00Z', 'invalid_instant', 'carries an offset'],
  ])('is rejected %s', async (_case, to, code, message) => {
    await expect(propose(alice, to)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect(await fleet.control('select * from credit_rollout_control.postponements')).toEqual([]);
  });

  test('is rejected before rollout.notBefore, before anything is pinned, while one is open, and with its cell away', async () => {
    await fleet.control(
      `set local session_replication_role = replica; update credit_rollout_control.data_centers
        set not_before_at = '2098-10-20', not_before_local = 'the 20th'`,
    );
    await expect(propose(alice, '2098-10-19')).rejects.toMatchObject({ message: expect.stringContaining('the 20th') });
    await fleet.control(
      'set local session_replication_role = replica; update credit_rollout_control.rollout set pinned_at = null',
    );
    await expect(propose(alice, '2098-11-03')).rejects.toMatchObject({
      code: 'cutover_refused',
      next: expect.stringContaining('signups.cutover'),
    });
    await fleet.control(
      'set local session_replication_role = replica; update credit_rollout_control.rollout set pinned_at = now()',
    );
    const cells = {
      get: () => {
        throw new Error('ECONNREFUSED');
      },
    };
    await expect(propose({ engine: { ...alice.engine, cells } }, '2098-11-03')).rejects.toThrow();
    await propose(alice, '2098-11-03');
    await expect(propose(bob, '2098-11-04')).rejects.toMatchObject({ code: 'postponement_open', exitCode: 6 });
  });

  test('can be taken back, which moves nothing and lets another be proposed', async () => {
    const { proposalId } = await propose(alice, '2098-11-03');
    await withdraw(bob, 'no');
    await expect(approve(bob, proposalId)).rejects.toMatchObject({ code: 'postponement_decided' });
    await expect(withdraw(bob, 'no')).rejects.toMatchObject({
      code: 'postponement_unknown',
    });
    expect(await cutoverOf()).toEqual(PINNED);
    expect((await propose(bob, '2098-11-04')).proposalId).toBeGreaterThan(proposalId);
  });

  test('is unknown under another data center', async () => {
    const { proposalId } = await propose(alice, '2098-11-03');
    const elsewhere = { kind: 'postponement', dataCenter: fleet.cell(1).dataCenter.id, proposalId } as const;
    await expect(approvePostponement(bob.engine, elsewhere, null)).rejects.toMatchObject({
      code: 'postponement_unknown',
    });
  });
});

describe('the control database', () => {
  const insert = `insert into credit_rollout_control.postponements (data_center, to_at, to_local, reason) values ($1, $2, 'x', 'y') returning *`;

  test('records the session’s user as who proposes and approves, whatever the statement claims', async () => {
    const [row] = await alice.sql(insert, [dc, '2098-11-03']);
    expect(row).toMatchObject({
      author: alice.name,
      from_local: PINNED.cutover_local,
      state: 'proposed',
      approver: null,
    });
    expect(await rejectionOf(alice, `update credit_rollout_control.postponements set state = 'applied'`)).toBe(
      'postponements_two_people_check',
    );
    expect(await rejectionOf(alice, `update credit_rollout_control.postponements set approver = 'eve'`)).toBe('42501');
    expect(
      await rejectionOf(
        alice,
        `insert into credit_rollout_control.postponements (data_center, to_at, to_local, reason, author)
      values ('${dc}', '2098-11-04', 'x', 'y', 'eve')`,
      ),
    ).toBe('42501');
    await bob.sql(`update credit_rollout_control.postponements set state = 'applied'`);
    const [applied] = await fleet.control(
      'select author, approver, decided_at is not null as decided from credit_rollout_control.postponements',
    );
    expect(applied).toEqual({ author: alice.name, approver: bob.name, decided: true });
  });

  test.each([
    ['the past', '2020-01-01', 'postponements_future_check'],
    ['the same instant', '2098-10-29T23:00Z', 'postponements_moves_check'],
  ])('rejects %s', async (_case, to, constraint) => {
    expect(await rejectionOf(owner, insert, [dc, to])).toBe(constraint);
  });

  test('rejects one before the start, and one after the cut-over', async () => {
    await fleet.control(
      `set local session_replication_role = replica; update credit_rollout_control.data_centers set not_before_at = '2098-10-20'`,
    );
    expect(await rejectionOf(owner, insert, [dc, '2098-10-19'])).toBe('postponements_not_before_check');
    await fleet.control(`update credit_rollout_control.data_centers set gate_latched_at = now()`);
    expect(await rejectionOf(owner, insert, [dc, '2098-11-19'])).toBe('postponements_in_time_check');
  });

  test('lets nobody change, delete or decide one twice', async () => {
    await fleet.control(insert, [dc, '2098-11-03']);
    const table = 'credit_rollout_control.postponements';
    expect(await rejectionOf(owner, `update ${table} set to_at = '2098-12-01', state = 'withdrawn'`)).toBe('23001');
    expect(await rejectionOf(owner, `delete from ${table}`)).toBe('23001');
    expect(await rejectionOf(owner, `truncate ${table}`)).toBe('23001');
    await fleet.control(`update ${table} set state = 'withdrawn'`);
    expect(await rejectionOf(owner, `update ${table} set state = 'applied'`)).toBe('23001');
  });

  test('moves a pinned cut-over by its newest approved postponement only', async () => {
    const move = (to: string): string =>
      `update credit_rollout_control.data_centers set cutover_at = ${to} where id = '${dc}'`;
    expect(await rejectionOf(owner, move(`'2098-12-01'`))).toBe('23001');
    expect(await rejectionOf(owner, move('null'))).toBe('23001');
    const first = await propose(alice, '2098-11-03');
    expect(await rejectionOf(owner, move(`'${first.toAt.toISOString()}'`))).toBe('23001');
    await approve(bob, first.proposalId);
    const back = await propose(alice, '2098-10-30');
    await approve(bob, back.proposalId);
    expect(await rejectionOf(owner, move(`'${first.toAt.toISOString()}'`))).toBe('23001');
    expect(await cutoverOf()).toEqual(PINNED);
  });
});
