// What a night costs when nothing changed: the product's own detection beside one bare full join of the same columns on
// one connection, interleaved on the same cell. Measures; judges nothing.
import { join } from 'node:path';
import { compose } from '../../src/compose.js';
import { detectDrift } from '../../src/engine/reconcile/detect-drift.js';
import { lockFenceExclusive, readFence, saveFenceClosed, setFence } from '../../src/stores/cell/batch/fence.js';
import { endRun } from '../../src/stores/cell/batch/runs.js';
import { openSealedMaintenance } from '../../src/stores/cell/reconcile/maintenance.js';
import {
  claimReconcileRequest,
  endReconcileRequest,
  insertReconcileRequest,
} from '../../src/stores/control/reconcile-requests.js';
import { takeEpoch } from '../../src/stores/control/rollout.js';
import { endControlRun, insertControlRun } from '../../src/stores/control/runs.js';
import { sealMaintenance } from '../../src/stores/control/seals.js';
import { type BenchBed, DATA_CENTER } from './bed.js';
import type { Print } from './compare.js';
import { withClient } from './database.js';
import { formatMs } from './numbers.js';
import type { BenchOptions } from './options.js';
import { measureProduct } from './product.js';

/** One round, in ms. */
export interface ComparisonCost {
  readonly bareMs: number;
  readonly detectMs: number;
  /** Orgs that the detection found; 0, or the round measures something else. */
  readonly found: number;
}

// the columns that a night compares; no term is computed
const BARE = `
select count(*) from credit_rollout.source_orgs s full join credit_rollout.allotments a on a.org_id = s.org_id
where (a.agents, a.edition, a.paid, a.light_agents, a.additional_credits, a.negotiated_limit) is distinct from
  (s.agents, s.edition, s.paid, s.light_agents, s.additional_credits, s.negotiated_limit)`;

/** Rolls the cell out once, then measures rounds of both. */
export async function measureComparison(
  bed: BenchBed,
  { options: { runs }, print }: { readonly options: Pick<BenchOptions, 'runs'>; readonly print: Print },
): Promise<readonly ComparisonCost[]> {
  await measureProduct(bed);
  await withClient(bed.server.url(bed.cell), (client) => client.query('vacuum (analyze) credit_rollout.allotments'));
  const costs: ComparisonCost[] = [];
  // once of both before it counts: the first reader of fresh pages pays for all
  for (let run = 0; run <= runs; run += 1) {
    const cost = { bareMs: await measureBareJoin(bed), ...(await measureDetection(bed)) };
    if (run > 0) costs.push(cost);
    const which = run === 0 ? 'before the runs' : `run ${run} of ${runs}`;
    print(`${which}: bare join ${formatMs(cost.bareMs)}, detection ${formatMs(cost.detectMs)}, ${cost.found} found`);
  }
  return costs;
}

async function measureBareJoin(bed: BenchBed): Promise<number> {
  return withClient(bed.server.url(bed.cell), async (client) => {
    await client.query('set max_parallel_workers_per_gather = 0; set jit = off');
    const started = performance.now();
    await client.query(BARE);
    return performance.now() - started;
  });
}

/** A night without its repairs, as a worker executes it. */
async function measureDetection(bed: BenchBed): Promise<Omit<ComparisonCost, 'bareMs'>> {
  const program = await compose({ configPath: join(bed.server.folder, 'rollout.config.yaml') });
  const cell = program.worker.cells.get(DATA_CENTER.id);
  try {
    const { epoch: seen } = await cell.inTransaction('fencer', readFence);
    // control seals a run only under a number that it took
    const runId = await program.engine.control.inTransaction(async (tx) => {
      const taken = await takeEpoch(tx, seen);
      const dataCenter = DATA_CENTER.id;
      const unnamed = { cardHash: '', planId: null, requestedBy: null, reason: null };
      await insertControlRun(tx, { runId: taken, dataCenter, kind: 'reconcile', ...unnamed });
      const requestId = await insertReconcileRequest(tx, { dataCenter, reason: null });
      await claimReconcileRequest(tx, requestId, taken);
      return taken;
    });
    const seal = await program.engine.control.inTransaction((tx) => sealMaintenance(tx, runId));
    const epoch = await cell.inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      if (seal === undefined) throw new Error('the night is not open in control');
      await openSealedMaintenance(tx, seal);
      await setFence(tx, { state: 'open', epoch: runId, runId });
      return runId;
    });
    // a worker proves its login when it starts, and not for each night
    await cell.inTransaction('worker', readFence);
    const started = performance.now();
    const outcome = await detectDrift(program.worker, { dataCenter: DATA_CENTER.id, epoch });
    const detectMs = performance.now() - started;
    if (outcome !== 'detected') throw new Error(`the detection ended as ${outcome}`);
    await cell.inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      await saveFenceClosed(tx, null);
      await endRun(tx, epoch, 'done');
    });
    // a data center has one open run, and the next round begins another
    await program.engine.control.inTransaction(async (tx) => {
      await endControlRun(tx, runId, 'done', null);
      await endReconcileRequest(tx, runId);
    });
    return { detectMs, found: await countDrift(bed, epoch) };
  } finally {
    await program.close();
  }
}

async function countDrift(bed: BenchBed, runId: bigint): Promise<number> {
  return withClient(bed.server.url(bed.cell), async (client) => {
    const { rows } = await client.query<{ readonly found: number }>(
      'select count(*)::int as found from credit_rollout.drift where run_id = $1',
      [String(runId)],
    );
    return rows[0]?.found ?? 0;
  });
}
