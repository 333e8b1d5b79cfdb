// Check of `doctor` on who keeps something of control locked: a step of a scheduler fails then, again and again.
import { listControlLockHolders } from '../../stores/control/lock-holders.js';
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
