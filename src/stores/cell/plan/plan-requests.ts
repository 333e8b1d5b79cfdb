// Plans that workers are asked to make, and which of them nobody has made yet. One worker at a time makes a plan.
import { execute, findRow, selectRow } from '../../query.js';
import { type CellTransaction, LOCK_CLASS } from '../cell-database.js';

/** A plan that a worker is to make. */
export interface PlanRequest {
  readonly planId: bigint;
  readonly cardHash: string;
  readonly rangeSize: number;
  /** `auto`: whoever makes the plan chooses the size. */
  readonly sizing: 'auto' | 'fixed';
  readonly author: string;
  /** Error code of the attempt that failed; null: none has failed. */
  readonly failure: string | null;
}

type RequestRow = Omit<PlanRequest, 'planId'> & { readonly planId: string };

const toRequest = (row: RequestRow): PlanRequest => ({ ...row, planId: BigInt(row.planId) });

const REQUEST = `
select r.plan_id, r.card_hash, r.range_size, r.sizing, r.author, r.failure from credit_rollout.plan_requests r`;

const NOT_MADE = 'not exists (select from credit_rollout.plans p where p.plan_id = r.plan_id)';

/** Asks for a plan. Where the same was asked for before and is not made yet, it returns that request's number. */
export async function requestPlan(
  tx: CellTransaction,
  request: Omit<PlanRequest, 'planId' | 'failure'>,
): Promise<bigint> {
  const { cardHash, rangeSize, sizing, author } = request;
  const values = { card_hash: cardHash, range_size: rangeSize, sizing, author };
  const open = await findRow<{ readonly planId: string }>(
    tx,
    `select r.plan_id from credit_rollout.plan_requests r
     where ${NOT_MADE} and r.failure is null
       and r.card_hash = :card_hash and r.range_size = :range_size and r.sizing = :sizing
       and r.author = :author
     order by r.plan_id desc limit 1`,
    values,
  );
  if (open !== undefined) return BigInt(open.planId);
  const added = await selectRow<{ readonly planId: string }>(
    tx,
    `insert into credit_rollout.plan_requests (plan_id, card_hash, range_size, sizing, author)
     values (nextval('credit_rollout.plan_ids'), :card_hash, :range_size, :sizing, :author) returning plan_id`,
    values,
  );
  return BigInt(added.planId);
}

export async function findPlanRequest(tx: CellTransaction, planId: bigint): Promise<PlanRequest | undefined> {
  const row = await findRow<RequestRow>(tx, `${REQUEST} where r.plan_id = :plan_id::bigint`, { plan_id: planId });
  return row && toRequest(row);
}

/** The newest request whose plan is neither made nor failed; undefined: none. */
export async function findOpenPlanRequest(tx: CellTransaction): Promise<PlanRequest | undefined> {
  const row = await findRow<RequestRow>(
    tx,
    `${REQUEST} where ${NOT_MADE} and r.failure is null order by r.plan_id desc limit 1`,
  );
  return row && toRequest(row);
}

export async function failPlanRequest(tx: CellTransaction, planId: bigint, code: string): Promise<void> {
  await execute(tx, 'update credit_rollout.plan_requests set failure = :code where plan_id = :plan_id::bigint', {
    code,
    plan_id: planId,
  });
}

/** Takes the lock under which one worker makes a plan, for this transaction; false: another worker has it. */
export async function lockPlanRequest(tx: CellTransaction, planId: bigint): Promise<boolean> {
  const { locked } = await selectRow<{ readonly locked: boolean }>(
    tx,
    `select pg_try_advisory_xact_lock(:lock_class::int, -100 - (:plan_id::bigint % 1000000)::int) as locked`,
    { lock_class: LOCK_CLASS, plan_id: planId },
  );
  return locked;
}
