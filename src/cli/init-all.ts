// Makes the embedded default ready to be tried: sample orgs where there are none, the schemas, the queue. Idempotent.
import type { Program } from '../compose.js';
import type { DataCenterConfig } from '../domain/config/rollout-config.js';
import type { RateCard } from '../domain/rate-card/rate-card.js';
import { type InitCellReport, initCell } from '../engine/setup/init-cell.js';
import { initControl } from '../engine/setup/init-control.js';
import { addSignUpTrigger, installChangeFeed } from '../engine/setup/triggers.js';

export interface InitReport {
  readonly controlMigrations: readonly string[];
  readonly cells: readonly (InitCellReport & {
    /** Triggers note edited orgs for the change feed. */
    readonly changeFeed: boolean;
    /** A trigger onboards orgs as they are inserted. */
    readonly signUpTrigger: boolean;
  })[];
}

export interface InitChoices {
  readonly grant?: string | undefined;
  readonly changeFeed?: 'wanted' | 'as_before';
  readonly signUpTrigger?: 'wanted' | 'as_before';
}

/** `init`: control, the named cells, the queue. Control is left alone by whoever has no right to it: it is first. */
export async function initAll(
  program: Program,
  card: RateCard,
  dataCenters: readonly DataCenterConfig[],
  { grant, changeFeed: feed = 'as_before', signUpTrigger: trigger = 'as_before' }: InitChoices = {},
): Promise<InitReport> {
  const { engine, config } = program;
  const controlMigrations = await initControl(engine, config);
  const { lapseGraceDays } = config.grandfathering;
  const cells: InitReport['cells'][number][] = [];
  for (const dataCenter of dataCenters) {
    const cell = engine.cells.get(dataCenter.id);
    const report = await initCell(cell, { dataCenter, card, lapseGraceDays, grant });
    const changeFeed = await installChangeFeed(cell, { dataCenter, clock: engine.clock, feed });
    const signUpTrigger = await addSignUpTrigger(cell, { dataCenter, clock: engine.clock, trigger });
    cells.push({ ...report, changeFeed, signUpTrigger });
  }
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
