// What status says of a cell without our schema.
import { afterEach, describe, expect, test } from 'vitest';
import { listPlans } from '../../src/engine/list-plans.js';
import { type DataCenterStatus, readStatus } from '../../src/engine/read-status.js';
import { createFleet, type Fleet, type FleetOptions } from '../support/fleet.js';

const fleets: Fleet[] = [];
async function makeFleet(options: FleetOptions): Promise<Fleet> {
  const fleet = await createFleet(options);
  fleets.push(fleet);
  return fleet;
}
afterEach(async () => {
  await Promise.all(fleets.splice(0).map((fleet) => fleet.drop()));
});

async function readOnly(fleet: Fleet): Promise<DataCenterStatus | undefined> {
  return (await readStatus(fleet.engine)).dataCenters[0];
}
describe('readStatus', { timeout: 60_000 }, () => {
  test('says not_initialised and init of a cell without our schema, and listPlans the same', async () => {
    const fleet = await makeFleet({ cells: [{ init: 'left' }], orgs: 5 });
    const { id } = fleet.cell(0).dataCenter;
    expect(await readOnly(fleet)).toMatchObject({ unreachable: 'not_initialised', next: 'credit-rollout init' });
    const { unreachable } = await listPlans(fleet.engine, { config: fleet.config, dataCenters: [id], most: 10 });
    expect(unreachable).toEqual([{ dataCenter: id, code: 'not_initialised' }]);
  });

  test('says the same where only the roles are left of it', async () => {
    const fleet = await makeFleet({ orgs: 5 });
    await fleet.cell(0).sql('drop schema credit_rollout cascade');
    expect(await readOnly(fleet)).toMatchObject({ unreachable: 'not_initialised', next: 'credit-rollout init' });
  });
});
