// Checks of `doctor` on who keeps something of control or of a cell locked: a step of a scheduler fails then, again and
// again (step_failing, 55P03), and a nightly run does not begin.
import { listKeptLocks } from '../../stores/cell/lock-holders.js';
import { listControlLockHolders } from '../../stores/control/lock-holders.js';
import type { OpenCell } from './check-cell.js';
import type { OpenControl } from './check-control.js';
import type { Finding, FindingRecorder } from './finding.js';

const MOST = 5;

/** Nobody of ours keeps a lock for long. Whoever may write may keep one, so that it is somebody's to end. */
export async function checkControlLocks(
  { control }: Pick<OpenControl, 'control'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const holders = await control.inTransaction((tx) => listControlLockHolders(tx, MOST));
  if (holders.length === 0) return [record.ok('nobody keeps anything of control locked')];
  return holders.map(({ pid, role, since }) =>
    record.warning(
      `session ${pid} of ${role ?? 'the server'} keeps locks in control${since === null ? '' : ` since ${since.toISOString()}`}: others wait`,
      `If nobody needs it, end it as its login or as a superuser: select pg_terminate_backend(${pid})`,
    ),
  );
}

const LOCKS: Readonly<Record<number, string>> = {
  0: 'the lock of the fence: no run begins, and no pause is confirmed',
  [-1]: 'the lock of the gate: no cut-over is latched',
};

/** Advisory locks need no right: whoever may connect may keep one. */
export async function checkCellLocks(
  { cell }: Pick<OpenCell, 'cell'>,
  record: FindingRecorder,
): Promise<readonly Finding[]> {
  const kept = await cell.asOwner((tx) => listKeptLocks(tx, MOST));
  if (kept.length === 0) return [record.ok('nobody keeps a lock of ours')];
  return kept.map(({ pid, role, lock, since }) => {
    const who = pid === null ? 'a prepared transaction' : `session ${pid} of ${role ?? 'the server'}`;
    return record.warning(
      `${who} keeps ${LOCKS[lock] ?? 'a lock of ours: others wait'} since ${since.toISOString()}`,
      pid === null
        ? 'End it: COMMIT PREPARED or ROLLBACK PREPARED of what pg_prepared_xacts shows.'
        : `If nobody needs it, end it as its login or as a superuser: select pg_terminate_backend(${pid})`,
    );
  });
}
