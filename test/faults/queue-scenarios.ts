// What every queue must survive, whichever back end it runs on: losing everything, nonsense, and being unreachable.
import { expect, test } from 'vitest';
import { connectQueue } from '../../jobs/queue/connection.js';
import { cellQueueName, createWakeUps, SCHEDULER_QUEUE } from '../../jobs/queue/wake-ups.js';
import { type Clock, systemClock } from '../../src/kernel/clock.js';
import { allDone, createFleet, type Fleet, type FleetOptions, slowDown } from '../support/fleet.js';
import { silentLog } from '../support/silent.js';
import { waitFor } from '../support/wait.js';

export const done = async (fleet: Fleet, n = 0): Promise<number> =>
  Number(
    (await fleet.cell(n).sql(`select count(*) as done from credit_rollout.batches where state = 'done'`))[0]?.done,
  );

export async function withFleet(options: FleetOptions, act: (fleet: Fleet) => Promise<void>): Promise<void> {
  const fleet = await createFleet(options);
  try {
    await act(fleet);
  } finally {
    await fleet.drop();
  }
}

/** A scheduler's own polls, every few seconds, come ten times as late. */
const sleepLonger: Clock['sleep'] = (ms, signal) => systemClock.sleep(ms >= 2_000 ? ms * 10 : ms, signal);

export interface QueueUnderTest {
  readonly queue: () => Exclude<FleetOptions['queue'], undefined>;
  /** Makes every key vanish. */
  readonly empty: (fleet: Fleet) => Promise<void>;
}

/** The promises that hold on every back end. */
export function testQueue({ queue, empty }: QueueUnderTest): void {
  test('carries two data centers from apply to done', () =>
    withFleet({ cells: [{}, {}], orgs: 400, queue: queue() }, async (fleet) => {
      // wake-ups alone: polling would take many times as long as is waited for
      for (const _ of [1, 2]) fleet.startWorker({ pollMs: 3_600_000 });
      fleet.startScheduler({ clock: { ...systemClock, sleep: sleepLonger } });
      await fleet.apply(...fleet.cells);
      await fleet.waitForStages(allDone, 120_000);
      await fleet.expectInvariants();
    }));

  test('accepts the very first wake-up of a process, before its connection is established', () =>
    withFleet({ orgs: 0, queue: queue() }, async (fleet) => {
      const id = fleet.cell(0).dataCenter.id;
      const connection = connectQueue(fleet.queueUrl ?? '');
      const wakeUps = createWakeUps(connection, silentLog);
      await wakeUps.request(id, 'apply', 1n, 2);
      const listener = connection.createQueue(cellQueueName(id));
      listener.on('error', () => undefined);
      const countWaiting = async () => (await listener.getJobCounts('waiting')).waiting ?? 0;
      await waitFor('two jobs', async () => (await countWaiting()) >= 2);
      expect(await countWaiting()).toBe(2);
      await Promise.all([listener.close(), wakeUps.close()]);
    }));

  test('may lose everything repeatedly in the middle of a run', () =>
    withFleet({ orgs: 2_000, queue: queue() }, async (fleet) => {
      await slowDown(fleet.cell(0), 80);
      fleet.startWorker({ pollMs: 2_000 });
      fleet.startScheduler();
      await fleet.apply(fleet.cell(0));
      for (let loss = 1; loss <= 3; loss += 1) {
        await waitFor('some more batches', async () => (await done(fleet)) >= loss * 4);
        await empty(fleet);
      }
      await fleet.waitForStages(allDone);
      await fleet.expectInvariants();
    }));

  test('gets the job scheduler of a running scheduler back after it lost everything', () =>
    withFleet({ orgs: 0, queue: queue() }, async (fleet) => {
      const connection = connectQueue(fleet.queueUrl ?? '');
      const queued = connection.createQueue(SCHEDULER_QUEUE);
      queued.on('error', () => undefined);
      const isScheduled = async () => (await queued.getJobScheduler('tick'))?.every === 2_000;
      fleet.startScheduler();
      await waitFor('a job scheduler', isScheduled);
      // far ahead, and added by nobody else: its absence shows that everything was lost, however soon the other one is
      // back
      const marker = await waitFor('a marker', () => queued.add('marker', {}, { delay: 3_600_000 }));
      await empty(fleet);
      expect(await queued.getJob(marker.id ?? '')).toBeUndefined();
      await waitFor('the job scheduler again', isScheduled);
      await queued.close();
      connection.close();
    }));

  test('may hold forged, malformed, foreign and old jobs, ten of each', () =>
    withFleet({ cells: [{}, {}], orgs: 500, queue: queue() }, async (fleet) => {
      const [first, second] = fleet.cells.map((cell) => cell.dataCenter.id);
      const connection = connectQueue(fleet.queueUrl ?? '');
      const forged: readonly unknown[] = [
        {},
        { dataCenter: second, epoch: '1', kind: 'apply' },
        { dataCenter: first, epoch: '0', kind: 'apply' },
        { dataCenter: first, epoch: '999999', kind: 'apply' },
        { dataCenter: first, epoch: '999999', kind: 'verify' },
        { dataCenter: first, epoch: 1, kind: 'apply' },
        { dataCenter: first, epoch: '1; drop table x', kind: 'apply' },
        { dataCenter: first, epoch: '1', kind: 'drop' },
        { dataCenter: first, epoch: '1', kind: 'cut', lanes: 99, __proto__: { x: 1 } },
        ['apply'],
        'apply',
        null,
      ];
      const names = [...fleet.cells.map((cell) => cellQueueName(cell.dataCenter.id)), SCHEDULER_QUEUE];
      for (const name of names) {
        const target = connection.createQueue(name);
        target.on('error', () => undefined);
        const jobs = forged.flatMap((data) => Array.from({ length: 10 }, () => ({ name: 'x', data })));
        await waitFor('a queue that takes jobs', async () => (await target.addBulk(jobs)).length > 0);
        await target.close();
      }
      fleet.startWorker();
      fleet.startScheduler();
      await fleet.apply(...fleet.cells);
      await fleet.waitForStages(allDone);
      await fleet.expectInvariants();
    }));
}
