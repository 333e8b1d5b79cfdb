// Checks of `doctor` on the logins of running processes, as the databases recorded them: a login that may do more than
// its process needs is worth a warning, a superuser or an owner is an error. Where one login is for everything, which
// is for trying out only, it is a warning.

import { listCellSchedulerLogins } from '../../stores/cell/batch/scheduler-logins.js';
import { listWorkerLogins, type ProcessLogin } from '../../stores/cell/batch/workers.js';
import { readLogin } from '../../stores/cell/setup/doctor-queries.js';
import { readControlLogin } from '../../stores/control/control-database.js';
import { listSchedulerLogins } from '../../stores/control/schedulers.js';
import type { OpenCell } from './check-cell.js';
import type { OpenControl } from './check-control.js';
import type { Finding, FindingRecorder } from './finding.js';

const UNBOUND: readonly string[] = ['superuser', 'createrole', 'owner'];
const FIX = 'Give it a login of its own with the roles that it needs: docs/how-to/install-a-fleet.md';

/** Of workers and schedulers in a cell; the worse finding of both. */
export async function checkCellLogins({ cell }: Pick<OpenCell, 'cell'>, record: FindingRecorder): Promise<Finding> {
  const { workers, schedulers, own } = await cell.asOwner(async (tx) => ({
    workers: await listWorkerLogins(tx),
    schedulers: await listCellSchedulerLogins(tx),
    own: await readLogin(tx),
  }));
  const found = [judge('worker', workers, own, record), judge('scheduler', schedulers, own, record)] as const;
  const worse = (['error', 'warning'] as const).map((level) => found.find((one) => one.level === level));
  return worse.find((one) => one !== undefined) ?? found[0];
}

export async function checkSchedulerLogins(
  { control }: Pick<OpenControl, 'control'>,
  record: FindingRecorder,
): Promise<Finding> {
  const { logins, own } = await control.inTransaction(async (tx) => ({
    logins: await listSchedulerLogins(tx),
    own: await readControlLogin(tx),
  }));
  return judge('scheduler', logins, own, record);
}

/** `own`: the login of this command, quoted as the catalog does. */
function judge(
  what: 'worker' | 'scheduler',
  logins: readonly ProcessLogin[],
  own: string,
  record: FindingRecorder,
): Finding {
  if (logins.length === 0) return record.ok(`no ${what} runs`);
  const unbound = logins.find(({ powers }) => powers.some((power) => UNBOUND.includes(power)));
  if (unbound !== undefined) {
    const found = `a ${what} runs as ${unbound.login} (${unbound.powers.join(', ')}), which these rules do not bind`;
    return logins.every(({ login }) => login === own)
      ? record.warning(`${found}; one login is for everything`, FIX)
      : record.error(found, FIX);
  }
  const more = logins.find(({ powers }) => powers.length > 0);
  if (more === undefined) return record.ok(`each ${what} has the roles that it needs, and no more`);
  return record.warning(`the login ${more.login} of a ${what} also has: ${more.powers.join(', ')}`, FIX);
}
