// Workers of the world: one batch, one verification or one detection per round, under an open fence only.
import type { DataCenter, World } from './world.js';

/** True: something was done. */
export function work(world: World): boolean {
  return world.dataCenters
    .map((dc) => (dc.cell.up && dc.cell.workers && dc.cell.frozen === null ? workIn(dc) : false))
    .includes(true);
}

function workIn({ cell }: DataCenter): boolean {
  const { fence, run, maintenance } = cell;
  if (run !== null && fence.runId === run.runId) {
    if (fence.state === 'open' && run.pending > 0) run.pending -= 1;
    else if (fence.state === 'verifying' && run.verified < run.batches) run.verified = run.batches;
    else return false;
    return true;
  }
  if (maintenance === null || fence.runId !== maintenance.runId || fence.state !== 'open') return false;
  if (!maintenance.detected) {
    const found = cell.missing > 0 ? 1 : 0;
    Object.assign(maintenance, { detected: true, found, pending: found, seen: cell.missing });
    return true;
  }
  if (maintenance.pending === 0) return false;
  maintenance.pending = 0;
  cell.missing -= maintenance.seen;
  maintenance.seen = 0;
  return true;
}
