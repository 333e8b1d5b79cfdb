// What orgs ask for, and the answers. A trigger keeps each decision. As `override`; lists as `reader`.
import { execute, findRow, selectRow, selectRows } from '../../query.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

export const EXCEPTION_STATES = ['open', 'granted', 'declined', 'withdrawn'] as const;
export type ExceptionState = (typeof EXCEPTION_STATES)[number];

export interface ExceptionRow {
  readonly exceptionId: bigint;
  readonly orgId: string;
  /** In the org's words. */
  readonly text: string;
  /** Credits a day; null: not said. */
  readonly wanted: bigint | null;
  /** Local date; null: not said. */
  readonly until: string | null;
  readonly askedBy: string;
  readonly askedAt: Date;
  readonly state: ExceptionState;
  /** The override that was proposed for it. */
  readonly overrideId: bigint | null;
  readonly answer: string | null;
  readonly answeredBy: string | null;
  readonly answeredAt: Date | null;
}

type Stored = Omit<ExceptionRow, 'exceptionId' | 'wanted' | 'overrideId'> &
  Readonly<Record<'exceptionId', string>> &
  Readonly<Record<'wanted' | 'overrideId', string | null>>;

const EXCEPTION = `
select e.exception_id::text, e.org_id::text, e.text, e.wanted::text, e.until::text, e.asked_by, e.asked_at, e.state,
  e.override_id::text, e.answer, e.answered_by, e.answered_at
from credit_rollout.exceptions e`;

const toRow = (row: Stored): ExceptionRow => ({
  ...row,
  exceptionId: BigInt(row.exceptionId),
  wanted: toBigint(row.wanted),
  overrideId: toBigint(row.overrideId),
});

/** Returns its number. An org that has an open one raises 23505. */
export async function insertException(
  tx: CellTransaction,
  { orgId, text, wanted, until, askedBy }: Pick<ExceptionRow, 'orgId' | 'text' | 'wanted' | 'until' | 'askedBy'>,
): Promise<bigint> {
  const { exceptionId } = await selectRow<{ readonly exceptionId: string }>(
    tx,
    `insert into credit_rollout.exceptions (org_id, text, wanted, until, asked_by)
     values (:org_id::credit_rollout.org_id, :wish, :wanted::bigint, :last_day::date, :asked_by)
     returning exception_id`,
    { org_id: orgId, wish: text, wanted, last_day: until, asked_by: askedBy },
  );
  return BigInt(exceptionId);
}

/** An org has at most one. */
export async function findOpenException(tx: CellTransaction, orgId: string): Promise<ExceptionRow | undefined> {
  const row = await findRow<Stored>(
    tx,
    `${EXCEPTION} where e.org_id = :org_id::credit_rollout.org_id and e.state = 'open'`,
    { org_id: orgId },
  );
  return row && toRow(row);
}

/** The open ones with the oldest first, or all with the newest first. */
export async function listExceptionRows(
  tx: CellTransaction,
  { which, limit }: { readonly which: 'open' | 'all'; readonly limit: number },
): Promise<readonly ExceptionRow[]> {
  const order = which === 'open' ? `where e.state = 'open' order by e.exception_id` : 'order by e.exception_id desc';
  return (await selectRows<Stored>(tx, `${EXCEPTION} ${order} limit :limit::int`, { limit })).map(toRow);
}

/** How many there are of each state that occurs. */
export async function countExceptions(tx: CellTransaction): Promise<Readonly<Record<ExceptionState, number>>> {
  const rows = await selectRows<{ readonly state: ExceptionState; readonly count: number }>(
    tx,
    'select e.state, count(*)::integer as count from credit_rollout.exceptions e group by e.state',
  );
  const found = Object.fromEntries(rows.map(({ state, count }) => [state, count]));
  const { open = 0, granted = 0, declined = 0, withdrawn = 0 } = found;
  return { open, granted, declined, withdrawn };
}

/** The override decides it from here on. */
export async function linkException(tx: CellTransaction, exceptionId: bigint, overrideId: bigint): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.exceptions set override_id = :override_id::bigint where exception_id = :id::bigint`,
    { override_id: overrideId, id: exceptionId },
  );
}

/** Closes an open one that waits for no override; false when it was answered meanwhile. */
export async function closeException(
  tx: CellTransaction,
  exceptionId: bigint,
  close: { readonly state: 'declined' | 'withdrawn'; readonly answer: string | null; readonly answeredBy: string },
): Promise<boolean> {
  const updated = await execute(
    tx,
    `update credit_rollout.exceptions set state = :state, answer = :answer, answered_by = :answered_by
     where exception_id = :id::bigint and state = 'open' and override_id is null`,
    { id: exceptionId, state: close.state, answer: close.answer, answered_by: close.answeredBy },
  );
  return updated === 1;
}
