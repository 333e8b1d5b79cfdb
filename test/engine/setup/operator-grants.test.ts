// The grants of docs/how-to/install-a-fleet.md are enough: an operator who owns nothing rolls a data center out, and
// stops it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setIntent } from '../../../src/engine/operate/set-intent.js';
import { planDataCenter } from '../../../src/engine/plan/plan-data-center.js';
import { requestApply } from '../../../src/engine/rollout/request-rollout.js';
import { tick } from '../../../src/engine/scheduler/tick.js';
import { initControl } from '../../../src/engine/setup/init-control.js';
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { createFleet, type Fleet } from '../../support/fleet.js';
import { createPeople, type TestPeople } from '../../support/person.js';
import { waitFor } from '../../support/wait.js';

let fleet: Fleet;
let crowd: TestPeople;
beforeAll(async () => {
  fleet = await createFleet({ orgs: 300 });
  crowd = await createPeople(fleet, 'alice');
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
});

test('an operator plans, asks, pauses, resumes and schedules with no right beyond the documented ones', async () => {
  const { config } = fleet;
  const { dataCenter, card } = fleet.cell(0);
  const engine = crowd.people[0]?.engine ?? fleet.engine;
  expect(engine.actor).toBeNull();
  await planDataCenter(engine, { config, dataCenter: dataCenter.id, card, save: 'plan' });
  await requestApply(engine, { config, card, dataCenters: [dataCenter], reason: null });
  for (const intent of ['pause', 'run'] as const)
    await setIntent(engine, { dataCenter: dataCenter.id, intent, reason: null });
  const outcome = await waitFor('the end of the rollout', async () => {
    await tick(engine, 'scheduler-of-alice');
    await serveOpenWork(engine, dataCenter.id);
    const [stage] = await fleet.stages();
    return (stage === 'done' || stage === 'failed') && stage;
  });
  expect(outcome).toBe('done');
  await fleet.expectInvariants();
});

test('init explains that only the owner of control can run it, since no GRANT is enough', async () => {
  await expect(initControl(crowd.people[0]?.engine ?? fleet.engine, fleet.config)).rejects.toMatchObject({
    code: 'not_permitted',
    message: expect.stringMatching(
      /^The control database: .*: init works only as the owner of the control database\.$/u,
    ),
    next: expect.stringContaining("its owner's URL"),
  });
});
