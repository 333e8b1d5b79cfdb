// What the tests of plans and of the runs that follow them share: a fleet, and short ways to query it.
import type { TestCell } from '../../support/cell.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];
/** Drops what a test made. */
export const dropFleets = async (): Promise<void> => {
  for (const drop of dropped.splice(0)) await drop();
};

export async function makeFleet(options: FleetOptions = {}): Promise<Fleet> {
  const fleet = await createFleet(options);
  dropped.push(fleet.drop);
  return fleet;
}

export const one = async (cell: TestCell, sql: string): Promise<Readonly<Record<string, unknown>>> =>
  (await cell.sql(sql))[0] ?? {};
export const idOf = (planId: string | null): string => planId ?? '';
export const holdsOf = async (fleet: Fleet): Promise<readonly unknown[]> =>
  (await fleet.control('select code from credit_rollout_control.holds order by position')).map(({ code }) => code);
