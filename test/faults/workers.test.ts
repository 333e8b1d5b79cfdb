// Workers that are killed, suspended and terminated: no batch is lost, none is done twice.
import { afterEach, describe, expect, test } from 'vitest';
import { readStatus } from '../../src/engine/operate/read-status.js';
import { requestReconcile } from '../../src/engine/reconcile/request-reconciliation.js';
import { tick } from '../../src/engine/scheduler/tick.js';
import { type Clock, systemClock } from '../../src/kernel/clock.js';
import { allDone, createFleet, type Fleet, type FleetOptions, slowDown, speedUp } from '../support/fleet.js';
import { noWakeUps } from '../support/silent.js';
import { startStopwatch } from '../support/stopwatch.js';
import { waitFor } from '../support/wait.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function makeFleet(options: FleetOptions): Promise<Fleet> {
  const fleet = await createFleet(options);
  dropped.push(fleet.drop);
  return fleet;
}

const done = async (fleet: Fleet): Promise<number> =>
  Number(
    (await fleet.cell(0).sql(`select count(*) as done from credit_rollout.batches where state = 'done'`))[0]?.done,
  );
const inBatch = async (fleet: Fleet): Promise<boolean> =>
  (
    await fleet.cell(0).sql(`select exists (select from pg_stat_activity where datname = current_database()
    and application_name = 'credit-rollout' and wait_event = 'PgSleep') as found`)
  )[0]?.found === true;
const countLocks = async (fleet: Fleet): Promise<number> =>
  Number(
    (
      await fleet.cell(0).sql(`select count(*) as held from pg_locks where locktype = 'advisory'
        and database = (select oid from pg_database where datname = current_database())`)
    )[0]?.held,
  );

describe('a worker', () => {
  test('may be killed -9 repeatedly in the middle of batches', async () => {
    const fleet = await makeFleet({ orgs: 1_500, queue: 'postgres' });
    await slowDown(fleet.cell(0), 300);
    fleet.startScheduler();
    await fleet.apply(fleet.cell(0));
    for (let death = 0; death < 4; death += 1) {
      const worker = await fleet.spawn('worker');
      await waitFor('a batch in the middle of its write', () => inBatch(fleet));
      await worker.kill();
    }
    await speedUp(fleet.cell(0));
    fleet.startWorker();
    await fleet.waitForStages(allDone);
    await fleet.expectInvariants();
  });

  test('that is killed frees its batch within seconds, by the server’s own check of the connection', async () => {
    const fleet = await makeFleet({ orgs: 100, queue: 'postgres' });
    await slowDown(fleet.cell(0), 1_900);
    fleet.startScheduler();
    await fleet.apply(fleet.cell(0));
    const worker = await fleet.spawn('worker');
    await waitFor('a batch in the middle of its write', () => inBatch(fleet));
    await worker.kill();
    const sinceKilled = startStopwatch(fleet.cell(0));
    await waitFor('its locks to go', async () => !(await inBatch(fleet)));
    expect(await sinceKilled()).toBeLessThan(2_500);
    expect(await done(fleet)).toBe(0);
  });

  test('that is suspended longer than its transaction may idle changes nothing when it resumes', async () => {
    const fleet = await makeFleet({ orgs: 1_200, queue: 'postgres' });
    await slowDown(fleet.cell(0), 120);
    fleet.startScheduler();
    await fleet.apply(fleet.cell(0));
    const suspended = await fleet.spawn('worker');
    await waitFor('a batch in the middle of its write', () => inBatch(fleet));
    suspended.signal('SIGSTOP');
    // one that slept right after its BEGIN stays, and holds nothing
    await waitFor('its locks to go', async () => (await countLocks(fleet)) === 0);
    fleet.startWorker({ pollMs: 500 });
    await fleet.waitForStages(allDone);
    const before = await fleet
      .cell(0)
      .sql('select md5(string_agg(a::text, chr(10) order by org_id)) from credit_rollout.allotments a');
    const changes = await fleet.cell(0).sql('select count(*) from credit_rollout.allotment_changes');
    suspended.signal('SIGCONT');
    expect(await suspended.terminate()).toBe(0);
    expect(
      await fleet
        .cell(0)
        .sql('select md5(string_agg(a::text, chr(10) order by org_id)) from credit_rollout.allotments a'),
    ).toEqual(before);
    expect(await fleet.cell(0).sql('select count(*) from credit_rollout.allotment_changes')).toEqual(changes);
    await fleet.expectInvariants();
  });

  test('that is suspended while it plans loses its lock and its snapshot, and another one plans', async () => {
    const fleet = await makeFleet({ orgs: 1_200, queue: 'postgres' });
    await fleet.cell(0).sql(`create function public.wait_a_little() returns trigger language plpgsql as
      'begin perform pg_sleep(0.5); return null; end'`);
    await fleet.cell(0).sql(`create trigger wait_a_little after insert on credit_rollout.plan_ranges
      for each statement execute function public.wait_a_little()`);
    fleet.startScheduler();
    await fleet.apply(fleet.cell(0));
    const suspended = await fleet.spawn('worker');
    await waitFor('a plan in the middle of a range', () => inBatch(fleet));
    const sinceStop = startStopwatch(fleet.cell(0));
    suspended.signal('SIGSTOP');
    await waitFor('its locks to go', async () => (await countLocks(fleet)) === 0);
    expect(await sinceStop()).toBeLessThan(5_000);
    fleet.startWorker({ pollMs: 500 });
    await fleet.waitForStages(allDone);
    suspended.signal('SIGCONT');
    expect(await suspended.terminate()).toBe(0);
    await fleet.expectInvariants();
  });

  test('ends within six seconds of SIGTERM, its batch done or not begun', async () => {
    const fleet = await makeFleet({ orgs: 2_000, queue: 'postgres' });
    await slowDown(fleet.cell(0), 400);
    fleet.startScheduler();
    await fleet.apply(fleet.cell(0));
    const worker = await fleet.spawn('worker');
    await waitFor('some batches', async () => (await done(fleet)) >= 2 && (await inBatch(fleet)));
    const stopwatch = startStopwatch(fleet.cell(0));
    expect(await worker.terminate()).toBe(0);
    expect(await stopwatch()).toBeLessThan(6_000);
    expect(await fleet.cell(0).sql('select count(*)::int as alive from credit_rollout.workers')).toEqual([
      { alive: 0 },
    ]);
    await fleet.expectInvariants();
    await speedUp(fleet.cell(0));
    fleet.startWorker();
    await fleet.waitForStages(allDone);
    await fleet.expectInvariants();
  });

  test('that meets a full disk is held with its code until the next good batch, not until its job ends', async () => {
    const fleet = await makeFleet({ orgs: 3_000, queue: 'postgres' });
    const { sql } = fleet.cell(0);
    await slowDown(fleet.cell(0), 400);
    await sql(`create function public.fill_disk() returns trigger language plpgsql as
      'begin raise exception ''could not extend file'' using errcode = ''disk_full''; end'`);
    await sql(`create trigger fill_disk before insert on credit_rollout.allotments
      for each statement execute function public.fill_disk()`);
    fleet.startWorker();
    fleet.startScheduler();
    await fleet.apply(fleet.cell(0));
    const holds = async () =>
      (await readStatus(fleet.engine)).dataCenters[0]?.holds.map(({ code, value }) => [code, value]);
    await waitFor('its hold', async () =>
      (await holds())?.some(([code, value]) => `${code} ${value}` === 'cell_trouble 53100'),
    );
    await sql('drop trigger fill_disk on credit_rollout.allotments');
    await waitFor('the end of the hold', async () => (await holds())?.length === 0);
    const [left] = await sql(`select count(*)::int as pending from credit_rollout.batches where state = 'pending'`);
    expect(left?.pending).toBeGreaterThan(0);
    await speedUp(fleet.cell(0));
    await fleet.waitForStages(allDone);
  });

  test('whose clock is set back still polls when no wake-up comes', async () => {
    const fleet = await makeFleet({ orgs: 200, queue: 'postgres' });
    let offMs = 0;
    const clock = { ...systemClock, now: () => new Date(systemClock.now().getTime() + offMs) };
    fleet.startWorker({ pollMs: 300, clock });
    await fleet.apply(fleet.cell(0));
    await fleet.tickUntil('the rollout', async () => allDone(await fleet.stages()));
    offMs = -7_200_000;
    const silent = { ...fleet.engine, wakeUps: noWakeUps };
    const dataCenter = fleet.cell(0).dataCenter.id;
    await requestReconcile(silent, { dataCenter, reason: null });
    await waitFor('the reconciliation', async () => {
      await tick(silent);
      const runs = await fleet.control(`select state from credit_rollout_control.runs where kind = 'reconcile'`);
      return runs[0]?.state === 'done';
    });
    expect(await fleet.stages()).toEqual(['done']);
  });

  test('that serves many data centers does not warn of its own loops', async () => {
    const fleet = await makeFleet({ cells: [{}, {}, {}, {}], orgs: 10, queue: 'postgres' });
    const warnings: string[] = [];
    const note = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', note);
    let waiting = 0;
    const clock: Clock = {
      now: systemClock.now,
      sleep: async (ms, signal) => {
        waiting += 1;
        await systemClock.sleep(ms, signal);
        waiting -= 1;
      },
    };
    const worker = fleet.startWorker({ clock });
    await waitFor('more loops to wait at once than Node expects', () => waiting > 10);
    await worker.stop();
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  test('never needs control: it serves its cells with nothing but their URLs and the queue’s', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 300, queue: 'postgres' });
    fleet.startWorker({ withoutControl: true });
    fleet.startScheduler();
    await fleet.apply(...fleet.cells);
    await fleet.waitForStages(allDone);
    await fleet.expectInvariants();
  });
});
