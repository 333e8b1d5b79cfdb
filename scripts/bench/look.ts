// How long one look at the default checks takes: what a worker does every 5 s while a cell is written.
import { join } from 'node:path';
import { compose } from '../../src/compose.js';
import { sampleChecks } from '../../src/engine/batch/sample-checks.js';
import { type BenchBed, DATA_CENTER } from './bed.js';
import { withClient } from './database.js';

const LOOKS = 50;

/** In ms, from a worker's side: its three transactions, and what the cell does in them. Needs a run that has ended. */
export async function measureLook(bed: BenchBed): Promise<readonly number[]> {
  const program = await compose({ configPath: join(bed.server.folder, 'rollout.config.yaml') });
  try {
    // as if the run were still written
    await withClient(bed.server.url(bed.cell), async (client) => {
      await client.query('set session_replication_role = replica');
      await client.query(OPEN_RUN);
    });
    const cell = program.worker.cells.get(DATA_CENTER.id);
    const times: number[] = [];
    for (let look = 0; look < LOOKS; look += 1) {
      const began = performance.now();
      if (!(await sampleChecks(cell, 0))) throw new Error('nothing was sampled: is no run open?');
      times.push(performance.now() - began);
    }
    return times.slice(5);
  } finally {
    await program.close();
  }
}

const OPEN_RUN = `
update credit_rollout.fence set state = 'open', run_id = (select max(run_id) from credit_rollout.runs),
  timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`;
