// For commands that read or write a cell and not its fence: refuses the database that a cell was copied from when it
// moved, which has the identity of the cell.
import { withTimeout } from '../kernel/retry.js';
import { RolloutError } from '../kernel/rollout-error.js';
import { adviseMoved } from '../stores/cell/identity.js';
import { hasAdoption } from '../stores/cell/setup/adoption.js';
import type { EngineContext } from './context.js';
import { getDataCenter } from './data-center.js';

const CONTROL_MS = 2_000;

/** Throws wrong_cell. Passes where control does not answer: what cannot be asked is not refused. */
export async function rejectLeftBehind(
  { control, cells, clock }: Pick<EngineContext, 'control' | 'cells' | 'clock'>,
  dataCenter: string,
  role: 'reader' | 'planner',
): Promise<void> {
  const asked = control.inTransaction((tx) => getDataCenter(tx, dataCenter)).catch(() => undefined);
  const adoption = (await withTimeout(clock, CONTROL_MS, asked))?.adoption ?? null;
  if (adoption === null) return;
  const adopted = await cells
    .get(dataCenter)
    .inTransaction(role, (tx) => hasAdoption(tx, adoption), { source: 'unread' });
  if (adopted) return;
  throw new RolloutError('wrong_cell', {
    message:
      `The database configured for data center "${dataCenter}" was left behind when its cell moved: ` +
      'two people adopted another copy of it.',
    next: adviseMoved(dataCenter),
  });
}
