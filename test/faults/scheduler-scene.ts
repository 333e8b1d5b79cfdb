// Fleets that are dropped after each test, and one value from their control database.
import { createFleet, type Fleet, type FleetOptions } from '../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];

export async function dropAll(): Promise<void> {
  for (const drop of dropped.splice(0).reverse()) await drop();
}

export async function makeFleet(options: FleetOptions): Promise<Fleet> {
  const fleet = await createFleet(options);
  dropped.push(fleet.drop);
  return fleet;
}

export const one = async (fleet: Fleet, sql: string): Promise<unknown> =>
  Object.values((await fleet.control(sql))[0] ?? {})[0];
