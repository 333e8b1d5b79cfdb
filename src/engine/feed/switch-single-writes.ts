// Lets the change feed of a data center through, or stops it. Under the exclusive fence lock, so that `stopped` is a proof.
import type { Step } from '../../domain/rollout/decide-step.js';
import { lockFenceExclusive } from '../../stores/cell/batch/fence.js';
import { allowSingleWrites, stopSingleWrites } from '../../stores/cell/reconcile/maintenance.js';
import { type DataCenterRow, transitionDataCenter } from '../../stores/control/data-centers.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';

type SwitchStep = Extract<Step, { readonly kind: 'allow_single_writes' | 'stop_single_writes' }>;

/** False when the fence is held, or somebody else was faster. */
export async function switchSingleWrites(
  context: EngineContext,
  row: DataCenterRow,
  { kind }: SwitchStep,
): Promise<boolean> {
  const singleWrites = kind === 'allow_single_writes';
  try {
    const switched = await context.cells.get(row.id).inTransaction('fencer', async (tx) => {
      await lockFenceExclusive(tx);
      if (singleWrites) return allowSingleWrites(tx);
      await stopSingleWrites(tx);
      return true;
    });
    if (!switched) return false;
  } catch (error) {
    if (classifyFailure(error).kind === 'retry') return false;
    throw error;
  }
  return context.control.inTransaction((tx) => transitionDataCenter(tx, row, { singleWrites }));
}
