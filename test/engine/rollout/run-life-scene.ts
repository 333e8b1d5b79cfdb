// Fleets that are dropped after each test, a number from one of their cells, and a worker that keeps serving them.
import { serveOpenWork } from '../../../src/engine/worker/serve-cell.js';
import { systemClock } from '../../../src/kernel/clock.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';

export const dropped: (() => Promise<void>)[] = [];

export async function dropAll(): Promise<void> {
  for (const drop of dropped.splice(0).reverse()) await drop();
}

export async function makeFleet(options: FleetOptions = {}): Promise<Fleet> {
  const fleet = await createFleet(options);
  dropped.push(fleet.drop);
  return fleet;
}

export const count = async (fleet: Fleet, sql: string, n = 0): Promise<number> =>
  Number(Object.values((await fleet.cell(n).sql(sql))[0] ?? {})[0]);

/** A worker of this process that checks for work until it is stopped. */
export function keepServing(fleet: Fleet): () => Promise<void> {
  const stops = fleet.cells.map(({ dataCenter }) => keepDoing(() => serveOpenWork(fleet.engine, dataCenter.id), 5));
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

/** One after the other, so that a busy machine has never more than one to do; what it returns stops it. */
export function keepDoing(act: () => Promise<unknown>, pauseMs: number): () => Promise<void> {
  let over = false;
  const doing = (async () => {
    while (!over) {
      await act().catch(() => undefined);
      await systemClock.sleep(pauseMs);
    }
  })();
  return async () => {
    over = true;
    await doing;
  };
}
