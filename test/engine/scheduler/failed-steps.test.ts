// A step that fails again and again is a hold that names it, for every scheduler and command, until it succeeds.
import { afterEach, expect, test } from 'vitest';
import { createTickProcessor } from '../../../jobs/tick.job.js';
import { readMetrics } from '../../../src/engine/operate/read-metrics.js';
import { readStatus } from '../../../src/engine/operate/read-status.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

let fleet: Fleet;
afterEach(() => fleet.drop());

const failed = () => fleet.control('select step, code, object, times from credit_rollout_control.failed_steps');
/** Nobody runs a scheduler here but the test. */
const holdsOf = async () =>
  (await readStatus(fleet.engine)).dataCenters[0]?.holds
    .filter(({ code }) => code !== 'no_scheduler')
    .map(({ code, value }) => [code, value]);

test('a step is a hold from the second failure in a row, and none after it succeeded', async () => {
  fleet = await createFleet({ orgs: 20 });
  const { sql } = fleet.cell(0);
  await fleet.apply(fleet.cell(0));
  // the scheduler may not ask the workers for a plan
  await sql('alter table credit_rollout.plan_requests add constraint no_request check (plan_id < 0) not valid');
  await tick(fleet.engine);
  expect(await failed()).toEqual([{ step: 'request_plan', code: '23514', object: 'no_request', times: 1 }]);
  await tick(fleet.engine);
  await tick(fleet.engine);
  expect((await failed())[0]).toMatchObject({ times: 3 });
  expect(await holdsOf()).toEqual([['step_failing', 'request_plan: 23514 (no_request)']]);
  await sql('alter table credit_rollout.plan_requests drop constraint no_request');
  expect(await fleet.drive()).toEqual(['done']);
  expect(await failed()).toEqual([]);
  expect(await holdsOf()).toEqual([]);
});

test('another failure of the same step begins anew, and what is no longer due is forgotten', async () => {
  fleet = await createFleet({ orgs: 20 });
  const { sql, dataCenter } = fleet.cell(0);
  await fleet.apply(fleet.cell(0));
  await sql('alter table credit_rollout.plan_requests add constraint no_request check (plan_id < 0) not valid');
  await tick(fleet.engine);
  await tick(fleet.engine);
  await sql('alter table credit_rollout.plan_requests drop constraint no_request');
  await sql('alter table credit_rollout.plan_requests rename to plan_requests_away');
  await tick(fleet.engine);
  expect(await failed()).toEqual([{ step: 'request_plan', code: '42P01', object: null, times: 1 }]);
  await sql('alter table credit_rollout.plan_requests_away rename to plan_requests');
  await sql('alter table credit_rollout.plan_requests add constraint no_request check (plan_id < 0) not valid');
  await tick(fleet.engine);
  await fleet.control(
    `update credit_rollout_control.data_centers set requested_at = null where id = '${dataCenter.id}'`,
  );
  await tick(fleet.engine);
  expect(await failed()).toEqual([]);
});

test('a scheduler whose ticks fail as a whole is seen by everybody, until one ends', async () => {
  fleet = await createFleet({ orgs: 20 });
  await fleet.apply(fleet.cell(0));
  await fleet.control('alter table credit_rollout_control.holds add constraint no_hold check (false) not valid');
  await fleet.control(`update credit_rollout_control.data_centers set intent = 'pause'`);
  const process = createTickProcessor(fleet.engine, { schedulerId: 'one' });
  const seen = async () => (await readStatus(fleet.engine)).tickFailures.map(({ code }) => code);
  await process();
  await process();
  expect(await seen()).toEqual(['23514']);
  expect(process.lastError()).toBe('23514');
  const [before] = (await readStatus(fleet.engine)).tickFailures;
  await process();
  expect((await readStatus(fleet.engine)).tickFailures).toEqual([before]);
  await fleet.control('alter table credit_rollout_control.holds drop constraint no_hold');
  await process();
  await process();
  expect(await seen()).toEqual([]);
  // what fails is the writing of the row: the process knows it all the same
  await fleet.control('alter table credit_rollout_control.schedulers add constraint no_row check (false) not valid');
  await process();
  const failing = async () =>
    (await readMetrics(fleet.engine, 20_000, process.lastError())).find(({ name }) => name === 'ticks_failing')?.value;
  expect([process.lastError(), await seen(), await failing()]).toEqual(['23514', [], 1]);
});
