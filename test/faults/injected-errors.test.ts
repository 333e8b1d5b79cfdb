// Errors of every class that a Postgres server can raise, in the place of statements of every command: none ends as a
// bug, none shows a text of the server, none leaves half of something. A new command has no case here, and fails the
// last test.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { purgeService } from '../../jobs/purge.job.js';
import { writeSignUps } from '../../src/engine/cutover/write-sign-ups.js';
import { feedChanges } from '../../src/engine/feed/feed-changes.js';
import { readMetrics } from '../../src/engine/operate/read-metrics.js';
import { auditCells } from '../../src/engine/scheduler/audit-cells.js';
import { reportSchedulerGone } from '../../src/engine/scheduler/next-poll.js';
import { reportSchedulerLogin } from '../../src/engine/scheduler/report-login.js';
import { tick } from '../../src/engine/scheduler/tick.js';
import { deliverWebhooks } from '../../src/engine/webhooks/deliver.js';
import { prewarmConnections } from '../../src/engine/worker/prewarm-connections.js';
import { readWorkerMetrics } from '../../src/engine/worker/read-worker-metrics.js';
import {
  reachCell,
  reportAlive,
  reportGone,
  sampleCellChecks,
  serveOpenWork,
} from '../../src/engine/worker/serve-cell.js';
import { dumpDatabase } from '../residency/search.js';
import { COMMAND_NAMES, nameCommand } from '../support/command-names.js';
import { MARKER } from './injected-faults.js';
import { ALICE, BOB, InjectionScene, OWNER } from './injection-scene.js';

const OPS = { name: 'ops', url: 'https://127.0.0.1:1/', key: null, link: null };
/** Steps of a process between the statements that fail. */
const STRIDE = 5;

let scene: InjectionScene;
let at: readonly string[] = [];

const setInstant = (sql: string): Promise<unknown> =>
  scene.fleet.control(`set local session_replication_role = replica; update credit_rollout_control.rollout set pinned_at = now();
    update credit_rollout_control.data_centers set ${sql}`);
const editAllotment = (by: number): Promise<unknown> =>
  scene.fleet.cell(0).sql(`update credit_rollout.allotments set variable_credits = variable_credits + ${by},
    total_credits = total_credits + ${by} where org_id = 14`);

beforeAll(async () => {
  scene = await InjectionScene.create();
  at = ['--dc', scene.fleet.cell(0).dataCenter.id];
}, 60_000);
afterAll(() => scene.drop());

/** A scheduler and a worker, whose statements fail one after the other: rounds for each service of both processes. */
async function driveInFaults(rounds: number): Promise<void> {
  const { engine } = scene.fleet;
  const dc = scene.fleet.cell(0).dataCenter.id;
  const { signal } = new AbortController();
  const works = [
    ['tick', () => tick(engine, { schedulerId: 'a' })],
    ['work', () => serveOpenWork(engine, dc)],
    ['feed', () => feedChanges(engine, dc, { pace: 'rests' })],
    ['sign-ups', () => writeSignUps(engine, dc)],
    ['audit', () => auditCells(engine)],
    ['alive', () => reportAlive(engine, dc, 'a', null)],
    ['reach', () => reachCell(engine, dc)],
    ['checks', () => sampleCellChecks(engine, dc)],
    ['prewarming', () => prewarmConnections(engine, dc, 1)],
    ['login', () => reportSchedulerLogin(engine)],
    ['webhooks', () => deliverWebhooks({ ...engine, send: async () => ({ kind: 'accepted' }) }, [OPS], signal)],
    ['metrics', () => readMetrics(engine, 2_000)],
    ['metrics of a worker', () => readWorkerMetrics(engine, [dc], 2_000)],
    ['gone', () => reportGone(engine, dc, 'a')],
    ['scheduler gone', () => reportSchedulerGone(engine, 'a')],
    ['purge', () => purgeService(engine).runOnce(signal)],
  ] as const;
  for (let round = 0; round < rounds; round += 1)
    for (const [what, work] of works) await scene.fail(what, 1 + STRIDE * round, work);
}

describe('a command whose database raises an error', () => {
  test('before anything was rolled out', async () => {
    await scene.changeAgain(OWNER, 'init');
    await scene.read(OWNER, 'doctor');
    await scene.read(ALICE, 'status', '--within', '60');
    await scene.read(ALICE, 'wait', ...at);
    const planned = await scene.changeAgain(ALICE, 'plan', ...at);
    const planId = String(JSON.parse(planned.out).plan_id);
    await scene.change(BOB, async () => {
      const { plan_id: other } = await scene.expectDone(ALICE, 'plan', ...at);
      return ['approve', String(other)];
    });
    await scene.read(ALICE, 'plans');
    await scene.read(ALICE, 'plans', 'show', planId);
    await scene.read(ALICE, 'plans', 'diff', planId, planId);
    expect(scene.wrong).toEqual([]);
  });

  test('while it is rolled out', async () => {
    await scene.read(ALICE, 'apply', ...at);
    await scene.change(ALICE, async () => {
      await scene.run(ALICE, 'abort', ...at);
      return ['apply', ...at, '--execute'];
    });
    await scene.change(ALICE, async () => {
      await scene.run(ALICE, 'resume', ...at);
      return ['pause', ...at];
    });
    await scene.change(ALICE, async () => {
      await scene.run(ALICE, 'pause', ...at);
      return ['resume', ...at];
    });
    await scene.change(ALICE, async () => {
      await scene.run(ALICE, 'apply', ...at, '--execute');
      return ['abort', ...at];
    });
    await scene.change(ALICE, async () => {
      await scene.run(ALICE, 'unfreeze');
      return ['freeze', ...at];
    });
    await scene.change(ALICE, async () => {
      await scene.run(ALICE, 'freeze');
      return ['unfreeze'];
    });
    await scene.fleet.cell(0).sql('alter table credit_rollout.allotments add constraint never_47 check (org_id <> 47)');
    await scene.change(ALICE, async () => {
      await scene.run(ALICE, 'apply', ...at, '--execute');
      expect(await scene.fleet.drive()).toEqual(['failed']);
      return ['retry', ...at];
    });
    await scene.fleet.cell(0).sql('alter table credit_rollout.allotments drop constraint never_47');
    await driveInFaults(4);
    await scene.run(ALICE, 'retry', ...at);
    expect(await scene.fleet.drive()).toEqual(['done']);
    const stored = await dumpDatabase('control', scene.fleet.controlUrl);
    expect(stored.filter(({ text }) => text.includes(MARKER) || /\b(internal|other)\b/u.test(text))).toEqual([]);
    expect(scene.wrong).toEqual([]);
  });

  test('afterwards', async () => {
    await scene.read(ALICE, 'calendar');
    await scene.read(ALICE, 'cutover', 'show');
    await scene.read(ALICE, 'verify', ...at);
    await scene.read(ALICE, 'why', '4', ...at);
    await scene.read(ALICE, 'quarantine', ...at);
    await scene.read(ALICE, 'audit');
    await scene.read(ALICE, 'audit', '--verify');
    await scene.read(ALICE, 'settings', 'show');
    await scene.read(ALICE, 'settings', 'get', 'lanes', ...at);
    await scene.changeAgain(ALICE, 'settings', 'set', 'lanes', '1', ...at, '--execute');
    await scene.changeAgain(ALICE, 'settings', 'unset', 'lanes', ...at, '--execute');
    await scene.fleet.control(`insert into credit_rollout_control.webhooks (webhook) values ('ops')
      on conflict do nothing`);
    await scene.read(ALICE, 'webhooks', 'list');
    await scene.changeAgain(ALICE, 'webhooks', 'resend', '--to', 'ops', '--execute');
    await scene.read(ALICE, 'reconcile', ...at);
    await scene.read(ALICE, 'usage', 'show', ...at);
    await scene.read(ALICE, 'usage', 'show', '4', ...at);
    await scene.read(ALICE, 'exception', 'list', ...at);
    await scene.change(ALICE, async () => {
      await scene.run(ALICE, 'protect', '5', ...at, '--remove');
      return ['protect', '5', ...at];
    });
    await scene.change(ALICE, async () => {
      await scene.run(ALICE, 'override', '13', ...at, '--withdraw');
      return ['override', '13', ...at, '--floor', '4000000'];
    });
    await scene.run(ALICE, 'override', '13', ...at, '--withdraw');
    let floor = 4_000_000;
    await scene.change(BOB, async () => {
      floor += 1_000;
      await scene.run(ALICE, 'override', '13', ...at, '--withdraw');
      const { override_id: id } = await scene.expectDone(ALICE, 'override', '13', ...at, '--floor', String(floor));
      return ['approve', String(id)];
    });
    await scene.change(ALICE, async () => {
      await scene.run(BOB, 'exception', 'answer', '15', ...at, '--execute', '--decline', 'no');
      return ['exception', 'add', '15', ...at, '--execute', '--text', 'imports'];
    });
    await scene.change(BOB, async () => {
      await scene.run(ALICE, 'exception', 'add', '15', ...at, '--execute', '--text', 'imports');
      return ['exception', 'answer', '15', ...at, '--execute', '--decline', 'no'];
    });
    expect(scene.wrong).toEqual([]);
  });

  test('in what two people decide', async () => {
    await scene.fleet.drive();
    const propose = ['settings', 'propose', 'rollout.bake', 'PT1H', '--execute'];
    const idOf = (document: Readonly<Record<string, unknown>>): string =>
      String((document.changes as readonly { readonly change_id: string }[])[0]?.change_id);
    let hours = 1;
    const withdraw = async (): Promise<void> => {
      const open = await scene.fleet.control(
        `select change_id from credit_rollout_control.policy_changes where state = 'proposed'`,
      );
      for (const { change_id: id } of open) await scene.expectDone(ALICE, 'settings', 'withdraw', `s${id}`);
    };
    await scene.change(ALICE, async () => {
      await withdraw();
      return propose;
    });
    await scene.change(ALICE, async () => {
      await withdraw();
      return ['settings', 'withdraw', idOf(await scene.expectDone(ALICE, ...propose))];
    });
    await scene.change(BOB, async () => {
      await withdraw();
      hours += 1;
      return ['approve', idOf(await scene.expectDone(ALICE, ...propose.with(3, `PT${hours}H`)))];
    });
    await withdraw();
    await editAllotment(-1);
    await scene.read(ALICE, 'repair', ...at);
    await scene.change(ALICE, async () => {
      await scene.fleet.drive();
      await editAllotment(-1);
      return ['repair', ...at, '--execute'];
    });
    await scene.fleet.drive();
    await scene.change(ALICE, async () => {
      await scene.fleet.drive();
      return ['reconcile', ...at, '--execute'];
    });
    await scene.fleet.cell(0).sql('update public.orgs set agents = agents + 1 where org_id < 20');
    await driveInFaults(3);
    await scene.fleet.drive();
    await scene.read(ALICE, 'reconcile', '--history');
    await scene.read(ALICE, 'usage', 'propose', ...at, '--execute');
    await scene.changeAgain(ALICE, 'meter', 'enforce', ...at, '--credits', 'on', '--execute');
    await setInstant(`cutover_at = '2098-10-30', cutover_local = '2098-10-30T00:00:00 UTC'`);
    await scene.change(ALICE, async () => {
      await scene.run(ALICE, 'cutover', 'postpone', ...at, '--withdraw');
      return ['cutover', 'postpone', ...at, '--to', '2098-11-03'];
    });
    await scene.run(ALICE, 'cutover', 'postpone', ...at, '--withdraw');
    await setInstant(`cutover_at = now() - interval '1 hour'`);
    await scene.read(ALICE, 'cutover', 'execute', ...at);
    await scene.change(ALICE, async () => {
      await setInstant(`cutover_at = now() - interval '1 hour'`);
      return ['cutover', 'execute', ...at, '--execute'];
    });
    await scene.fleet.drive();
    await scene.change(ALICE, async () => {
      await scene.run(ALICE, 'cutover', 'reverse', ...at, '--withdraw');
      return ['cutover', 'reverse', ...at, '--to', '2098-11-03'];
    });
    await driveInFaults(2);
    await scene.fleet.drive();
    // refused for good reasons, whatever fails before that is known
    for (const kind of ['o', 'p', 'c', 'r', 'f', 'a', 'u']) await scene.read(BOB, 'approve', `${at[1]}-${kind}9`);
    await scene.read(ALICE, 'undo', ...at, '--execute');
    await scene.read(ALICE, 'adopt-cell', ...at, '--execute');
    await scene.read(ALICE, 'remove', ...at);
    await scene.read(OWNER, 'uninstall', ...at);
    await scene.serve(OWNER, 'worker', ...at);
    await scene.serve(OWNER, 'scheduler');
    await scene.serve(OWNER, 'up');
    await scene.serve(OWNER, 'meter', 'serve', ...at, '--listen', '127.0.0.1:0');
    await scene.changeAgain(OWNER, 'detach', ...at);
    await scene.read(OWNER, 'remove', ...at, '--execute');
    await scene.read(OWNER, 'uninstall', ...at, '--execute');
    expect(scene.wrong).toEqual([]);
  });
});

test('is checked here for every command', () => {
  const ran = new Set(scene.ran.map(nameCommand));
  // demo has servers of its own, and a rate card is checked without one
  expect(COMMAND_NAMES.filter((one) => !ran.has(one))).toEqual(['rate-card check', 'demo']);
});
