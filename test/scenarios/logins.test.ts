// A whole life as a fleet has it: every process, every person and the queue with the logins that
// docs/how-to/install-a-fleet.md makes, and no more. No superuser and no owner takes part after init.
import { isDeepStrictEqual } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { initQueue } from '../../jobs/queue/connection.js';
import type { EngineContext } from '../../src/engine/context.js';
import { approvePostponement, proposePostponement } from '../../src/engine/cutover/postpone.js';
import { approveReversal, proposeReversal } from '../../src/engine/cutover/reverse.js';
import { freeze, unfreeze } from '../../src/engine/operate/freeze.js';
import { readStatus } from '../../src/engine/operate/read-status.js';
import { setIntent } from '../../src/engine/operate/set-intent.js';
import { approveOverride } from '../../src/engine/org/approve-override.js';
import { proposeOverride } from '../../src/engine/org/override-proposals.js';
import { protectOrg } from '../../src/engine/org/protect-org.js';
import { approvePlan } from '../../src/engine/plan/approve-plan.js';
import { planDataCenter } from '../../src/engine/plan/plan-data-center.js';
import { approveFalls, proposeFalls } from '../../src/engine/reconcile/accept-falls.js';
import { requestReconcile } from '../../src/engine/reconcile/request-reconciliation.js';
import { requestApply } from '../../src/engine/rollout/request-rollout.js';
import { parseProposalId } from '../../src/kernel/proposal-id.js';
import { cellRoleName } from '../../src/stores/cell/cell-database.js';
import { controlRoleName } from '../../src/stores/control/roles.js';
import { type DocumentedLogins, makeDocumentedLogins, readRedisAcl } from '../support/documented-logins.js';
import { createFleet, type Fleet, slowDown, speedUp } from '../support/fleet.js';
import { adminUrl, runAsAdmin } from '../support/postgres.js';
import { redisAvailable, startTestRedis, type TestRedis } from '../support/redis.js';
import { type FleetProcess, spawnFleetProcess } from '../support/spawn-process.js';
import { startStopwatch } from '../support/stopwatch.js';
import { waitFor } from '../support/wait.js';

const FREEZE_LIMIT_MS = 6_000;

/** The first answer that equals what is wanted. */
const waitUntil = <T>(what: string, ask: () => Promise<T>, wanted: T): Promise<T> =>
  waitFor(what, async () => {
    const answer = await ask();
    return isDeepStrictEqual(answer, wanted) && answer;
  });

describe('with the documented logins and a queue on Postgres', () => liveWith('postgres'));
describe.skipIf(!redisAvailable())('with the documented logins and a queue on Redis', () => liveWith('redis'));

/** The tests of one life, which go on from each other. */
function liveWith(kind: 'postgres' | 'redis'): void {
  let fleet: Fleet;
  let logins: DocumentedLogins;
  let redis: TestRedis | undefined;
  let queueUrl: string;
  let alice: EngineContext;
  let bob: EngineContext;
  const running = new Map<string, FleetProcess>();

  const start = async (role: 'scheduler' | 'worker'): Promise<void> => {
    const urls = logins.urlsOf(`rollout_${role}`, queueUrl);
    running.set(role, await spawnFleetProcess({ role, concurrency: 2, pollMs: undefined, queueUrl, urls }));
  };
  const stop = async (role: 'scheduler' | 'worker'): Promise<void> => {
    expect(await running.get(role)?.terminate()).toBe(0);
  };

  beforeAll(async () => {
    if (kind === 'redis') redis = await startTestRedis();
    fleet = await createFleet({
      orgs: 900,
      queue: redis === undefined ? 'none' : { redis: redis.url },
      rollout: '{ batchSize: 100, approval: required }',
      sections: 'signups: { cutover: 2025-10-30 }',
    });
    logins = await makeDocumentedLogins(fleet);
    queueUrl = redis === undefined ? queueOnPostgres() : await queueOnRedis(redis);
    await initQueue(queueUrl);
    alice = logins.person('alice');
    bob = logins.person('bob');
    await start('worker');
    await start('scheduler');
  });
  afterAll(async () => {
    await Promise.all([...running.values()].map((one) => one.stop()));
    await logins?.drop();
    await fleet?.drop();
    await redis?.remove();
  });

  function queueOnPostgres(): string {
    const url = new URL(logins.as('rollout_queue', fleet.controlUrl));
    url.pathname = logins.nameOf('rollout_queue');
    return url.href;
  }
  async function queueOnRedis({ url }: TestRedis): Promise<string> {
    const client = new Redis(url);
    await client.call('ACL', ...(await readRedisAcl(logins.nameOf('rollout_queue'))));
    client.disconnect();
    return logins.as('rollout_queue', url);
  }

  const dc = () => fleet.cell(0).dataCenter.id;
  const stageOf = async () => (await fleet.stages())[0];
  const gateOf = async () => (await fleet.cell(0).sql('select * from credit_rollout.gate'))[0];
  const openRuns = () => fleet.control(`select kind from credit_rollout_control.runs where state = 'open'`);
  const rest = () => waitFor('nothing to run', async () => (await openRuns()).length === 0);
  const endedNights = (where: string) =>
    fleet.control(`select from credit_rollout_control.due_work where kind = 'reconcile' and ${where}`);
  const makePlan = () =>
    planDataCenter(alice, { config: fleet.config, dataCenter: dc(), card: fleet.cell(0).card, save: 'plan' });

  test('a plan is made, approved by a second person, applied after a pause, and verified', async () => {
    const { config } = fleet;
    const { card, dataCenter } = fleet.cell(0);
    const { planId } = await makePlan();
    const follow = { planId: planId ?? '' };
    await requestApply(alice, { config, card, dataCenters: [dataCenter], reason: 'the pilot', follow });
    await expect(approvePlan(alice, { ...follow, reason: null })).rejects.toMatchObject({ code: 'same_person' });
    await slowDown(fleet.cell(0), 300);
    await approvePlan(bob, { ...follow, reason: 'seen' });
    await waitFor('the canary to be over', async () => (await stageOf()) === 'migrating');
    await setIntent(alice, { dataCenter: dc(), intent: 'pause', reason: 'lunch' });
    await waitFor('the pause', async () => {
      const [row] = await fleet.control('select quiet from credit_rollout_control.data_centers');
      return row?.quiet === true;
    });
    expect(await stageOf()).toBe('migrating');
    await speedUp(fleet.cell(0));
    await setIntent(alice, { dataCenter: dc(), intent: 'run', reason: 'back' });
    await waitFor('the end', async () => (await stageOf()) === 'done');
    const [run] = await fleet.control(`select requested_by from credit_rollout_control.runs where kind = 'migrate'`);
    expect(run?.requested_by).toBe(logins.nameOf('alice'));
  });

  test('each process has proved its login, and has no right beyond its work', async () => {
    expect(await fleet.cell(0).sql('select login, powers from credit_rollout.workers')).toEqual([
      { login: logins.nameOf('rollout_worker'), powers: [] },
    ]);
    const scheduler = [{ login: logins.nameOf('rollout_scheduler'), powers: [] }];
    expect(await fleet.control('select login, powers from credit_rollout_control.schedulers')).toEqual(scheduler);
    expect(await fleet.cell(0).sql('select login, powers from credit_rollout.schedulers')).toEqual(scheduler);
    const status = await readStatus(alice);
    expect(status.dataCenters).toMatchObject([{ id: dc(), workersAlive: 1 }]);
    expect(status).toMatchObject({ schedulersAlive: 1 });
  });

  test('the cut-over happens, and its sweep ends', async () => {
    await waitFor('the sweep', async () => (await gateOf())?.swept_at !== null);
    expect(await gateOf()).toMatchObject({ latched_at: expect.any(Date) });
  });

  test('a night that is due, and one that a person asked for, heal what edits changed', async () => {
    const edit = (orgs: string) =>
      fleet.cell(0).sql(`update public.orgs set agents = agents + 1000 where org_id ${orgs}`);
    await rest();
    await edit('between 1 and 5');
    await fleet.control(`update credit_rollout_control.data_centers set done_at = done_at - interval '1 day'`);
    await waitFor('the night', async () => (await endedNights(`state in ('ran', 'caught_up')`)).length === 1);
    await rest();
    await edit('between 6 and 10');
    await requestReconcile(alice, { dataCenter: dc(), reason: 'an import' });
    await waitFor('what was asked for', async () => {
      const ended = await fleet.control(
        `select from credit_rollout_control.runs where kind = 'reconcile' and state = 'done'`,
      );
      return ended.length === 2;
    });
    await rest();
    await edit('between 11 and 12');
    const falls = await proposeFalls(alice, { dataCenter: dc(), reason: 'trials ended' });
    const id = { kind: 'falls', dataCenter: dc(), proposalId: falls.proposalId } as const;
    await expect(approveFalls(alice, id, 'mine')).rejects.toMatchObject({ code: 'same_person' });
    expect(await approveFalls(bob, id, 'agreed')).toMatchObject({ state: 'approved', alone: false });
    await waitFor('the falls that two people accepted', async () => {
      const ended = await fleet.control(`select run_id from credit_rollout_control.reconcile_requests
        where state = 'approved' and ended_at is not null`);
      return ended.length === 1;
    });
    expect(await fleet.cell(0).sql('select count(*)::int as n from credit_rollout.runs where allow_falls')).toEqual([
      { n: 1 },
    ]);
    const [healed] = await fleet
      .cell(0)
      .sql(`select bool_and(a.agents = o.agents) as all from credit_rollout.allotments a join public.orgs o using (org_id)
        where org_id <= 10`);
    expect(healed).toEqual({ all: true });
  });

  test('one person protects an org and proposes another floor, and a second one puts it into force', async () => {
    await rest();
    const [org] = await fleet.cell(0).sql(`select org_id::text, floor::int from credit_rollout.allotments
      where floor is not null and paid order by org_id limit 1`);
    const orgId = String(org?.org_id);
    const floor = BigInt(Number(org?.floor) + 700_000);
    for (const to of ['protected', 'unprotected'] as const)
      expect(await protectOrg(alice, { dataCenter: dc(), orgId, to, reason: 'a talk' })).toMatchObject({
        changed: true,
      });
    const proposed = await proposeOverride(alice, { dataCenter: dc(), orgId, floor, reason: 'a contract' });
    const id = parseProposalId(proposed.overrideId);
    if (id?.kind !== 'override') throw new Error('no override');
    await expect(approveOverride(alice, id, 'mine')).rejects.toMatchObject({ code: 'same_person' });
    expect(await approveOverride(bob, id, 'agreed')).toMatchObject({ state: 'applied' });
    const [enforced] = await fleet.cell(0).sql(
      `select a.floor, c.capacity - a.additional_credits as capacity
         from credit_rollout.org_capacity c join credit_rollout.allotments a using (org_id) where org_id = $1`,
      [orgId],
    );
    expect(enforced).toEqual({ floor: String(floor), capacity: String(floor) });
  });

  test('a scheduler that starts purges plans and findings that are over', async () => {
    await rest();
    const { planId } = await makePlan();
    const number = Number(planId?.split('-').at(-1));
    await stop('scheduler');
    await fleet.cell(0).sql(`begin; set local session_replication_role = replica;
      update credit_rollout.plans set made_at = made_at - interval '99 days' where plan_id = ${number};
      update credit_rollout.runs set ended_at = ended_at - interval '900 days' where kind = 'reconcile';
      update credit_rollout.drift set found_at = found_at - interval '900 days'; commit`);
    await fleet.control(`begin; set local session_replication_role = replica;
      update credit_rollout_control.plans set registered_at = registered_at - interval '99 days'
        where plan_id = '${planId}'; commit`);
    await start('scheduler');
    await waitFor('both purges', async () => {
      const rows = await fleet.control(
        `select distinct action from credit_rollout_control.audit where action in ('forget_plans', 'forget_drift')`,
      );
      return rows.length === 2;
    });
    for (const plans of [
      await fleet.control('select plan_id from credit_rollout_control.plans'),
      await fleet.cell(0).sql(`select '${dc()}-' || plan_id as plan_id from credit_rollout.plans`),
    ]) {
      expect(plans).toHaveLength(1);
      expect(plans).not.toContainEqual({ plan_id: planId });
    }
    const [left] = await fleet.cell(0).sql('select count(distinct run_id)::int as nights from credit_rollout.drift');
    expect(left).toEqual({ nights: 1 });
  });

  test('two people take the cut-over back, and postpone the next one', async () => {
    await rest();
    const reversed = await proposeReversal(alice, { dataCenter: dc(), to: '2098-10-30', reason: 'too early' });
    const reversal = { kind: 'reversal', dataCenter: dc(), proposalId: reversed.proposalId } as const;
    await expect(approveReversal(alice, reversal, null)).rejects.toMatchObject({ code: 'same_person' });
    await approveReversal(bob, reversal, 'yes');
    expect(await gateOf()).toMatchObject({ latched_at: null });
    await waitFor('the next arming', async () => (await gateOf())?.effective_at !== null);
    const moved = await proposePostponement(alice, { dataCenter: dc(), to: '2099-01-15', reason: 'later' });
    await approvePostponement(bob, { kind: 'postponement', dataCenter: dc(), proposalId: moved.proposalId }, 'yes');
    expect((await gateOf())?.configured_at).toEqual(new Date('2099-01-15T00:00:00Z'));
  });

  test('a right that the login of a running process gets or loses shows with its next sign of life', async () => {
    const powers = async () => [
      ...(await fleet.cell(0).sql('select powers from credit_rollout.workers')),
      ...(await fleet.control('select powers from credit_rollout_control.schedulers')),
    ];
    const inCell = `"${cellRoleName(dc(), 'reader')}"`;
    const inControl = controlRoleName('approver');
    const [worker, scheduler] = [logins.nameOf('rollout_worker'), logins.nameOf('rollout_scheduler')];
    await fleet.control(`grant ${inCell} to ${worker}; grant ${inControl} to ${scheduler}`);
    const more = [{ powers: ['reader'] }, { powers: ['approver'] }];
    expect(await waitUntil('more', powers, more)).toEqual(more);
    expect((await readStatus(alice)).logins).toEqual([
      { process: 'worker', dataCenter: dc(), login: worker, powers: ['reader'] },
      { process: 'scheduler', dataCenter: null, login: scheduler, powers: ['approver'] },
    ]);
    await fleet.control(`revoke ${inCell} from ${worker}; revoke ${inControl} from ${scheduler}`);
    const none = [{ powers: [] }, { powers: [] }];
    expect(await waitUntil('no more', powers, none)).toEqual(none);
    expect((await readStatus(alice)).logins).toEqual([]);
  });

  test('a person freezes the cell within seconds while the control database is away, and lifts it', async () => {
    const control = new URL(fleet.controlUrl).pathname.slice(1);
    const admit = (whom: 'all' | 'none') =>
      runAsAdmin(adminUrl(), `alter database "${control}" allow_connections ${whom === 'all'}`);
    await admit('none');
    await runAsAdmin(adminUrl(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${control}'`);
    try {
      const stopwatch = startStopwatch(fleet.cell(0));
      const frozen = await freeze(logins.person('alice'), { dataCenters: [dc()], reason: 'an incident' });
      expect(await stopwatch()).toBeLessThan(FREEZE_LIMIT_MS);
      expect(frozen).toMatchObject({ dataCenters: [{ state: 'frozen' }], recorded: false });
      const [row] = await fleet.cell(0).sql('select login from credit_rollout.freezes');
      expect(row?.login).toBe(logins.nameOf('alice'));
      const lifted = await unfreeze(logins.person('bob', 'away'), { dataCenters: [dc()], reason: 'over' });
      expect(lifted).toMatchObject({ dataCenters: [{ state: 'lifted' }], recorded: false });
    } finally {
      await admit('all');
    }
    await waitFor('a scheduler that is back', async () => (await readStatus(bob)).schedulersAlive === 1);
  });

  test('nothing was left that an invariant forbids', async () => {
    await fleet.expectInvariants();
    expect(await openRuns()).toEqual([]);
    await stop('worker');
    await stop('scheduler');
  });
}
