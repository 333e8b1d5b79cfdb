// What several rollouts wrote is taken back run by run, the newest first, until every org is as if there had been none.
// Here too: what a failed or an aborted run wrote, and how an undo that was asked for ends.
import { afterEach, describe, expect, test } from 'vitest';
import { applyBatches } from '../../../src/engine/batch/apply-batches.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { previewUndo } from '../../../src/engine/undo/preview-undo.js';
import { approveUndo, requestUndo, withdrawOpenUndo } from '../../../src/engine/undo/request-undo.js';
import { showUndoPlan } from '../../../src/engine/undo/show-undo-plan.js';
import { parseProposalId } from '../../../src/kernel/proposal-id.js';
import { lockFenceExclusive, saveFenceClosed } from '../../../src/stores/cell/batch/fence.js';
import { isUndoAccepted } from '../../../src/stores/cell/undo/undo-plans.js';
import { openSealedUndo } from '../../../src/stores/cell/undo/undo-runs.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPerson } from '../../support/person.js';
import { sealInCell } from '../../support/seal-in-cell.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

interface Scene {
  readonly fleet: Fleet;
  readonly ana: TestPerson;
  readonly bob: TestPerson;
  /** What the product reads of each org before anything is rolled out. */
  readonly before: readonly Record<string, unknown>[];
}

async function makeScene(orgs = 250): Promise<Scene> {
  const fleet = await createFleet({ orgs, rollout: '{ batchSize: 100 }' });
  dropped.push(fleet.drop);
  const { people, drop } = await createPeople(fleet, 'ana', 'bob');
  dropped.push(drop);
  const [ana, bob] = people as readonly [TestPerson, TestPerson];
  return { fleet, ana, bob, before: await readCapacities(fleet) };
}

const readCapacities = (fleet: Fleet) =>
  fleet.cell(0).sql('select org_id, model, capacity from credit_rollout.org_capacity order by org_id');
const question = ({ fleet }: Scene) => ({ dataCenter: fleet.cell(0).dataCenter.id, limit: 20, reason: 'a wrong card' });
const undoOf = (name: string | null) => {
  const id = parseProposalId(name ?? '');
  if (id?.kind !== 'undo') throw new Error(`${name} names no undo`);
  return id;
};
const nextOf = async ({ fleet }: Scene) => {
  const next = (await readStatus(fleet.engine)).dataCenters[0]?.next;
  return `${next?.verb} ${next?.args.join(' ')}`;
};

async function rollOut({ fleet }: Scene): Promise<bigint> {
  await fleet.apply(fleet.cell(0));
  await fleet.drive();
  const [row] = await fleet.cell(0).sql(`select max(run_id) as run from credit_rollout.runs where kind = 'migrate'`);
  return BigInt(String(row?.run));
}

/** Takes back the run that is due, and no other. */
async function undo(scene: Scene, run: bigint) {
  const { fleet, ana, bob } = scene;
  const asked = await requestUndo(ana.engine, question(scene));
  expect(asked).toMatchObject({ undoes: run, counts: { conflicts: 0 } });
  const approved = asked.state === 'proposed' ? await approveUndo(bob.engine, undoOf(asked.undoId), 'seen') : undefined;
  expect(await fleet.drive()).toEqual(['undone']);
  return approved ?? asked;
}

async function expectNeverRolledOut(scene: Scene, before = scene.before): Promise<void> {
  const { fleet, ana } = scene;
  expect(await readCapacities(fleet)).toEqual(before);
  expect(await fleet.cell(0).sql('select org_id from credit_rollout.allotments')).toEqual([]);
  expect(await previewUndo(ana.engine, question(scene))).toMatchObject({ state: 'nothing' });
  expect(await nextOf(scene)).toBe(`apply --dc ${fleet.cell(0).dataCenter.id} --execute`);
  await fleet.expectInvariants();
}

/** As a breach of a rule ends a run. */
const breakFence = ({ fleet }: Scene) =>
  fleet.cell(0).cell.inTransaction('fencer', async (tx) => {
    await lockFenceExclusive(tx);
    await saveFenceClosed(tx, 'verification_mismatch');
  });

/** Rolls out until the first range is written that had something to write. */
async function reachHalf({ fleet }: Scene): Promise<bigint> {
  const { sql, context, dataCenter } = fleet.cell(0);
  await fleet.apply(fleet.cell(0));
  for (;;) {
    await tick(fleet.engine);
    const [fence] = await sql('select state, epoch from credit_rollout.fence');
    if (fence?.state === 'open')
      await applyBatches(context, { dataCenter: dataCenter.id, epoch: BigInt(String(fence.epoch)), forMs: 0 });
    else await fleet.serve();
    const [row] = await sql(`select run_id from credit_rollout.runs r join credit_rollout.batches b using (run_id)
      where r.kind = 'migrate' and r.state = 'open' and b.kind = 'range' and b.inserted > 0`);
    if (row !== undefined) return BigInt(String(row.run_id));
  }
}

describe('an undo after several rollouts', () => {
  test('takes back the newest run, says what older ones still hold, and then takes that back too', async () => {
    const scene = await makeScene();
    const { fleet, ana } = scene;
    const { sql, insertOrgs } = fleet.cell(0);
    const first = await rollOut(scene);
    const [held] = await sql('select count(*)::int as orgs from credit_rollout.allotments');
    await insertOrgs({ org_id: 901, agents: 300 }, { org_id: 902, agents: 300 }, { org_id: 903, agents: 300 });
    // paid and standard: a second rollout raises one that the first wrote, and a purchase changes nothing
    await sql('update public.orgs set agents = agents + 2000 where org_id = 12');
    const before = (await sql('select org_id from public.orgs')).length;
    const second = await rollOut(scene);
    await sql('update public.orgs set additional_credits = additional_credits + 40 where org_id = 17');
    const taken = await undo(scene, second);
    expect(taken).toMatchObject({
      ...{ olderRun: first, olderOrgs: Number(held?.orgs) - 1 },
      counts: { orgs: 4, deletes: 3, restores: 1 },
    });
    expect(await nextOf(scene)).toBe(`undo --dc ${fleet.cell(0).dataCenter.id}`);
    expect(await undo(scene, first)).toMatchObject({ olderRun: null, olderOrgs: 0, counts: { orgs: held?.orgs } });
    expect(await readCapacities(fleet)).toHaveLength(before);
    const isUntouched = ({ org_id }: Readonly<Record<string, unknown>>) => !/^(12|17|90\d)$/u.test(String(org_id));
    expect((await readCapacities(fleet)).filter(isUntouched)).toEqual(scene.before.filter(isUntouched));
    expect(await sql(`select distinct model from credit_rollout.org_capacity`)).toEqual([{ model: 'legacy' }]);
    await expectNeverRolledOut(scene, await readCapacities(fleet));
    expect(await requestUndo(ana.engine, question(scene))).toMatchObject({ state: 'nothing' });
  });

  test('takes back what a failed run wrote, and what an aborted one did before', async () => {
    const scene = await makeScene(350);
    const { fleet } = scene;
    const aborted = await reachHalf(scene);
    await setIntent(fleet.engine, { dataCenter: fleet.cell(0).dataCenter.id, intent: 'abort', reason: 'stop' });
    expect(await fleet.drive()).toEqual(['aborted']);
    const failed = await reachHalf(scene);
    await breakFence(scene);
    expect(await fleet.drive()).toEqual(['failed']);
    expect(failed).not.toBe(aborted);
    expect(await undo(scene, failed)).toMatchObject({ olderRun: aborted });
    await undo(scene, aborted);
    await expectNeverRolledOut(scene);
  });

  test('takes back what an aborted run wrote, and what a failed one did', async () => {
    const scene = await makeScene(350);
    const { fleet } = scene;
    const failed = await reachHalf(scene);
    await breakFence(scene);
    expect(await fleet.drive()).toEqual(['failed']);
    const aborted = await reachHalf(scene);
    await setIntent(fleet.engine, { dataCenter: fleet.cell(0).dataCenter.id, intent: 'abort', reason: 'stop' });
    expect(await fleet.drive()).toEqual(['aborted']);
    await undo(scene, aborted);
    await undo(scene, failed);
    await expectNeverRolledOut(scene);
  });
});

describe('an undo that is approved', () => {
  const approved = async (): Promise<Scene & { readonly undoId: string }> => {
    const scene = await makeScene(60);
    await rollOut(scene);
    const { undoId, author, counts, digest, falling } = await requestUndo(scene.ana.engine, question(scene));
    // what the second person sees is what was proposed
    const seen = { undoId, author, counts, digest };
    const shown = await showUndoPlan(scene.bob.engine, question(scene));
    expect(shown).toMatchObject({ ...seen, state: 'proposed', digest: expect.stringMatching(/^[0-9a-f]{64}$/u) });
    expect(shown.falling.map(({ orgId }) => orgId)).toEqual(falling.map(({ orgId }) => orgId));
    expect(shown.digest).toBe(digest);
    await approveUndo(scene.bob.engine, undoOf(undoId), 'seen');
    const approver = scene.bob.name;
    expect(await showUndoPlan(scene.bob.engine, question(scene))).toMatchObject({
      ...seen,
      state: 'requested',
      approver,
    });
    return { ...scene, undoId: undoId ?? '' };
  };
  const readRequests = ({ fleet }: Scene) =>
    fleet.control('select run_id, ended_at is not null as ended from credit_rollout_control.undo_requests');
  const age = ({ fleet }: Scene, by: string) =>
    fleet.cell(0).rewritePast(`update credit_rollout.undo_plans set decided_at = decided_at - interval '${by}'`);

  test('is withdrawn before it begins: its request ends with it, and another one can be asked for', async () => {
    const scene = await approved();
    const { fleet, ana, undoId } = scene;
    expect(await readRequests(scene)).toEqual([{ run_id: null, ended: false }]);
    await expect(requestUndo(ana.engine, question(scene))).rejects.toMatchObject({ code: 'undo_refused' });
    await withdrawOpenUndo(ana.engine, undoOf(undoId), 'not now');
    expect(await readRequests(scene)).toEqual([{ run_id: null, ended: true }]);
    await expect(showUndoPlan(ana.engine, question(scene))).rejects.toMatchObject({ code: 'undo_unknown' });
    const again = await requestUndo(ana.engine, question(scene));
    expect(await fleet.drive()).toEqual(['done']);
    // and one that waits is dropped once the cut-over has begun: started, it could only fail
    await approveUndo(scene.bob.engine, undoOf(again.undoId), 'seen');
    await fleet
      .cell(0)
      .sql('update credit_rollout.gate set armed_at = now(), effective_at = now(), latched_at = now()');
    expect(await fleet.drive()).toEqual(['done']);
    expect(await readRequests(scene)).toEqual([
      { run_id: null, ended: true },
      { run_id: null, ended: true },
    ]);
    const [dropped] = await fleet.control(`select reason from credit_rollout_control.audit where action = 'drop_undo'`);
    expect(dropped?.reason).toBe('the cut-over has begun');
  });

  test('waits for its turn for 72 hours, and starts no more when the last of them has begun', async () => {
    const scene = await approved();
    const { fleet } = scene;
    const [plan] = await fleet.cell(0).sql('select undo_id, digest from credit_rollout.undo_plans');
    const request = { undoId: BigInt(String(plan?.undo_id)), digest: String(plan?.digest) };
    const isAccepted = () => fleet.cell(0).cell.inTransaction('fencer', (tx) => isUndoAccepted(tx, request));
    await age(scene, '70 hours 59 minutes');
    expect(await isAccepted()).toBe(true);
    await age(scene, '2 minutes');
    expect(await isAccepted()).toBe(false);
    await tick(fleet.engine);
    expect(await fleet.stages()).toEqual(['done']);
    expect(await readRequests(scene)).toEqual([{ run_id: null, ended: true }]);
  });

  test('is opened in its cell for 72 hours', async () => {
    const scene = await approved();
    const { cell, sql } = scene.fleet.cell(0);
    const [plan] = await sql('select undo_id, digest from credit_rollout.undo_plans');
    const content = { run_id: 10_000, undo_id: Number(plan?.undo_id), digest: plan?.digest, batch_size: 10, lanes: 1 };
    const seal = await sealInCell(cell, 'undo_run', content);
    const opening = () =>
      cell.inTransaction('fencer', async (tx) => {
        await openSealedUndo(tx, seal);
        throw new Error('it was opened, and is not kept');
      });
    await age(scene, '71 hours 59 minutes');
    await expect(opening()).rejects.toThrow('it was opened');
    await age(scene, '2 minutes');
    await expect(opening()).rejects.toThrow('cannot be run any more');
  });
});
