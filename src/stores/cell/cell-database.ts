// What the engine gets of a cell: transactions under a role, with limits that protect the product's database.
import type { Knex } from 'knex';
import { withSubject } from '../postgres-failure.js';
import { execute } from '../query.js';
import { OWN_SETTINGS } from '../transaction-settings.js';
import { rejectStrongReader } from './source-code.js';

/** The roles our transactions run as; each exists per data center, see roles.ts. */
export const CELL_ROLES = ['worker', 'planner', 'reader', 'fencer', 'operator', 'override', 'meter'] as const;
export type CellRole = (typeof CELL_ROLES)[number];

/** A transaction on a cell; only stores send statements on it. */
export type CellTransaction = Knex.Transaction;

export interface CellDatabase {
  readonly dataCenter: string;
  /**
   * Runs `fn` in one READ COMMITTED transaction as `role`; `state` is the one that reads and changes fence, gate and
   * runs, but no org: `fencer`, or `operator` in a person's command. A statement is cancelled after `statementMs`
   * (default 2,000). Throws login_too_strong where code in the source would get the rights of a strong login, unless
   * `source` says that nothing is read of it. A commit that is not `durable` waits for no disk and no standby: a crash
   * may take it.
   */
  inTransaction<T>(
    role: CellRole | 'state',
    fn: (tx: CellTransaction) => Promise<T>,
    limits?: { readonly statementMs?: number; readonly source?: 'read' | 'unread'; readonly durable?: boolean },
  ): Promise<T>;
  /** As the login itself, for `init`, `detach` and `doctor`; a statement waits for a lock for 2 s at most. */
  asOwner<T>(fn: (tx: CellTransaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Role name in the cluster: carries the data center because several cells may share a cluster. */
export function cellRoleName(dataCenter: string, role: CellRole): string {
  return `credit_rollout_${dataCenter.replaceAll('-', '_')}_${role}`;
}

/** The role that owns our schema in a cell. Nobody can log in as it. */
export function cellOwnerName(dataCenter: string): string {
  return `credit_rollout_${dataCenter.replaceAll('-', '_')}_owner`;
}

/** The role of our functions that read the source. Nobody can log in as it. */
export function cellSourceRoleName(dataCenter: string): string {
  return `credit_rollout_${dataCenter.replaceAll('-', '_')}_source`;
}

// One round trip of the simple protocol. client_connection_check_interval frees the locks of a killed worker;
// row_security = off turns a policy into an error instead of missing rows; jit only costs time on short batches; lanes
// are all the parallelism that we take of the product's machine. The lock time-out is below the statement time-out:
// else a wait for a lock would look like a range that is too slow (57014).
const LOCK_MS = 1_500;
const limitsSql = (statementMs: number): string => `
set local row_security = off;
set local statement_timeout = ${statementMs};
set local lock_timeout = ${LOCK_MS};
set local idle_in_transaction_session_timeout = 2000;
set local client_connection_check_interval = 1000;
set local max_parallel_workers_per_gather = 0;
set local jit = off`;
const OWNER_LIMITS = `${OWN_SETTINGS};
set local row_security = off;
set local lock_timeout = 2000;
set local statement_timeout = 0`;

export function createCellDatabase(db: Knex, dataCenter: string): CellDatabase {
  const transaction = <T>(fn: (tx: CellTransaction) => Promise<T>): Promise<T> =>
    withSubject({ title: `Data center "${dataCenter}"`, kind: 'cell' }, () => db.transaction(fn));
  const checkReader = createReaderCheck(dataCenter, transaction);
  return {
    dataCenter,
    inTransaction: async (asked, fn, { statementMs = 2_000, source = 'read', durable = true } = {}) => {
      const role = asked === 'state' ? 'fencer' : asked;
      if (source === 'read' && READ_NO_SOURCE.every((other) => other !== role)) await checkReader();
      return transaction(async (tx) => {
        const limits = `${limitsSql(Math.trunc(statementMs))}${durable ? '' : ';set local synchronous_commit = off'}`;
        await execute(tx, `${OWN_SETTINGS};set local role "${cellRoleName(dataCenter, role)}";${limits}`);
        return fn(tx);
      });
    },
    asOwner: (fn) =>
      transaction(async (tx) => {
        await execute(tx, OWNER_LIMITS);
        return fn(tx);
      }),
    close: () => db.destroy(),
  };
}

const READ_NO_SOURCE: readonly CellRole[] = ['fencer', 'operator'];

const READER_CHECK_MS = 60_000;
const READER_CHECK_TIMEOUT_MS = 10_000;

/**
 * What a login may do, and who owns the code of a view, changes rarely. In a transaction of its own: the other must be
 * able to choose its isolation.
 */
function createReaderCheck(
  dataCenter: string,
  transaction: <T>(fn: (tx: CellTransaction) => Promise<T>) => Promise<T>,
): () => Promise<void> {
  const owners = [cellOwnerName(dataCenter), cellSourceRoleName(dataCenter)];
  let checkedAt = Number.NEGATIVE_INFINITY;
  let checking: Promise<void> | undefined;
  const check = async (): Promise<void> => {
    const now = performance.now();
    await transaction(async (tx) => {
      await execute(tx, `${OWN_SETTINGS};${limitsSql(READER_CHECK_TIMEOUT_MS)}`);
      await rejectStrongReader(tx, { dataCenter, owners });
    });
    checkedAt = now;
  };
  return async () => {
    if (performance.now() - checkedAt < READER_CHECK_MS) return;
    // one for all who ask meanwhile
    checking ??= check().finally(() => {
      checking = undefined;
    });
    await checking;
  };
}

/** The same cell, whose state a person's command reads and changes: with less than a scheduler may. */
export function asOperator(cell: CellDatabase): CellDatabase {
  return {
    ...cell,
    inTransaction: (role, fn, limits) => cell.inTransaction(role === 'state' ? 'operator' : role, fn, limits),
  };
}

/**
 * The advisory locks of a cell: our class, then 0 for the fence and n for lane n; -1 is the gate's, -2 the schema's, -3
 * the change feed's.
 */
export const LOCK_CLASS = 1_129_467_724;
export const FENCE_LOCK = 0;
export const GATE_LOCK = -1;
export const SCHEMA_LOCK = -2;
export const FEED_LOCK = -3;
