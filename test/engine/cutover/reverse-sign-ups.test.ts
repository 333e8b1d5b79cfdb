// Row 43: a cut-over that has happened is taken back; orgs on credits stay, and the next instant is a new line for
// those that sign up.
import { afterEach, describe, expect, test } from 'vitest';
import { approvePostponement, proposePostponement } from '../../../src/engine/cutover/postpone.js';
import { proveCutover } from '../../../src/engine/cutover/prove-cutover.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { explainOrg } from '../../../src/engine/org/explain-org.js';
import { requestReconcile } from '../../../src/engine/reconcile/request-reconciliation.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { readLag } from '../../support/stopwatch.js';
import { waitFor } from '../../support/wait.js';
import { writeWaiting } from './gate-scene.js';
import {
  approve,
  closeAll,
  gateOf,
  HAPPENED,
  makeWorld,
  propose,
  reverse,
  signUp,
  type World,
} from './reverse-scene.js';
import { areBothModels, countModel, startSignUps } from './sign-ups.js';

afterEach(closeAll);

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
  await requestReconcile(fleet.engine, { dataCenter: dc, reason: null });
  await fleet.drive();
}

const floorOf = async ({ cell }: World, orgId: number) =>
  (await cell.sql('select floor, origin from credit_rollout.allotments where org_id = $1', [orgId]))[0];
const LEGACY = { floor: '150000', origin: 'migrated' };
const CREDITS = { floor: null, origin: 'signup' };

describe('row 43: a reversal', () => {
  test('row 43: orgs on credits stay, new sign-ups are legacy until the next instant, which is a new line for them', async () => {
    const world = await makeWorld('2099-10-30');
    const { fleet, cell, dc, alice, bob } = world;
    expect(await signUp(world, 1_001)).toBe('legacy');
    await cutOverSoon(world);
    expect(await signUp(world, 1_002)).toBe('credits');
    await writeWaiting(cell);
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
    await writeWaiting(cell);
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

  test('row 43: sign-ups that go on meanwhile each have one model, by the line that held when they were decided', async () => {
    const world = await makeWorld(HAPPENED);
    const { product, cell, fleet } = world;
    const { proposalId } = await propose(world, world.alice);
    await product.prepareConnections();
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
});
