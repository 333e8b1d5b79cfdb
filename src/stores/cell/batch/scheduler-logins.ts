// Which logins schedulers work in this cell as, so that doctor and status can show one that may do more. The cell fills
// in who it is and what it may do.
import { execute, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import type { ProcessLogin } from './workers.js';

export async function saveCellSchedulerSeen(tx: CellTransaction): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout.schedulers (login) values (session_user)
     on conflict (login) do update set seen_at = clock_timestamp()`,
  );
}

/** Of the schedulers that were seen here in the last minute, one row per login. */
export function listCellSchedulerLogins(tx: CellTransaction): Promise<readonly ProcessLogin[]> {
  return selectRows<ProcessLogin>(
    tx,
    `select format('%I', login) as login, powers from credit_rollout.schedulers
     where seen_at > clock_timestamp() - interval '1 min' order by 1`,
  );
}
