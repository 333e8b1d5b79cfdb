// Overrides end to end on real databases: proposed by one person, applied by another's approval, and never otherwise.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { decideOrg } from '../../../src/domain/org/decide-org.js';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { verifyDataCenter } from '../../../src/engine/operate/verify-data-center.js';
import { approveOverride } from '../../../src/engine/org/approve-override.js';
import { explainOrg } from '../../../src/engine/org/explain-org.js';
import { type OverrideReport, proposeOverride, withdrawOverride } from '../../../src/engine/org/override-proposals.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { parseProposalId } from '../../../src/kernel/proposal-id.js';
import type { TestCell, TestOrg } from '../../support/cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';

const dropped: (() => Promise<void>)[] = [];
const dropAll = async (list: (() => Promise<void>)[]): Promise<void> => {
  for (const drop of list.splice(0).reverse()) await drop();
};
afterEach(() => dropAll(dropped));

interface Scene {
  readonly fleet: Fleet;
  readonly cell: TestCell;
  readonly alice: TestPerson;
  readonly bob: TestPerson;
}

/** A fleet of one data center and two people; these orgs were rolled out there. */
async function makeScene(orgs: readonly TestOrg[], later = dropped): Promise<Scene> {
  const fleet = await createFleet({ cells: [{ orgs }] });
  later.push(fleet.drop);
  const crowd = await createPeople(fleet, 'alice', 'bob');
  later.push(crowd.drop);
  const [alice, bob] = crowd.people as [TestPerson, TestPerson];
  const cell = fleet.cell(0);
  await fleet.apply(cell);
  expect(await fleet.drive()).toEqual(['done']);
  return { fleet, cell, alice, bob };
}

/** One data center for all tests that are about a single org; each takes the next one, of standard with 300 agents. */
const shared: (() => Promise<void>)[] = [];
let scene: Scene;
let taken = 0;
const takeOrg = (): string => String(++taken);
beforeAll(async () => {
  scene = await makeScene(
    Array.from({ length: 20 }, () => ({})),
    shared,
  );
});
afterAll(() => dropAll(shared));

const propose = ({ cell, alice }: Scene, floor: bigint | null, orgId = '1'): Promise<OverrideReport> =>
  proposeOverride(alice.engine, { dataCenter: cell.dataCenter.id, orgId, floor, reason: 'usage' });
function approve({ bob }: Scene, overrideId: string, person: TestPerson = bob): Promise<OverrideReport> {
  const id = parseProposalId(overrideId);
  if (id?.kind !== 'override') throw new Error(`no override: ${overrideId}`);
  return approveOverride(person.engine, id, 'agreed');
}
/** The cut-over of the data center is over and swept: the window is closed. */
const sweep = ({ cell }: Scene): Promise<unknown> =>
  cell.sql(`update credit_rollout.gate set armed_at = '2025-10-30', effective_at = '2025-10-30', latched_at = '2025-10-30',
    swept_at = '2025-10-31'`);
const rowOf = async ({ cell }: Scene, orgId = '1'): Promise<Record<string, unknown>> =>
  (await cell.sql('select * from credit_rollout.allotments where org_id = $1', [orgId]))[0] ?? {};
const auditOf = ({ fleet }: Scene): Promise<readonly Record<string, unknown>[]> =>
  fleet.control(`select action, actor, data_center, reason, details from credit_rollout_control.audit
    where details ? 'override' order by seq`);

describe('withdrawOverride', () => {
  test('takes an open proposal back, changes nothing, leaves an audit row, and lets the org have another', async () => {
    const orgId = takeOrg();
    const before = await rowOf(scene, orgId);
    const proposal = await propose(scene, 200_000n, orgId);
    const wanted = { dataCenter: scene.cell.dataCenter.id, orgId, reason: 'a typing error' };
    expect(await withdrawOverride(scene.alice.engine, wanted)).toBe(proposal.overrideId);
    expect(await rowOf(scene, orgId)).toEqual(before);
    await expect(approve(scene, proposal.overrideId)).rejects.toMatchObject({ code: 'override_decided' });
    await expect(withdrawOverride(scene.alice.engine, wanted)).rejects.toMatchObject({ code: 'override_unknown' });
    const audit = (await auditOf(scene)).filter(
      ({ details }) => (details as { override?: string }).override === proposal.overrideId,
    );
    expect(audit.map(({ action }) => action)).toEqual(['override', 'override_withdrawn']);
    expect((await propose(scene, 210_000n, orgId)).state).toBe('proposed');
  });
});

describe('explainOrg', () => {
  test('names the two people and the reason behind an overridden floor', async () => {
    const orgId = takeOrg();
    const { overrideId } = await propose(scene, 250_000n, orgId);
    await approve(scene, overrideId);
    const why = await explainOrg(scene.cell.context, { dataCenter: scene.cell.dataCenter.id, orgId });
    expect(JSON.stringify(why, (_, value) => (typeof value === 'bigint' ? String(value) : value))).toContain(
      `its floor was set by ${scene.alice.name} and approved by ${scene.bob.name}: usage`,
    );
  });
});

describe('an override', () => {
  test('raises a floor: shown first, applied by the second person, verified, recorded with both images', async () => {
    const scene = await makeScene([{ additional_credits: 10_000 }, {}]);
    const before = await rowOf(scene);
    const proposal = await propose(scene, 200_000n);
    expect(proposal).toMatchObject({ overrideId: `${scene.cell.dataCenter.id}-o1`, state: 'proposed', approver: null });
    expect(proposal.changes).toEqual([
      { column: 'floor', from: 150_000n, to: 200_000n },
      { column: 'grandfathered_credits', from: 25_000n, to: 75_000n },
      { column: 'total_credits', from: 160_000n, to: 210_000n },
    ]);
    expect(await rowOf(scene)).toEqual(before);

    const applied = await approve(scene, proposal.overrideId);
    expect(applied).toMatchObject({ state: 'applied', approver: scene.bob.name, changes: proposal.changes });
    const after = await rowOf(scene);
    expect(after).toMatchObject({
      ...{ floor: '200000', floor_edition: 'standard', grandfathered_credits: '75000', total_credits: '210000' },
      ...{ winner: 'legacy', version: 2, run_id: null },
    });
    const images = await scene.cell.sql(`select author, approver, reason, state, decided_at is not null as decided,
      before = (select c.before from credit_rollout.allotment_changes c) as same_before,
      after = (select to_jsonb(a) from credit_rollout.allotments a where org_id = 1) as same_after from credit_rollout.overrides`);
    expect(images).toEqual([
      {
        ...{ author: scene.alice.name, approver: scene.bob.name, reason: 'usage', state: 'applied', decided: true },
        ...{ same_before: true, same_after: true },
      },
    ]);
    expect(await scene.cell.sql('select cause, run_id, version from credit_rollout.allotment_changes')).toEqual([
      { cause: 'override', run_id: null, version: 1 },
    ]);
    expect((await verifyDataCenter(scene.fleet.engine, scene.cell.dataCenter.id)).mismatches).toBe(0);
    await scene.fleet.expectInvariants();
  });

  test('leaves verb, data center, count and a hash in control, and never the id', async () => {
    const id = '00000000-0000-4000-8000-00000000abcd';
    const fleet = await createFleet({ cells: [{ idType: 'uuid', orgs: [{ org_id: id }] }] });
    dropped.push(fleet.drop);
    const crowd = await createPeople(fleet, 'alice', 'bob');
    dropped.push(crowd.drop);
    const [alice, bob] = crowd.people as [TestPerson, TestPerson];
    const scene: Scene = { fleet, cell: fleet.cell(0), alice, bob };
    await fleet.apply(scene.cell);
    await fleet.drive();
    await approve(scene, (await propose(scene, 200_000n, id.toUpperCase())).overrideId);
    const dc = scene.cell.dataCenter.id;
    const details = { override: `${dc}-o1`, orgs: 1, org_hash: expect.stringMatching(/^[0-9a-f]{64}$/u) };
    expect(await auditOf(scene)).toEqual([
      { action: 'override', actor: alice.name, data_center: dc, reason: 'usage', details },
      { action: 'approve', actor: bob.name, data_center: dc, reason: 'agreed', details },
      { action: 'override_applied', actor: bob.name, data_center: dc, reason: 'agreed', details },
    ]);
    const tables = await fleet.control(`select tablename from pg_tables where schemaname = 'credit_rollout_control'`);
    for (const { tablename } of tables) {
      const rows = await fleet.control(`select t::text as row from credit_rollout_control.${tablename} t`);
      expect(JSON.stringify(rows)).not.toContain('abcd');
    }
  });

  test('lowers a floor after the sweep, which nothing else does', async () => {
    const scene = await makeScene([{}]);
    await sweep(scene);
    await expect(scene.cell.sql('update credit_rollout.allotments set floor = 130000')).rejects.toMatchObject({
      code: '23001',
    });
    await approve(scene, (await propose(scene, 130_000n)).overrideId);
    expect(await rowOf(scene)).toMatchObject({ floor: '130000', total_credits: '130000', version: 2 });
    await approve(scene, (await propose(scene, null)).overrideId);
    expect(await rowOf(scene)).toMatchObject({
      ...{ floor: null, floor_edition: null, grandfathered_credits: '0', total_credits: '125000', winner: 'credits' },
    });
    expect((await verifyDataCenter(scene.fleet.engine, scene.cell.dataCenter.id)).mismatches).toBe(0);
    await scene.fleet.expectInvariants();
  });

  test('is kept by the next run', async () => {
    const scene = await makeScene([{}, {}]);
    await sweep(scene);
    await approve(scene, (await propose(scene, 130_000n)).overrideId);
    const row = await rowOf(scene);
    await scene.fleet.apply(scene.cell);
    expect(await scene.fleet.drive()).toEqual(['done']);
    expect(await rowOf(scene)).toEqual(row);
    await scene.fleet.expectInvariants();
  });

  test('records today’s edition, so that an edition that fell before does not lower it again', async () => {
    const scene = await makeScene([{ edition: 'enterprise', agents: 10, legacy_limit: 300_000 }]);
    await sweep(scene);
    await scene.cell.sql(`update public.orgs set edition = 'standard', legacy_limit = null`);
    await approve(scene, (await propose(scene, 250_000n)).overrideId);
    expect(await rowOf(scene)).toMatchObject({ edition: 'standard', floor: '250000', floor_edition: 'standard' });
    const { recompute } = await explainOrg(scene.cell.context, { dataCenter: scene.cell.dataCenter.id, orgId: '1' });
    expect(recompute).toMatchObject({ movement: 'same' });
  });

  test('gives what the rule in TypeScript gives with that floor, for orgs of every kind', async () => {
    const orgs: readonly TestOrg[] = [
      {},
      { edition: 'free', paid: false, agents: 40 },
      { edition: 'enterprise', agents: 25, additional_credits: 7, light_agents: 3 },
      { edition: 'professional', paid: false, legacy_limit: 90_000 },
      { edition: 'express', agents: 0, legacy_limit: 9_007_199_254_740_993n },
    ];
    const scene = await makeScene(orgs);
    await sweep(scene);
    for (const orgId of ['1', '2', '3', '4', '5']) {
      const floor = 9_007_199_254_740_995n + BigInt(orgId);
      const dataCenter = scene.cell.dataCenter.id;
      const { stored, source, gate } = await explainOrg(scene.cell.context, { dataCenter, orgId });
      if (stored === null || source === null) throw new Error('it was rolled out');
      const { after, overrideId } = await propose(scene, floor, orgId);
      const rule = decideOrg({
        inputs: source,
        card: scene.cell.card,
        prior: { ...stored.allotment, floor, floorEdition: source.edition },
        gate: { ...gate, decidedAt: null },
        today: stored.computedOn,
        lapseGraceDays: 30,
      });
      expect(rule).toMatchObject({ kind: 'decided', allotment: after });
      await approve(scene, overrideId);
      expect((await explainOrg(scene.cell.context, { dataCenter, orgId })).stored?.allotment).toEqual(after);
    }
    await scene.fleet.expectInvariants();
  });
});

describe('proposeOverride', () => {
  test('rejects in the open window what the next run would raise again', async () => {
    const orgId = takeOrg();
    for (const floor of [149_999n, 0n, null])
      await expect(propose(scene, floor, orgId)).rejects.toMatchObject({
        code: 'override_refused',
        message: expect.stringContaining('is open'),
        next: expect.stringContaining('at least 150000'),
      });
    // below the floor, but not below today's legacy limit
    await scene.cell.sql('update public.orgs set agents = 200 where org_id = $1', [orgId]);
    expect((await propose(scene, 140_000n, orgId)).after.floor).toBe(140_000n);
  });

  test('rejects a second one while the first is open, and names it', async () => {
    const orgId = takeOrg();
    const { overrideId } = await propose(scene, 200_000n, orgId);
    await expect(propose(scene, 300_000n, orgId)).rejects.toMatchObject({
      ...{ code: 'override_open', exitCode: 6 },
      message: expect.stringContaining(overrideId),
      next: expect.stringContaining(`approve ${overrideId}`),
    });
  });

  test('lets one of several at the same moment through', async () => {
    const orgId = takeOrg();
    const floors = [200_000n, 300_000n, 400_000n];
    const outcomes = await Promise.allSettled(floors.map((floor) => propose(scene, floor, orgId)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(['conflict', 'override_open']).toContain(outcome.reason.code);
  });

  test.each<[string, string, string]>([
    ['that has no allotment', 'delete from credit_rollout.allotments', 'has no allotment'],
    ['that left the source', 'delete from public.orgs', 'has left the source'],
    ['that cannot be decided', 'update public.orgs set agents = null', 'null_agents'],
    [
      'whose floor has lapsed',
      `update credit_rollout.allotments set paid = false, unpaid_since = current_date - 31, grandfathered_credits = 0,
        total_credits = base_credits + variable_credits, winner = 'credits'`,
      'ended',
    ],
  ])('refuses an org %s', async (_, change, why) => {
    const orgId = takeOrg();
    await scene.cell.sql('update public.orgs set paid = false where org_id = $1', [orgId]);
    await scene.cell.sql(`${change} where org_id = $1`, [orgId]);
    await expect(propose(scene, 200_000n, orgId)).rejects.toMatchObject({
      code: 'override_refused',
      message: expect.stringContaining(why),
    });
  });

  test('rejects what is so already, what cannot be stored, and orgs that are none', async () => {
    const orgId = takeOrg();
    await scene.cell.sql('update public.orgs set additional_credits = 1 where org_id = $1', [orgId]);
    await expect(propose(scene, 150_000n, orgId)).rejects.toMatchObject({ code: 'override_refused' });
    await expect(propose(scene, 2n ** 63n - 1n, orgId)).rejects.toMatchObject({
      message: expect.stringContaining('overflow'),
    });
    await expect(propose(scene, 1n, '999')).rejects.toMatchObject({ code: 'org_not_found' });
    await expect(propose(scene, 1n, 'seven')).rejects.toMatchObject({ code: 'invalid_org_id' });
  });
});

describe('approveOverride', () => {
  test('rejects the author', async () => {
    const orgId = takeOrg();
    const { overrideId } = await propose(scene, 200_000n, orgId);
    await expect(approve(scene, overrideId, scene.alice)).rejects.toMatchObject({ code: 'same_person', exitCode: 7 });
    expect(await rowOf(scene, orgId)).toMatchObject({ floor: '150000', version: 1 });
    await expect(
      scene.cell.sql(`update credit_rollout.overrides set approver = author where state = 'proposed'`),
    ).rejects.toMatchObject({ code: '23514' });
  });

  test('applies it once, however many approve', async () => {
    const orgId = takeOrg();
    const { overrideId } = await propose(scene, 200_000n, orgId);
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => approve(scene, overrideId)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'override_decided' });
    expect(await rowOf(scene, orgId)).toMatchObject({ floor: '200000', version: 2 });
    const applied = (await auditOf(scene)).filter(
      ({ action, details }) =>
        action === 'override_applied' && (details as { override?: string }).override === overrideId,
    );
    expect(applied).toHaveLength(1);
  });

  test('knows no override that was never proposed', async () => {
    await expect(approve(scene, `${scene.cell.dataCenter.id}-o999`)).rejects.toMatchObject({
      code: 'override_unknown',
    });
  });

  test('waits until no run is under way or paused', async () => {
    const scene = await makeScene([{}]);
    const { overrideId } = await propose(scene, 200_000n);
    const { fleet, cell } = scene;
    await fleet.apply(cell);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'data_center_busy' });
    await tick(fleet.engine);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'data_center_busy' });
    await setIntent(fleet.engine, { dataCenter: cell.dataCenter.id, intent: 'pause', reason: null });
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'data_center_busy' });
    await setIntent(fleet.engine, { dataCenter: cell.dataCenter.id, intent: 'run', reason: null });
    expect(await fleet.drive()).toEqual(['done']);
    expect((await approve(scene, overrideId)).state).toBe('applied');
    await fleet.expectInvariants();
  });

  test('is rejected by the cell when only the cell knows of a run', async () => {
    const scene = await makeScene([{}]);
    const { overrideId } = await propose(scene, 200_000n);
    const reopen = `update credit_rollout.runs set state = 'open', ended_at = null`;
    await scene.cell.sql(reopen);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({
      code: 'data_center_busy',
      message: expect.stringContaining('a run is open'),
    });
    await scene.cell.sql(`update credit_rollout.fence set state = 'open'`);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ message: expect.stringContaining('fence') });
    expect(await rowOf(scene)).toMatchObject({ version: 1 });
  });

  test('rejects what would not hold any more since it was proposed', async () => {
    const orgId = takeOrg();
    const { overrideId } = await propose(scene, 200_000n, orgId);
    await scene.cell.sql('update public.orgs set legacy_limit = 500000 where org_id = $1', [orgId]);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'override_refused' });
    expect(
      await scene.cell.sql('select state, before from credit_rollout.overrides where org_id = $1', [orgId]),
    ).toEqual([{ state: 'proposed', before: null }]);
  });

  test('writes nothing when the row comes out wrong: the independent statement checks first', async () => {
    const scene = await makeScene([{}]);
    const { overrideId } = await propose(scene, 200_000n);
    await scene.cell.sql(`create function public.falsify() returns trigger language plpgsql as $$ begin
      new.variable_credits := new.variable_credits + 1; new.total_credits := new.total_credits + 1; return new; end $$;
      create trigger falsify before update on credit_rollout.allotments for each row execute function public.falsify()`);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'verification_mismatch', exitCode: 5 });
    expect(await rowOf(scene)).toMatchObject({ floor: '150000', version: 1 });
    expect(await scene.cell.sql('select state from credit_rollout.overrides')).toEqual([{ state: 'proposed' }]);
    expect((await auditOf(scene)).map(({ action }) => action)).toEqual(['override', 'approve']);
  });

  test('writes nothing when the source moves in the middle', async () => {
    const scene = await makeScene([{}]);
    const { overrideId } = await propose(scene, 200_000n);
    await scene.cell.sql(`create function public.hire() returns trigger language plpgsql security definer as $$ begin
      update public.orgs set agents = agents + 100; return new; end $$;
      create trigger hire after update on credit_rollout.allotments for each row execute function public.hire()`);
    await expect(approve(scene, overrideId)).rejects.toMatchObject({ code: 'conflict' });
    expect(await rowOf(scene)).toMatchObject({ floor: '150000', version: 1 });
  });
});

describe('the table overrides', () => {
  test('keeps a decided override as it is, and deletes none', async () => {
    await approve(scene, (await propose(scene, 200_000n, takeOrg())).overrideId);
    for (const statement of [
      `update credit_rollout.overrides set approver = 'x' where state = 'applied'`,
      'delete from credit_rollout.overrides',
      'truncate credit_rollout.overrides',
    ])
      await expect(scene.cell.sql(statement), statement).rejects.toMatchObject({ code: '23001' });
  });
});
