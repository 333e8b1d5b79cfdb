// Several schedulers at once, killed and suspended: one data center at a time, and nothing is lost.
import { afterEach, describe, expect, test } from 'vitest';
import { allDone, slowDown } from '../support/fleet.js';
import { waitFor } from '../support/wait.js';
import { dropAll, makeFleet, one } from './scheduler-scene.js';

afterEach(dropAll);

describe('several schedulers', () => {
  test('carry three data centers one after another, never two in the slot', async () => {
    const fleet = await makeFleet({ cells: [{}, {}, {}], orgs: 1_000, queue: 'postgres' });
    fleet.startWorker();
    const schedulers = [fleet.startScheduler(), fleet.startScheduler(), fleet.startScheduler()];
    expect(schedulers).toHaveLength(3);
    await fleet.apply(...fleet.cells);
    let most = 0;
    await fleet.waitForStages((stages) => {
      most = Math.max(most, stages.filter((stage) => ['canary', 'migrating', 'verifying'].includes(stage)).length);
      return allDone(stages);
    });
    expect(most).toBe(1);
    expect(await one(fleet, `select count(*)::int from credit_rollout_control.audit where action = 'activate'`)).toBe(
      3,
    );
    // the next one starts only after the one before is done, and that only after its fence is closed
    expect(
      await fleet.control(`select a.data_center from credit_rollout_control.audit a join credit_rollout_control.data_centers d on d.id = a.data_center
        where a.action = 'activate' and exists (select from credit_rollout_control.data_centers p where p.position < d.position and not exists (
          select from credit_rollout_control.audit f where f.data_center = p.id and f.seq < a.seq and f.action = 'transition' and f.details ->> 'to' = 'done'))`),
    ).toEqual([]);
    await fleet.expectInvariants();
  });

  test('survive repeated kill -9', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 2_000, queue: 'postgres' });
    for (const cell of fleet.cells) await slowDown(cell, 100);
    fleet.startWorker();
    await fleet.apply(...fleet.cells);
    let deaths = 0;
    while (!allDone(await fleet.stages()) && deaths < 5) {
      const scheduler = await fleet.spawn('scheduler');
      const moves = await one(fleet, 'select max(seq) from credit_rollout_control.audit');
      await waitFor(
        'a step or the end',
        async () =>
          (await one(fleet, 'select max(seq) from credit_rollout_control.audit')) !== moves ||
          allDone(await fleet.stages()),
      );
      await scheduler.kill();
      deaths += 1;
    }
    fleet.startScheduler();
    await fleet.waitForStages(allDone);
    expect(deaths).toBeGreaterThan(2);
    await fleet.expectInvariants();
  });

  test('one that is stopped while another finishes changes nothing when it is resumed', async () => {
    const fleet = await makeFleet({ cells: [{}, {}], orgs: 1_000, queue: 'postgres' });
    await slowDown(fleet.cell(0), 100);
    fleet.startWorker();
    const suspended = await fleet.spawn('scheduler');
    await fleet.apply(...fleet.cells);
    await fleet.waitForStages((stages) => stages[0] === 'migrating');
    suspended.signal('SIGSTOP');
    fleet.startScheduler();
    await fleet.waitForStages(allDone);
    await waitFor(
      'the last move of all: the feed let through',
      async () =>
        (await one(fleet, 'select bool_and(single_writes) from credit_rollout_control.data_centers')) === true,
    );
    const before = await fleet.control(
      'select id, stage, epoch, version from credit_rollout_control.data_centers order by id',
    );
    const fences = await Promise.all(fleet.cells.map((cell) => cell.sql('select * from credit_rollout.fence')));
    const seen = await one(
      fleet,
      `select max(seen_at)::text from credit_rollout_control.schedulers where scheduler_id like '%:${suspended.pid}'`,
    );
    suspended.signal('SIGCONT');
    await waitFor(
      'a poll of the resumed scheduler',
      async () =>
        (await one(
          fleet,
          `select max(seen_at)::text from credit_rollout_control.schedulers where scheduler_id like '%:${suspended.pid}'`,
        )) !== seen,
    );
    expect(await suspended.terminate()).toBe(0);
    expect(
      await fleet.control('select id, stage, epoch, version from credit_rollout_control.data_centers order by id'),
    ).toEqual(before);
    expect(await Promise.all(fleet.cells.map((cell) => cell.sql('select * from credit_rollout.fence')))).toEqual(
      fences,
    );
    await fleet.expectInvariants();
  });
});
