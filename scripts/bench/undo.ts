// How long an undo takes beside the rollout that it takes back, on the same cell, one after the other. Measures both by
// what their batches recorded; judges nothing.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { startScheduler } from '../../jobs/processes/scheduler.js';
import { compose, type Program } from '../../src/compose.js';
import { approveUndo, requestUndo } from '../../src/engine/undo/request-undo.js';
import { parseProposalId } from '../../src/kernel/proposal-id.js';
import { openPostgres } from '../../src/platform/postgres.js';
import { createControlDatabase } from '../../src/stores/control/control-database.js';
import { controlRoleName } from '../../src/stores/control/roles.js';
import { type BenchBed, CONTROL, DATA_CENTER } from './bed.js';
import { forkWorker, startInlineWorker } from './bench-worker.js';
import { checkpoint, withClient } from './database.js';
import { findMedian, formatCount, formatMs } from './numbers.js';
import { measureProduct, waitForWorker, waitUntilResting } from './product.js';
import type { BenchRun } from './run-bench.js';

/** One rollout and its undo. */
export interface UndoMeasure {
  readonly orgs: number;
  readonly undone: number;
  /** From the run opened to the last batch's checkpoint. */
  readonly applyMs: number;
  readonly undoMs: number;
  /** The sums of what the batches of each took. */
  readonly applyBatchesMs: number;
  readonly undoBatchesMs: number;
  /** From asking for the undo until it could be approved: it is computed twice, for who asks and to be kept. */
  readonly planMs: number;
}

const LIMIT = 1.5;

export async function measureUndos(bed: BenchBed, { options, print }: BenchRun): Promise<readonly UndoMeasure[]> {
  const measures: UndoMeasure[] = [];
  for (let run = 1; run <= options.runs; run += 1) {
    const measure = await measureUndo(bed);
    measures.push(measure);
    const times = `apply ${formatMs(measure.applyMs)}, undo ${formatMs(measure.undoMs)}`;
    print(`run ${run} of ${options.runs}: ${formatCount(measure.undone)} orgs: ${times}`);
  }
  return measures;
}

async function measureUndo(bed: BenchBed): Promise<UndoMeasure> {
  await measureProduct(bed);
  const configPath = join(bed.server.folder, 'rollout.config.yaml');
  const program = await compose({ configPath, cellConnections: () => bed.options.lanes + 4 });
  const given = { configPath, dataCenter: DATA_CENTER.id, concurrency: bed.options.lanes };
  const worker = bed.worker === 'process' ? forkWorker(given) : await startInlineWorker(program, given);
  const scheduler = startScheduler(program.engine, await program.connectQueue('own'));
  try {
    await waitForWorker(program);
    await checkpoint(bed.server.url(bed.cell));
    const planMs = await askForUndo(bed, program);
    const { stage, failure } = await waitUntilUndone(program);
    if (stage !== 'undone') throw new Error(`the undo ended as ${stage} (${failure ?? 'no failure'})`);
    return { orgs: bed.orgs, planMs, ...(await readTimes(bed)) };
  } finally {
    await worker.stop();
    await scheduler.stop();
    await program.close();
  }
}

async function waitUntilUndone(program: Program): ReturnType<typeof waitUntilResting> {
  for (;;) {
    const row = await waitUntilResting(program);
    if (row.stage !== 'done') return row;
  }
}

/** Paid orgs fall, so a second person approves it. Returns how long the plan took, in ms. */
async function askForUndo({ server }: BenchBed, program: Program): Promise<number> {
  const second = `bench_second_${randomBytes(4).toString('hex')}`;
  const url = Object.assign(new URL(server.url(CONTROL)), { username: second, password: second });
  await withClient(server.url(CONTROL), async (client) => {
    await client.query('update credit_rollout_control.rollout set embedded = false');
    await client.query(`create role ${second} login password '${second}'
      in role ${controlRoleName('operator')}, ${controlRoleName('approver')}`);
  });
  const control = createControlDatabase(openPostgres({ url: url.href, applicationName: 'bench', max: 1 }));
  try {
    const engine = { ...program.engine, actor: null };
    const started = performance.now();
    const asked = await requestUndo(engine, { dataCenter: DATA_CENTER.id, limit: 20, reason: 'benchmark' });
    const planMs = performance.now() - started;
    const id = parseProposalId(asked.undoId ?? '');
    if (id?.kind !== 'undo') throw new Error(`the undo is ${asked.state}, and nobody can approve it`);
    await approveUndo({ ...engine, control }, id, null);
    return planMs;
  } finally {
    await control.close();
    await withClient(server.url('postgres'), (client) => client.query(`drop role ${second}`));
  }
}

interface RunTimes {
  readonly kind: string;
  readonly ms: number;
  readonly batches_ms: number;
  readonly undone: number;
}

const TIMES = `
select r.kind, (extract(epoch from max(b.done_at) - min(r.opened_at)) * 1000)::float8 as ms,
  sum(b.duration_ms)::float8 as batches_ms, sum(b.raised)::int as undone
from credit_rollout.batches b join credit_rollout.runs r using (run_id) group by r.kind`;

async function readTimes({ server, cell }: BenchBed): Promise<Omit<UndoMeasure, 'orgs' | 'planMs'>> {
  const rows = await withClient(server.url(cell), async (client) => (await client.query<RunTimes>(TIMES)).rows);
  const [apply, undo] = ['migrate', 'undo'].map((kind) => rows.find((row) => row.kind === kind));
  if (apply === undefined || undo === undefined) throw new Error('the cell has no rollout or no undo');
  return {
    undone: undo.undone,
    applyMs: apply.ms,
    undoMs: undo.ms,
    applyBatchesMs: apply.batches_ms,
    undoBatchesMs: undo.batches_ms,
  };
}

/** Pure. */
export function reportUndoTimes(measures: readonly UndoMeasure[]): readonly string[] {
  const median = (of: (measure: UndoMeasure) => number): number => findMedian(measures.map(of));
  const ratio = median(({ applyMs, undoMs }) => undoMs / applyMs);
  const batches = median(({ applyBatchesMs, undoBatchesMs }) => undoBatchesMs / applyBatchesMs);
  const [apply, undo] = [median(({ applyMs }) => applyMs), median(({ undoMs }) => undoMs)];
  const counts = measures.map(({ undone, orgs }) => `${formatCount(undone)} of ${formatCount(orgs)}`);
  return [
    `orgs undone: ${counts.join(', ')}`,
    `medians: apply ${formatMs(apply)}, undo ${formatMs(undo)}, its plan ${formatMs(median(({ planMs }) => planMs))}`,
    `undo / apply: ${ratio.toFixed(2)} (goal: at most ${LIMIT}) ${ratio <= LIMIT ? 'reached' : 'MISSED'}`,
    `undo / apply, sums of their batches: ${batches.toFixed(2)}`,
  ];
}
