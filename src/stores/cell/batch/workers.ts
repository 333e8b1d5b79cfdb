// Which workers this cell has seen lately, so that status can report that there is none.
import { execute, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

/** `lastError`: code of the last failed attempt, null after a success. */
export async function saveWorkerSeen(tx: CellTransaction, workerId: string, lastError: string | null): Promise<void> {
  await execute(
    tx,
    `insert into credit_rollout.workers (worker_id, trouble) values (:worker_id, :last_error)
     on conflict (worker_id) do update set seen_at = clock_timestamp(), trouble = excluded.trouble`,
    { worker_id: workerId, last_error: lastError },
  );
}

/** Also deletes workers that were not seen for a day. */
export async function deleteWorker(tx: CellTransaction, workerId: string): Promise<void> {
  await execute(tx, 'select credit_rollout.delete_worker(:worker_id)', { worker_id: workerId });
}

interface SeenWorkers {
  readonly alive: number;
  /** The code of one that failed at its last attempt; null: none did. */
  readonly lastError: string | null;
}

/** Workers seen in the last 15 s. */
export function readWorkers(tx: CellTransaction): Promise<SeenWorkers> {
  return selectRow<SeenWorkers>(
    tx,
    `select count(*)::int as alive, max(trouble) as last_error from credit_rollout.workers
     where seen_at > clock_timestamp() - interval '15 s'`,
  );
}

/** The login of a process, quoted by the catalog, and what it may do beyond what the process needs. */
export interface ProcessLogin {
  readonly login: string;
  readonly powers: readonly string[];
}

/** Of the workers that were seen in the last 15 s, one row per login. */
export function listWorkerLogins(tx: CellTransaction): Promise<readonly ProcessLogin[]> {
  return selectRows<ProcessLogin>(
    tx,
    `select distinct format('%I', login) as login, powers from credit_rollout.workers
     where seen_at > clock_timestamp() - interval '15 s' and login is not null order by 1`,
  );
}
