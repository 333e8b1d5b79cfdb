// The product's own path on a fresh schema: init, scheduler and worker as they ship, a plan and its apply, until the
// stage is done.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startScheduler } from '../../jobs/processes/scheduler.js';
import { compose, findDataCenter, type Program } from '../../src/compose.js';
import type { PlanReport } from '../../src/domain/plan/plan-report.js';
import { RESTING_STAGES } from '../../src/domain/rollout/stage.js';
import { planDataCenter } from '../../src/engine/plan/plan-data-center.js';
import { requestApply } from '../../src/engine/rollout/request-rollout.js';
import { initCell } from '../../src/engine/setup/init-cell.js';
import { initControl } from '../../src/engine/setup/init-control.js';
import { shareSealKey } from '../../src/engine/setup/share-seal-key.js';
import { systemClock } from '../../src/kernel/clock.js';
import { readWorkers } from '../../src/stores/cell/batch/workers.js';
import { type DataCenterRow, listDataCenters } from '../../src/stores/control/data-centers.js';
import { measureBareAggregate } from './bare-aggregate.js';
import {
  type BenchBed,
  type Beside,
  CONTROL,
  DATA_CENTER,
  type Measure,
  nothingBeside,
  RATE_CARD,
  resetTarget,
} from './bed.js';
import { type BenchWorker, forkWorker, startInlineWorker, type WorkerMemory } from './bench-worker.js';
import { checkpoint, recreateDatabase } from './database.js';
import { type ProductTimes, readProductTimes } from './product-times.js';

export interface ProductMeasure extends Measure {
  readonly times: ProductTimes;
  /** From asking for the rollout to the start of the first batch. */
  readonly askedToFirstBatchMs: number;
  readonly memory: WorkerMemory | undefined;
  /** How long the plan took that it followed, and a bare aggregate just before it, in ms. */
  readonly planMs: number;
  /** That the plan chose. */
  readonly batchSize: PlanReport['batchSize'];
  readonly aggregateMs: number;
}

type ProductBed = Pick<BenchBed, 'server' | 'options' | 'worker' | 'cell'>;

const POLL_INTERVAL_MS = 100;

/** Makes the product's schemas in a fresh state; the caller closes the program. */
export async function initProduct({
  server,
  options,
  cell,
}: ProductBed): Promise<{ program: Program; configPath: string }> {
  await recreateDatabase(server.url('postgres'), CONTROL);
  const configPath = join(server.folder, 'rollout.config.yaml');
  await writeFile(configPath, configText(server.url(CONTROL), server.url(cell), options), { mode: 0o600 });
  const program = await compose({ configPath, cellConnections: () => options.lanes + 4 });
  try {
    const card = await program.loadRateCard();
    const dataCenter = findDataCenter(program.config, DATA_CENTER.id);
    await initControl(program.engine, program.config);
    await initCell(program.engine.cells.get(DATA_CENTER.id), { dataCenter, card, lapseGraceDays: 30 });
    await shareSealKey(program.engine, DATA_CENTER.id, 'existing');
    await program.initQueue();
    return { program, configPath };
  } catch (error) {
    await program.close();
    throw error;
  }
}

// the queue lies beside control, as in the embedded default
const configText = (control: string, cell: string, { batchSize, lanes }: ProductBed['options']): string => `
controlDatabase: ${JSON.stringify(control)}
queue: ${JSON.stringify(control)}
rateCard: ${JSON.stringify(RATE_CARD)}
rollout: { batchSize: ${batchSize}, lanes: ${lanes} }
dataCenters:
  - { id: ${DATA_CENTER.id}, zone: ${DATA_CENTER.zone}, database: ${JSON.stringify(cell)}, source: public.orgs }
`;

/** One whole rollout of the cell; verification is in `times`, apart, and the plan in `planMs`. */
export async function measureProduct(bed: BenchBed, beside: Beside = nothingBeside): Promise<ProductMeasure> {
  await resetTarget(bed);
  const { program, configPath } = await initProduct(bed);
  const given = { configPath, dataCenter: DATA_CENTER.id, concurrency: bed.options.lanes };
  const worker = bed.worker === 'process' ? forkWorker(given) : await startInlineWorker(program, given);
  const scheduler = startScheduler(program.engine, await program.connectQueue('own'));
  try {
    await waitForWorker(program);
    const aggregateMs = await measureBareAggregate(bed);
    const plan = await measurePlanning(program);
    await checkpoint(bed.server.url(bed.cell));
    const rolledOut = await beside(() => rollOut(bed, program, worker, plan.planId));
    return { ...rolledOut, planMs: plan.ms, batchSize: plan.batchSize, aggregateMs };
  } finally {
    await worker.stop();
    await scheduler.stop();
    await program.close();
  }
}

/** Until a worker of the cell has sent a heartbeat. */
export async function waitForWorker(program: Program): Promise<void> {
  const alive = (): Promise<number> =>
    program.engine.cells.get(DATA_CENTER.id).inTransaction('fencer', async (tx) => (await readWorkers(tx)).alive);
  const deadline = Date.now() + 30_000;
  while ((await alive()) === 0) {
    if (Date.now() > deadline) throw new Error('the worker sent no heartbeat within 30 s');
    await systemClock.sleep(POLL_INTERVAL_MS);
  }
}

interface PlannedHere extends Pick<PlanReport, 'batchSize'> {
  readonly ms: number;
  readonly planId: string;
}

/** The dry run that is kept, as the command makes it. */
async function measurePlanning(program: Program): Promise<PlannedHere> {
  const card = await program.loadRateCard();
  const started = performance.now();
  const { config, engine } = program;
  const report = await planDataCenter(engine, { config, dataCenter: DATA_CENTER.id, card, save: 'plan' });
  return { ms: performance.now() - started, planId: report.planId ?? '', batchSize: report.batchSize };
}

async function rollOut(
  bed: BenchBed,
  program: Program,
  worker: BenchWorker,
  planId: string,
): Promise<Omit<ProductMeasure, 'planMs' | 'batchSize' | 'aggregateMs'>> {
  const dataCenters = [findDataCenter(program.config, DATA_CENTER.id)];
  const card = await program.loadRateCard();
  await worker.markStart();
  const askedAt = Date.now();
  const { config, engine } = program;
  await requestApply(engine, { config, card, dataCenters, reason: 'benchmark', follow: { planId } });
  const ended = await waitUntilResting(program);
  const memory = await worker.readMemory();
  if (ended.stage !== 'done') throw new Error(`the rollout ended as ${ended.stage} (${ended.failure ?? 'no failure'})`);
  const times = await readProductTimes(bed.server.url(bed.cell), bed.server.url(CONTROL), DATA_CENTER.id);
  return {
    orgs: times.orgs,
    ms: times.migrateMs,
    written: times.written,
    totalCredits: times.totalCredits,
    times,
    askedToFirstBatchMs: times.firstBatchAt - askedAt,
    memory,
  };
}

/** Until the data center rests, and nothing is asked for. */
export async function waitUntilResting(program: Program): Promise<DataCenterRow> {
  for (;;) {
    const [row] = await program.engine.control.inTransaction(listDataCenters);
    if (row === undefined) throw new Error('control lost its data center');
    if (row.requestedAt === null && RESTING_STAGES.includes(row.stage)) return row;
    await systemClock.sleep(POLL_INTERVAL_MS);
  }
}
