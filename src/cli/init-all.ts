// Makes the embedded default ready to be tried: sample orgs where there are none, the schemas, the queue. Idempotent.
import type { Program } from '../compose.js';
import type { DataCenterConfig } from '../domain/config/rollout-config.js';
import type { RateCard } from '../domain/rate-card/rate-card.js';
import { type InitCellReport, initCell } from '../engine/init-cell.js';
import { initControl } from '../engine/init-control.js';

export interface InitReport {
  readonly controlMigrations: readonly string[];
  readonly cells: readonly InitCellReport[];
}

/** `init`: control, the named cells, the queue. Control is left alone by whoever has no right to it: it is first. */
export async function initAll(
  program: Program,
  card: RateCard,
  dataCenters: readonly DataCenterConfig[],
  grant?: string,
): Promise<InitReport> {
  const { engine, config } = program;
  const controlMigrations = await initControl(engine, config);
  const { lapseGraceDays } = config.grandfathering;
  const cells: InitCellReport[] = [];
  for (const dataCenter of dataCenters)
    cells.push(await initCell(engine.cells.get(dataCenter.id), { dataCenter, card, lapseGraceDays, grant }));
  await program.initQueue();
  return { controlMigrations, cells };
}

/** Sample orgs of every data center of the embedded default; returns how many orgs each has. */
export async function seedSamples(program: Program): Promise<ReadonlyMap<string, number>> {
  const counts = await Promise.all(
    program.config.dataCenters.map(async ({ id }) => [id, await program.seedSample(id)] as const),
  );
  return new Map(counts);
}
