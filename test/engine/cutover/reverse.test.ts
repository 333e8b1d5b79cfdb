// Row 43: a cut-over that has happened is taken back by two people; orgs on credits stay, and the next instant is a new
// line.
import { afterEach, describe, expect, test } from 'vitest';
import { approvePostponement, proposePostponement } from '../../../src/engine/cutover/postpone.js';
import { withdrawCutoverProposal } from '../../../src/engine/cutover/proposals.js';
import { proveCutover } from '../../../src/engine/cutover/prove-cutover.js';
import { readCutovers } from '../../../src/engine/cutover/read-cutovers.js';
import { approveReversal, proposeReversal } from '../../../src/engine/cutover/reverse.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { explainOrg } from '../../../src/engine/org/explain-org.js';
import { requestReconcile } from '../../../src/engine/reconcile/request-reconciliation.js';
import { auditCells } from '../../../src/engine/scheduler/audit-cells.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { saveGateArmed } from '../../../src/stores/cell/cutover/gate.js';
import { reverseCutover } from '../../../src/stores/cell/cutover/reversals.js';
import type { TestCell } from '../../support/cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';
import { readLag } from '../../support/stopwatch.js';
import { waitFor } from '../../support/wait.js';
import { areBothModels, countModel, openProduct, type Product, startSignUps } from './sign-ups.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface World {
  readonly fleet: Fleet;
  readonly cell: TestCell;
  readonly dc: string;
  readonly alice: TestPerson;
  readonly bob: TestPerson;
  readonly product: Product;
}

/** A data center that is done; `cutover`: its first line. One whose date has passed is latched and swept too. */
async function makeWorld(cutover: string): Promise<World> {
  const fleet = await createFleet({ orgs: 20, sections: `signups: { cutover: ${cutover} }` });
  closing.push(fleet.drop);
  const crowd = await createPeople(fleet, 'alice', 'bob');
  closing.push(crowd.drop);
  const [alice, bob] = crowd.people;
  if (alice === undefined || bob === undefined) throw new Error('two people were made');
  const cell = fleet.cell(0);
  const product = openProduct(cell.url, 20);
  closing.push(product.close);
  await fleet.apply(cell);
  expect(await fleet.drive()).toEqual(['done']);
  return { fleet, cell, dc: cell.dataCenter.id, alice, bob, product };
}

const HAPPENED = '2025-10-30';
const NEXT = '2098-11-03';

const propose = ({ dc }: World, person: TestPerson, to = NEXT) =>
  proposeReversal(person.engine, { dataCenter: dc, to, reason: 'the product was not ready' });
const approve = ({ dc }: World, person: TestPerson, proposalId: bigint) =>
  approveReversal(person.engine, { kind: 'reversal', dataCenter: dc, proposalId }, 'seen');
const withdraw = ({ dc }: World, person: TestPerson, reason: string) =>
  withdrawCutoverProposal(person.engine, { kind: 'reversal', dataCenter: dc, reason });
async function reverse(world: World, to = NEXT): Promise<void> {
  const { proposalId } = await propose(world, world.alice, to);
  await approve(world, world.bob, proposalId);
}

/** Moves the cut-over to a whole second that is near, and drives until it is swept. */
async function cutOverSoon({ fleet, cell, dc, alice, bob }: World): Promise<void> {
  const aheadMs = 500 + 20 * (await readLag(cell));
  const to = new Date(Math.ceil((systemClock.now().getTime() + aheadMs) / 1_000) * 1_000).toISOString().slice(0, 19);
  const { proposalId } = await proposePostponement(alice.engine, { dataCenter: dc, to, reason: 'now' });
  await approvePostponement(bob.engine, { kind: 'postponement', dataCenter: dc, proposalId }, null);
  await waitFor('the sweep', async () => {
    await fleet.drive();
    return (await cell.sql('select from credit_rollout.gate where swept_at is not null')).length === 1;
  });
}

async function night({ fleet, dc }: World): Promise<void> {
  await requestReconcile(fleet.engine, { dataCenter: dc, reason: null, falls: 'within_limits' });
  await fleet.drive();
}

const gateOf = async ({ cell }: World) =>
  (
    await cell.sql(`select armed_at, effective_at, latched_at, swept_at, configured_at, configured_local,
      (select last_value::int from credit_rollout.gate_latches) as latches from credit_rollout.gate`)
  )[0];
const signUp = async ({ product }: World, orgId: number): Promise<string> =>
  (await product.signUp({ orgId: String(orgId) })).model;
const floorOf = async ({ cell }: World, orgId: number) =>
  (await cell.sql('select floor, origin from credit_rollout.allotments where org_id = $1', [orgId]))[0];
const refusal = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => undefined,
    (error: { code?: unknown; constraint?: unknown }) => error.constraint ?? error.code,
  );
const LEGACY = { floor: '150000', origin: 'migrated' };
const CREDITS = { floor: null, origin: 'signup' };

describe('row 43: a reversal', () => {
  test('row 43: orgs on credits stay, new sign-ups are legacy until the next instant, which is a new line for them', async () => {
    const world = await makeWorld('2099-10-30');
    const { fleet, cell, dc, alice, bob } = world;
    expect(await signUp(world, 1_001)).toBe('legacy');
    await cutOverSoon(world);
    expect(await signUp(world, 1_002)).toBe('credits');
    // nobody asked the gate about it, and it is found later
    await cell.insertOrgs({ org_id: 1_003, created_at: systemClock.now().toISOString() });
    const before = await gateOf(world);
    await reverse(world);
    expect(await gateOf(world)).toEqual({
      ...{ armed_at: null, effective_at: null, latched_at: null, swept_at: null, latches: 0 },
      ...{ configured_at: new Date('2098-11-03'), configured_local: '2098-11-03T00:00:00 UTC' },
    });
    const kept = await cell.sql(
      'select effective_at, latched_at, swept_at, author, approver from credit_rollout.reversals',
    );
    const { effective_at, latched_at, swept_at } = before ?? {};
    expect(kept).toEqual([{ effective_at, latched_at, swept_at, author: alice.name, approver: bob.name }]);
    expect(await signUp(world, 1_004)).toBe('legacy');
    expect(await signUp(world, 1_002)).toBe('credits');
    // the next line is armed, and its window is open: who was on credits gets no floor in it
    await fleet.drive();
    expect(await gateOf(world)).toMatchObject({ effective_at: new Date('2098-11-03'), latched_at: null });
    await cell.sql('update public.orgs set agents = agents + 10 where org_id in (1001, 1002)');
    await night(world);
    // 1003 came while the old line held and passed the gate by; 1004 got the answer legacy
    expect(
      await cell.sql(
        'select org_id::int as org, cause from credit_rollout.drift where org_id in (1003, 1004) order by 1',
      ),
    ).toEqual([
      { org: 1_003, cause: 'missed sign-up' },
      { org: 1_004, cause: 'legacy sign-up' },
    ]);
    expect(await floorOf(world, 1_001)).toEqual({ ...LEGACY, floor: '155000' });
    expect(await floorOf(world, 1_002)).toEqual(CREDITS);
    expect(await floorOf(world, 1_003)).toMatchObject({ floor: null });
    expect(await floorOf(world, 1_004)).toEqual(LEGACY);
    for (const orgId of ['1001', '1002', '1003', '1004'])
      expect((await explainOrg(cell.context, { dataCenter: dc, orgId })).recompute).toMatchObject({ movement: 'same' });
    expect(await proveCutover(cell.cell, 0)).toMatchObject({
      verdict: 'ahead',
      signUps: { legacy: 2, credits: 1, lateLegacy: 0, flipped: 0 },
    });
    await fleet.expectInvariants();
    await cutOverSoon(world);
    expect(await signUp(world, 1_005)).toBe('credits');
    await night(world);
    expect(await floorOf(world, 1_002)).toEqual(CREDITS);
    expect(await floorOf(world, 1_004)).toEqual(LEGACY);
    expect(await floorOf(world, 1_005)).toEqual(CREDITS);
    expect(await proveCutover(cell.cell, 0)).toMatchObject({
      verdict: 'proven',
      signUps: { legacy: 2, credits: 2, lateLegacy: 0, flipped: 0 },
    });
    expect((await verifyDataCenter(fleet.engine, dc)).cutover).toMatchObject({ verdict: 'proven' });
    await fleet.expectInvariants();
  });

  test('row 43: control, the audit and `cutover` say who took back what, and when the next instant is', async () => {
    const world = await makeWorld(HAPPENED);
    const { fleet, dc, alice, bob } = world;
    await reverse(world);
    const [row] =
      await fleet.control(`select cutover_at, cutover_local, gate_configured_at, gate_effective_at, gate_latched_at,
      gate_swept_at from credit_rollout_control.data_centers`);
    const at = new Date('2098-11-03');
    expect(row).toEqual({
      ...{ cutover_at: at, cutover_local: '2098-11-03T00:00:00 UTC', gate_configured_at: at },
      ...{ gate_effective_at: null, gate_latched_at: null, gate_swept_at: null },
    });
    expect(
      await fleet.control(`select actor, action, reason, details ->> 'from_at' as "from", details ->> 'to_at' as "to"
        from credit_rollout_control.audit where action like 'revers%' order by seq`),
    ).toEqual([
      {
        ...{ actor: alice.name, action: 'reverse', reason: 'the product was not ready' },
        ...{ from: '2025-10-30T00:00:00.000Z', to: '2098-11-03T00:00:00.000Z' },
      },
      {
        ...{ actor: bob.name, action: 'reversed', reason: 'seen' },
        ...{ from: '2025-10-30T00:00:00.000Z', to: '2098-11-03T00:00:00.000Z' },
      },
    ]);
    const [report] = await readCutovers(fleet.engine, [dc]);
    expect(report).toMatchObject({ state: 'planned', reversals: [{ state: 'applied', approver: bob.name }] });
  });

  test('row 43: sign-ups that go on meanwhile each have one model, by the line that held when they were decided', async () => {
    const world = await makeWorld(HAPPENED);
    const { product, cell, fleet } = world;
    const { proposalId } = await propose(world, world.alice);
    await product.warmUp();
    // its snapshot knows the old line, and whatever it learns must hold
    const old = cell.cell.asOwner(async (tx) => {
      await tx.raw('set transaction isolation level repeatable read');
      await tx.raw(`select from public.orgs limit 1`);
      await waitFor('the reversal', async () => (await gateOf(world))?.latched_at === null);
      const insert = `insert into public.orgs (org_id, edition, paid, agents, light_agents, additional_credits, created_at)
        values (7001, 'standard', true, 300, 0, 0, now())`;
      await tx.raw(insert);
      return (await tx.raw('select credit_rollout.onboard_org(7001) as model')).rows[0].model as unknown;
    });
    const signing = startSignUps(product, { firstId: 2_000, orgs: 300, everyMs: 5, enough: areBothModels });
    // as many as `areBothModels` wants: after the reversal there are no more of them
    await waitFor('sign-ups on credits', () => countModel(signing.soFar, 'credits') > 150);
    await approve(world, world.bob, proposalId);
    const answers = await signing.finished;
    expect(new Set(answers.map(({ model }) => model))).toEqual(new Set(['credits', 'legacy']));
    expect(await old).toBe('credits');
    await night(world);
    const wrong = await cell.sql(
      `select s.org_id from credit_rollout.sign_ups s left join credit_rollout.allotments a using (org_id)
       where a.floor is distinct from case s.model when 'legacy' then 150000 end`,
    );
    expect(wrong).toEqual([]);
    expect(await proveCutover(cell.cell, 0)).toMatchObject({ signUps: { lateLegacy: 0, flipped: 0 } });
    await fleet.expectInvariants();
  });

  test('row 43: is rejected to its author, into the past, while one is open, and once it was decided', async () => {
    const world = await makeWorld(HAPPENED);
    const { alice, bob } = world;
    await expect(propose(world, alice, '2020-01-01')).rejects.toMatchObject({
      code: 'cutover_refused',
      message: expect.stringContaining('is past'),
    });
    const { proposalId } = await propose(world, alice);
    await expect(propose(world, bob)).rejects.toMatchObject({ code: 'reversal_open', exitCode: 6 });
    await expect(approve(world, alice, proposalId)).rejects.toMatchObject({ code: 'same_person', exitCode: 7 });
    expect(await gateOf(world)).toMatchObject({ latched_at: expect.any(Date), latches: 1 });
    await withdraw(world, bob, 'no');
    await expect(approve(world, bob, proposalId)).rejects.toMatchObject({ code: 'reversal_decided' });
    await expect(approve(world, bob, 999n)).rejects.toMatchObject({ code: 'reversal_unknown' });
    await expect(withdraw(world, bob, 'no')).rejects.toMatchObject({
      code: 'reversal_unknown',
    });
    await reverse(world);
    expect(await gateOf(world)).toMatchObject({ latched_at: null, latches: 0 });
  });

  test('row 43: is rejected where nothing is latched, which is for a postponement', async () => {
    const world = await makeWorld('2099-10-30');
    await expect(propose(world, world.alice)).rejects.toMatchObject({
      code: 'cutover_refused',
      message: expect.stringContaining('nothing to reverse'),
      next: expect.stringContaining('cutover postpone --dc'),
    });
  });

  test('row 43: is rejected while a run or a sign-up is under way, and goes through once that has ended', async () => {
    const world = await makeWorld(HAPPENED);
    const { fleet, alice, bob, dc, product } = world;
    const { proposalId } = await propose(world, alice);
    await requestReconcile(fleet.engine, { dataCenter: dc, reason: null, falls: 'within_limits' });
    await fleet.tickUntil('the run to be open', async () => {
      const runs = await fleet.control(
        `select from credit_rollout_control.runs where kind = 'reconcile' and state = 'open'`,
      );
      return runs.length === 1;
    });
    await expect(approve(world, bob, proposalId)).rejects.toMatchObject({
      code: 'cell_busy',
      message: expect.stringContaining('a reconcile run is open'),
    });
    await fleet.drive();
    let end: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      end = resolve;
    });
    const open = product.signUp({ orgId: '3001', until });
    await waitFor('the sign-up to ask', async () => {
      const held =
        await world.cell.sql(`select from pg_locks where locktype = 'advisory' and objid = 4294967295 and granted
        and database = (select oid from pg_database where datname = current_database())`);
      return held.length === 1;
    });
    await expect(approve(world, bob, proposalId)).rejects.toMatchObject({
      code: 'cell_busy',
      message: expect.stringContaining('product'),
    });
    end();
    expect((await open).model).toBe('credits');
    expect(await approve(world, bob, proposalId)).toMatchObject({ state: 'applied' });
  });

  test('row 43: an approval that was cut off between cell and control is finished by giving it again', async () => {
    const world = await makeWorld(HAPPENED);
    const { fleet, cell, alice, bob } = world;
    const proposed = await propose(world, alice);
    const gate = { ...proposed, reversalId: proposed.proposalId, approver: bob.name };
    await cell.cell.inTransaction('fencer', (tx) => reverseCutover(tx, gate));
    // control still says the old instant: nobody arms what was taken back
    const old = { configuredAt: new Date(HAPPENED), configuredLocal: 'as before' };
    expect(await refusal(cell.cell.inTransaction('fencer', (tx) => saveGateArmed(tx, old)))).toBe('23001');
    await fleet.drive();
    expect(await gateOf(world)).toMatchObject({ effective_at: null });
    expect(await signUp(world, 4_001)).toBe('legacy');
    await approve(world, bob, proposed.proposalId);
    await fleet.drive();
    expect(await gateOf(world)).toMatchObject({ effective_at: new Date('2098-11-03') });
    expect(await cell.sql('select from credit_rollout.reversals')).toHaveLength(1);
  });

  test('row 43: an approval that was cut off and came too late to finish is withdrawn, and its cut-over postponed', async () => {
    const world = await makeWorld(HAPPENED);
    const { fleet, cell, alice, bob, dc } = world;
    const proposed = await propose(world, alice);
    const gate = { ...proposed, reversalId: proposed.proposalId, approver: bob.name };
    await cell.cell.inTransaction('fencer', (tx) => reverseCutover(tx, gate));
    // as a scheduler does every half a minute
    await auditCells(fleet.engine);
    await withdraw(world, alice, 'its instant has passed');
    const next = { dataCenter: dc, to: '2098-12-01', reason: 'a new one' };
    const { proposalId } = await proposePostponement(alice.engine, next);
    await approvePostponement(bob.engine, { kind: 'postponement', dataCenter: dc, proposalId }, null);
    await fleet.drive();
    expect(await gateOf(world)).toMatchObject({ effective_at: new Date('2098-12-01'), latched_at: null });
  });
});

describe('the cell', () => {
  test('row 43: lets a latch go by its function only, and keeps what it wrote', async () => {
    const world = await makeWorld(HAPPENED);
    const { cell } = world;
    const asFencer = (sql: string) => refusal(cell.cell.inTransaction('fencer', (tx) => tx.raw(sql)));
    const loosen = `update credit_rollout.gate set armed_at = null, effective_at = null, latched_at = null, swept_at = null`;
    expect(await asFencer(loosen)).toBe('23001');
    expect(await refusal(cell.sql(loosen))).toBe('23001');
    expect(await asFencer('delete from credit_rollout.reversals')).toBe('42501');
    expect(
      await asFencer(`insert into credit_rollout.reversals select 1, configured_at, configured_local, armed_at, effective_at,
        latched_at, swept_at, now(), '2098-11-03', 'x', 'a', 'b' from credit_rollout.gate`),
    ).toBe('42501');
    const call = (at: string, approver: string) =>
      `select credit_rollout.reverse_cutover(5, '${at}', 'x', 'a', '${approver}')`;
    expect(await asFencer(call('2098-11-03', 'a'))).toBe('reversals_two_people_check');
    expect(await asFencer(call('2020-11-03', 'b'))).toBe('reversals_future_check');
    expect(await asFencer(call('2098-11-03', 'b'))).toBeUndefined();
    expect(await asFencer(call('2098-11-03', 'b'))).toBeUndefined();
    expect(await cell.sql('select from credit_rollout.reversals')).toHaveLength(1);
    expect(await asFencer(call('2098-11-03', 'b').replace('(5', '(6'))).toBe('55000');
    for (const change of ['delete from', 'truncate', 'update'])
      expect(
        await refusal(cell.sql(`${change} credit_rollout.reversals ${change === 'update' ? `set author = 'x'` : ''}`)),
      ).toBe('23001');
  });
});

describe('the control database', () => {
  test('row 43: says who proposes and approves, and moves a pinned cut-over by its newest approval only', async () => {
    const world = await makeWorld(HAPPENED);
    const { fleet, alice, dc } = world;
    const table = 'credit_rollout_control.reversals';
    const insert = `insert into ${table} (data_center, to_at, to_local, reason) values ('${dc}', '2098-11-03', 'x', 'y')`;
    expect(await refusal(fleet.control(insert.replace('2098', '2020')))).toBe('reversals_future_check');
    await alice.sql(insert);
    expect(await fleet.control(`select author, state from ${table}`)).toEqual([
      { author: alice.name, state: 'proposed' },
    ]);
    expect(await refusal(alice.sql(`update ${table} set state = 'applied'`))).toBe('reversals_two_people_check');
    expect(await refusal(alice.sql(`update ${table} set approver = 'eve'`))).toBe('42501');
    expect(await refusal(fleet.control(`delete from ${table}`))).toBe('23001');
    expect(await refusal(fleet.control(`truncate ${table}`))).toBe('23001');
    const move = `update credit_rollout_control.data_centers set cutover_at = '2098-11-03' where id = '${dc}'`;
    expect(await refusal(fleet.control(move))).toBe('23001');
    await fleet.control(`update ${table} set state = 'withdrawn'`);
    expect(await refusal(fleet.control(`update ${table} set state = 'applied'`))).toBe('23001');
    expect(await refusal(fleet.control(move))).toBe('23001');
    await fleet.control('update credit_rollout_control.data_centers set gate_latched_at = null');
    expect(await refusal(fleet.control(insert))).toBe('reversals_latched_check');
  });
});
