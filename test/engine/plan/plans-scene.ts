// What the tests of made plans share: a fleet of 500 orgs, and how one of its plans is made.
import { listPlans, type PlanList } from '../../../src/engine/plan/list-plans.js';
import { planDataCenter } from '../../../src/engine/plan/plan-data-center.js';
import { sampleCard } from '../../domain/rate-card/sample-card.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';

export const dropped: (() => Promise<void>)[] = [];
/** Drops, last first, what a test made. */
export const dropAll = async (): Promise<void> => {
  for (const drop of dropped.splice(0).reverse()) await drop();
};

export async function makeFleet(options: FleetOptions = {}): Promise<Fleet> {
  const fleet = await createFleet({ orgs: 500, ...options });
  dropped.push(fleet.drop);
  return fleet;
}

/** Makes a plan and returns its id. */
export async function plan(fleet: Fleet, n = 0, card = sampleCard, batchSize = 100): Promise<string> {
  const rollout = { ...fleet.config.rollout, batchSize };
  const dataCenter = fleet.cell(n).dataCenter.id;
  const report = await planDataCenter(fleet.engine, { config: { rollout }, dataCenter, card, save: 'plan' });
  return report.planId ?? '';
}

export const list = (fleet: Fleet, limit = 100): Promise<PlanList> =>
  listPlans(fleet.engine, {
    config: fleet.config,
    dataCenters: fleet.cells.map(({ dataCenter }) => dataCenter.id),
    limit,
  });
