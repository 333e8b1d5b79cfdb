// Ends runs that are open in a cell and that control does not know as open, as a database restored from an older backup
// leaves them: nobody else ever would, and while one is open no override and no repair is applied there.
import { readFence, saveFenceClosed } from '../stores/cell/batch/fence.js';
import { endRun, listOpenRuns } from '../stores/cell/batch/runs.js';
import { appendAudit, isAudited } from '../stores/control/audit.js';
import { listOpenControlRuns } from '../stores/control/runs.js';
import type { EngineContext } from './context.js';
import { withExclusiveFence } from './exclusive-fence.js';

/**
 * Ends them as aborted: what they wrote stays. True: some were ended. False as well where the fence was opened
 * meanwhile, or a batch holds it.
 */
export async function endForgottenRuns(
  { cells, control, log }: Pick<EngineContext, 'cells' | 'control' | 'log'>,
  dataCenter: string,
): Promise<boolean> {
  const cell = cells.get(dataCenter);
  // control is asked after the cell: a run is open in control before it is in its cell
  const { epoch, open } = await cell.inTransaction('fencer', async (tx) => ({
    epoch: (await readFence(tx)).epoch,
    open: await listOpenRuns(tx),
  }));
  if (open.length === 0) return false;
  const forgotten = await control.inTransaction(async (tx) => {
    const known = await listOpenControlRuns(tx, dataCenter);
    const unknown = open.filter((runId) => !known.includes(runId));
    // before the end, and once: a process that dies in between must not leave an end that nobody can explain
    for (const runId of unknown) {
      const entry = { action: 'end_forgotten_run' as const, dataCenter, runId };
      if (!(await isAudited(tx, entry))) await appendAudit(tx, { ...entry, epoch, reason: REASON });
    }
    return unknown;
  });
  if (forgotten.length === 0) return false;
  const ended = await withExclusiveFence(cell, async (tx) => {
    const fence = await readFence(tx);
    // whoever opened it since may have opened one of these runs again
    if (fence.epoch !== epoch) return false;
    if (fence.runId !== null && forgotten.includes(fence.runId)) await saveFenceClosed(tx, null, epoch);
    for (const runId of forgotten) await endRun(tx, runId, 'aborted');
    return true;
  });
  if (ended) log.warn('forgotten_runs_ended', { data_center: dataCenter, runs: forgotten.map(String) });
  return ended;
}

const REASON = 'control does not know it as open, as after a database was restored; it is ended in the cell';
