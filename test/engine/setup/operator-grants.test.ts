// The roles that init makes are enough: an operator asks, an approver approves, a scheduler runs, a viewer reads; none
// of them owns anything.
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
  crowd = await createPeople(
    fleet,
    { name: 'alice', roles: ['operator'] },
    { name: 'bob', roles: ['approver'] },
    { name: 'clock', roles: ['scheduler'] },
    { name: 'eve', roles: ['viewer'] },
  );
});
afterAll(async () => {
  await crowd.drop();
  await fleet.drop();
});

function engineOf(name: string): Fleet['engine'] {
  const person = crowd.people.find((one) => one.name.startsWith(`${name}_`));
  if (person === undefined) throw new Error(`there is no ${name}`);
  return person.engine;
}

test('an operator plans, asks, pauses and resumes, and a scheduler runs, with no right beyond their roles', async () => {
  const { config } = fleet;
  const { dataCenter, card } = fleet.cell(0);
  const engine = engineOf('alice');
  expect(engine.actor).toBeNull();
  await planDataCenter(engine, { config, dataCenter: dataCenter.id, card, save: 'plan' });
  await requestApply(engine, { config, card, dataCenters: [dataCenter], reason: null });
  for (const intent of ['pause', 'run'] as const)
    await setIntent(engine, { dataCenter: dataCenter.id, intent, reason: null });
  const outcome = await waitFor('the end of the rollout', async () => {
    await tick(engineOf('clock'), { schedulerId: 'a scheduler', config });
    await serveOpenWork(engine, dataCenter.id);
    const [stage] = await fleet.stages();
    return (stage === 'done' || stage === 'failed') && stage;
  });
  expect(outcome).toBe('done');
  await fleet.expectInvariants();
});

test('init explains that only the owner of control can run it, since no GRANT is enough', async () => {
  await expect(initControl(engineOf('alice'), fleet.config)).rejects.toMatchObject({
    code: 'not_permitted',
    message: expect.stringMatching(
      /^The control database: .*: init works only as the owner of the control database\.$/u,
    ),
    next: expect.stringContaining("its owner's URL"),
  });
});
