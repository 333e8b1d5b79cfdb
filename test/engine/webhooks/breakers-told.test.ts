// A breaker that stops a run is seen from outside, whichever it is: the event and its code, the hold of who waits for
// it, and the metrics.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readMetrics } from '../../../src/engine/operate/read-metrics.js';
import { retryRun } from '../../../src/engine/rollout/retry-run.js';
import { createFleet, type Fleet } from '../../support/fleet.js';

let fleet: Fleet;
beforeAll(async () => {
  const rollout = '{ batchSize: 100, checks: [], guardRails: { quarantinedShare: 0.02 } }';
  fleet = await createFleet({ cells: [{}, {}], orgs: 600, rollout });
  await fleet.control(`insert into credit_rollout_control.webhooks (webhook) values ('ops')`);
});
afterAll(() => fleet.drop());

const failures = async (): Promise<readonly unknown[]> =>
  (
    await fleet.control(`select failure from credit_rollout_control.webhook_events
      where kind = 'stage.changed' and code = 'failed' order by event_id`)
  ).map(({ failure }) => failure);

test('quarantine_exceeded and source_row_security: an event each, a hold of the next, and both in the metrics', async () => {
  const [first, second] = [fleet.cell(0), fleet.cell(1)];
  const { planId } = await fleet.plan(first);
  await first.sql(`update public.orgs set edition = 'nobody knows it' where org_id <> all
    (select unnest(canary_ids) from credit_rollout.plans)`);
  await fleet.applyPlan(first, planId ?? '');
  await fleet.apply(second);
  expect(await fleet.drive()).toEqual(['failed', 'pending']);
  expect(await failures()).toEqual(['quarantine_exceeded']);
  const waits = await fleet.control(`select data_center, code, until from credit_rollout_control.hold_log
    where code = 'predecessor_failed'`);
  expect(waits).toEqual([{ data_center: second.dataCenter.id, code: 'predecessor_failed', until: null }]);
  expect(
    await fleet.control(`select kind, needs_person from credit_rollout_control.webhook_events
      where kind = 'hold.began' and code = 'predecessor_failed'`),
  ).toEqual([{ kind: 'hold.began', needs_person: true }]);
  const shown = (await readMetrics(fleet.engine, 20_000)).map(
    ({ name, labels, value }) => `${name} ${Object.values(labels).join(' ')} ${value}`,
  );
  expect(shown).toEqual(
    expect.arrayContaining([
      `stage ${first.dataCenter.id} failed 1`,
      `hold ${second.dataCenter.id} predecessor_failed true 1`,
    ]),
  );
  await first.sql(`update public.orgs set edition = 'standard' where edition = 'nobody knows it';
    alter table public.orgs enable row level security`);
  await retryRun(fleet.engine, first.dataCenter.id, 'the source is corrected');
  expect(await fleet.drive()).toEqual(['failed', 'pending']);
  expect(await failures()).toEqual(['quarantine_exceeded', 'source_row_security']);
});
