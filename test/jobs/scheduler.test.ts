// Who did what on the embedded servers, where everybody shares one login: a person asks, a scheduler acts.
import { expect, test } from 'vitest';
import { allDone, createFleet } from '../support/fleet.js';

test('the steps of a scheduler are recorded as its own, and a request as its person’s', async () => {
  const fleet = await createFleet({ orgs: 50, queue: 'postgres' });
  try {
    fleet.startWorker({ pollMs: 500 });
    fleet.startScheduler();
    await fleet.apply(fleet.cell(0));
    await fleet.waitForStages(allDone);
    const actors = await fleet.control(
      `select actor, array_agg(distinct action order by action) as actions
       from credit_rollout_control.audit where action in ('apply', 'activate', 'transition') group by actor order by 1`,
    );
    expect(actors).toEqual([
      { actor: 'scheduler', actions: ['activate', 'transition'] },
      { actor: 'tester', actions: ['apply'] },
    ]);
    const [plan] = await fleet.control('select author from credit_rollout_control.plans');
    expect(plan).toEqual({ author: 'tester' });
  } finally {
    await fleet.drop();
  }
});
