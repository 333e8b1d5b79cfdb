// Allows the single writes of a data center's change feed, or stops them. Under the exclusive fence lock, so that after
// `stopped` no write of the change feed can commit.
import type { Step } from '../../domain/rollout/decide-rollout.js';
import { allowSingleWrites, stopSingleWrites } from '../../stores/cell/reconcile/maintenance.js';
import { type DataCenterVersion, transitionDataCenter } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { withExclusiveFence } from '../exclusive-fence.js';

type SwitchStep = Extract<Step, { readonly kind: 'allow_single_writes' | 'stop_single_writes' }>;

/** False when the fence is held, the cell does not allow them now, or another scheduler was faster. */
export async function switchSingleWrites(
  context: EngineContext,
  row: DataCenterVersion,
  { kind }: SwitchStep,
): Promise<boolean> {
  const singleWrites = kind === 'allow_single_writes';
  const switched = await withExclusiveFence(context.cells.get(row.id), async (tx) => {
    if (singleWrites) return allowSingleWrites(tx);
    await stopSingleWrites(tx);
    return true;
  });
  return switched && context.control.inTransaction((tx) => transitionDataCenter(tx, row, { singleWrites }));
}
