// A whole life as a fleet has it: every process and every person with the roles that docs/how-to/install-a-fleet.md
// gives it, and no more. No superuser and no owner takes part after init.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineContext } from '../../src/engine/context.js';
import { approvePostponement, proposePostponement } from '../../src/engine/cutover/postpone.js';
import { approveReversal, proposeReversal } from '../../src/engine/cutover/reverse.js';
import { freeze, unfreeze } from '../../src/engine/operate/freeze.js';
import { readStatus } from '../../src/engine/operate/read-status.js';
import { setIntent } from '../../src/engine/operate/set-intent.js';
import { approvePlan } from '../../src/engine/plan/approve-plan.js';
import { planDataCenter } from '../../src/engine/plan/plan-data-center.js';
import { requestReconcile } from '../../src/engine/reconcile/request-reconciliation.js';
import { requestApply } from '../../src/engine/rollout/request-rollout.js';
import { tick } from '../../src/engine/scheduler/tick.js';
import { serveOpenWork } from '../../src/engine/worker/serve-cell.js';
import { asOperator, type CellRole, cellRoleName } from '../../src/stores/cell/cell-database.js';
import { type ControlRole, controlRoleName } from '../../src/stores/control/roles.js';
import { createFleet, type Fleet } from '../support/fleet.js';
import { openContext } from '../support/open-context.js';
import { silentLog } from '../support/silent.js';
import { waitFor } from '../support/wait.js';

const NOWHERE = 'postgres://nobody@127.0.0.1:1/nothing';
const closing: (() => Promise<unknown>)[] = [];
let fleet: Fleet;
let alice: EngineContext;
let bob: EngineContext;
let scheduler: EngineContext;
let worker: EngineContext;

beforeAll(async () => {
  fleet = await createFleet({
    orgs: 300,
    rollout: '{ batchSize: 100, approval: required }',
    sections: 'signups: { cutover: 2025-10-30 }',
  });
  await fleet.control('update credit_rollout_control.rollout set embedded = false');
  alice = people(await openLogin('alice', ['operator'], ['planner', 'reader', 'operator']));
  bob = people(await openLogin('bob', ['approver'], ['reader', 'operator']));
  scheduler = await openLogin('scheduler', ['scheduler'], ['fencer', 'reader']);
  worker = await openLogin('worker', [], ['worker', 'planner']);
});
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await fleet.drop();
});

/** A login in exactly these roles; without a role of control it gets no URL of control. */
async function openLogin(
  name: string,
  ofControl: readonly ControlRole[],
  ofCell: readonly CellRole[],
): Promise<EngineContext> {
  const { dataCenter, url } = fleet.cell(0);
  const login = `${name}_${randomBytes(4).toString('hex')}`;
  const roles = [...ofControl.map(controlRoleName), ...ofCell.map((role) => cellRoleName(dataCenter.id, role))];
  await fleet.control(
    `create role ${login} login password 'secret' in role ${roles.map((role) => `"${role}"`).join(', ')}`,
  );
  const as = (base: string): string => {
    const own = new URL(base);
    own.username = login;
    own.password = 'secret';
    return own.href;
  };
  const opened = new Set<() => Promise<unknown>>();
  const control = ofControl.length === 0 ? NOWHERE : as(fleet.controlUrl);
  const context = openContext(
    { control, cells: [{ id: dataCenter.id, url: as(url) }], queue: undefined },
    silentLog,
    opened,
  );
  closing.push(async () => {
    await Promise.all([...opened].map((close) => close()));
    await fleet.control(`drop role ${login}`);
  });
  return { ...context, actor: null };
}

const people = (context: EngineContext): EngineContext => ({
  ...context,
  cells: { get: (id) => asOperator(context.cells.get(id)) },
});

const dc = () => fleet.cell(0).dataCenter.id;
const stageOf = async () => (await fleet.stages())[0];
/** Ticks as the scheduler and serves as the worker until something is so. */
const until = (what: string, so: () => Promise<boolean>): Promise<unknown> =>
  waitFor(what, async () => {
    await tick(scheduler);
    await serveOpenWork(worker, dc());
    return so();
  });
const gateOf = async () => (await fleet.cell(0).sql('select * from credit_rollout.gate'))[0];
const openRuns = () => fleet.control(`select kind from credit_rollout_control.runs where state = 'open'`);

describe('with the documented logins only', () => {
  test('a plan is made, approved by a second person, applied and verified', async () => {
    const { config } = fleet;
    const { card, dataCenter } = fleet.cell(0);
    const { planId } = await planDataCenter(alice, { config, dataCenter: dc(), card, save: 'plan' });
    await requestApply(alice, {
      config,
      card,
      dataCenters: [dataCenter],
      reason: 'the pilot',
      follow: { planId: planId ?? '' },
    });
    await expect(approvePlan(alice, { planId: planId ?? '', reason: null })).rejects.toMatchObject({
      code: 'same_person',
    });
    await approvePlan(bob, { planId: planId ?? '', reason: 'seen' });
    await until('the canary', async () => (await stageOf()) !== 'pending');
    await setIntent(alice, { dataCenter: dc(), intent: 'pause', reason: 'lunch' });
    await until('the pause', async () => {
      const [row] = await fleet.control('select quiet from credit_rollout_control.data_centers');
      return row?.quiet === true;
    });
    await setIntent(alice, { dataCenter: dc(), intent: 'run', reason: 'back' });
    await until('the end', async () => (await stageOf()) === 'done');
    const [run] = await fleet.control(`select requested_by from credit_rollout_control.runs where kind = 'migrate'`);
    expect(run?.requested_by).toMatch(/^alice_/);
    expect((await readStatus(alice)).dataCenters).toMatchObject([{ id: dc(), stage: 'done' }]);
  });

  test('the cut-over happens, and its sweep ends', async () => {
    await until('the sweep', async () => (await gateOf())?.swept_at !== null);
    expect(await gateOf()).toMatchObject({ latched_at: expect.any(Date) });
  });

  test('a night that a person asked for heals what an edit changed', async () => {
    await fleet.cell(0).sql('update public.orgs set agents = agents + 1000 where org_id <= 5');
    await requestReconcile(alice, { dataCenter: dc(), reason: 'an import', falls: 'within_limits' });
    await until('the night', async () => {
      const ended = await fleet.control(
        `select from credit_rollout_control.runs where kind = 'reconcile' and state = 'done'`,
      );
      return ended.length > 0;
    });
    const [healed] = await fleet
      .cell(0)
      .sql('select bool_and(agents >= 1000) as all from credit_rollout.allotments where org_id <= 5');
    expect(healed).toEqual({ all: true });
  });

  test('a person freezes the cell, and lifts it', async () => {
    const { dataCenters } = await freeze(alice, { dataCenters: [dc()], reason: 'an incident' });
    expect(dataCenters).toMatchObject([{ state: 'frozen' }]);
    const [row] = await fleet.cell(0).sql('select login from credit_rollout.freezes');
    expect(row?.login).toMatch(/^alice_/);
    expect((await unfreeze(alice, { dataCenters: [dc()], reason: 'over' })).dataCenters).toMatchObject([
      { state: 'lifted' },
    ]);
  });

  test('two people take the cut-over back, and postpone the next one', async () => {
    await until('nothing to run', async () => (await openRuns()).length === 0);
    const reversed = await proposeReversal(alice, { dataCenter: dc(), to: '2098-10-30', reason: 'too early' });
    const reversal = { kind: 'reversal', dataCenter: dc(), proposalId: reversed.proposalId } as const;
    await expect(approveReversal(alice, reversal, null)).rejects.toMatchObject({ code: 'same_person' });
    await approveReversal(bob, reversal, 'yes');
    expect(await gateOf()).toMatchObject({ latched_at: null });
    await until('the next arming', async () => (await gateOf())?.effective_at !== null);
    const moved = await proposePostponement(alice, { dataCenter: dc(), to: '2099-01-15', reason: 'later' });
    await approvePostponement(bob, { kind: 'postponement', dataCenter: dc(), proposalId: moved.proposalId }, 'yes');
    expect((await gateOf())?.configured_at).toEqual(new Date('2099-01-15T00:00:00Z'));
  });

  test('nothing was left that an invariant forbids', async () => {
    await fleet.expectInvariants();
    expect(await openRuns()).toEqual([]);
  });
});
