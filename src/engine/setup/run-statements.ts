// Runs what the engine asks a cell again and again, as the roles that ask it: what a server refuses, or a role may not,
// is found by `init` and `doctor`, and not by the first run. Reads no org and changes nothing.
import { readFence } from '../../stores/cell/batch/fence.js';
import { readFreeze } from '../../stores/cell/batch/freezes.js';
import { findOpenRun } from '../../stores/cell/batch/open-run.js';
import { readWorkers } from '../../stores/cell/batch/workers.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { listGateHolders, readGate } from '../../stores/cell/cutover/gate.js';
import { readDueSignUps } from '../../stores/cell/cutover/pending-sign-ups.js';
import { readFeed } from '../../stores/cell/feed/feed.js';
import { findCell, readRecordedIdentity, readSourceState } from '../../stores/cell/identity.js';
import { readEnforcement } from '../../stores/cell/usage/enforcement.js';
import { listUsageOfDay, readStoredLimits } from '../../stores/cell/usage/usage-days.js';

/** No epoch has this number. */
const NO_EPOCH = 0n;
/** No usage is of this day. */
const NO_DAY = '2000-01-01';

/** Also as the login of `init`, which must not read the source by these roles. */
const UNREAD = { source: 'unread' } as const;

/** Throws what the first of them throws. */
export async function runStatements(cell: CellDatabase): Promise<void> {
  await cell.inTransaction('state', async (tx) => {
    await readFence(tx);
    await readWorkers(tx);
    await readGate(tx);
    await listGateHolders(tx);
    await readFreeze(tx);
    await readSourceState(tx);
  });
  await cell.inTransaction(
    'worker',
    async (tx) => {
      await readFence(tx);
      await findOpenRun(tx, NO_EPOCH);
      await readFeed(tx);
      await readDueSignUps(tx);
    },
    UNREAD,
  );
  await cell.inTransaction(
    'meter',
    async (tx) => {
      await readRecordedIdentity(tx);
      await readStoredLimits(tx, []);
      await readEnforcement(tx, []);
      await listUsageOfDay(tx, { ids: [], day: NO_DAY });
    },
    UNREAD,
  );
  for (const role of ['planner', 'reader', 'override'] as const) await cell.inTransaction(role, findCell, UNREAD);
}
