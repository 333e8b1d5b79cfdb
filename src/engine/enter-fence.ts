// A batch's way in: the shared lock first, then the row in a new statement (its snapshot must be younger than the wait).
import type { CellTransaction } from '../stores/cell/cell-database.js';
import { lockFenceShared, readFence } from '../stores/cell/fence.js';
import { type CellRun, findRun } from '../stores/cell/runs.js';

export type OpenRun = CellRun & { readonly timeline: string };

/** The run that may be written under this epoch; undefined: not ours to write, a normal outcome. */
export async function enterFence(tx: CellTransaction, epoch: bigint): Promise<OpenRun | undefined> {
  await lockFenceShared(tx);
  const fence = await readFence(tx);
  const ours = fence.state === 'open' && fence.epoch === epoch && fence.timeline === fence.currentTimeline;
  if (!ours || fence.runId === null) return undefined;
  const run = await findRun(tx, fence.runId);
  return run?.state === 'open' ? { ...run, timeline: fence.currentTimeline } : undefined;
}
