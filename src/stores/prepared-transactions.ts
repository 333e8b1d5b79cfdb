// Transactions that were prepared and neither committed nor rolled back: they keep their locks without a session, and
// no list of sessions shows them.
import type { Knex } from 'knex';
import { selectRow, selectRows } from './query.js';

export interface PreparedTransaction {
  /** Its name, which whoever prepared it chose. */
  readonly gid: string;
  readonly owner: string;
  readonly preparedAt: Date;
  /** For longer than a program needs between the two phases. */
  readonly old: boolean;
}

/** In this database, the oldest first. */
export async function listPreparedTransactions(tx: Knex.Transaction): Promise<readonly PreparedTransaction[]> {
  return selectRows<PreparedTransaction>(
    tx,
    `select gid, owner, prepared as prepared_at, prepared < clock_timestamp() - interval '1 minute' as old
     from pg_prepared_xacts where database = current_database() order by prepared, gid`,
  );
}

/** How many transactions this server can keep prepared; 0: PREPARE TRANSACTION is off. */
export async function readMaxPrepared(tx: Knex.Transaction): Promise<number> {
  const { most } = await selectRow<{ readonly most: number }>(
    tx,
    `select current_setting('max_prepared_transactions')::int as most`,
  );
  return most;
}
