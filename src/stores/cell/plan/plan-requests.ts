// Plans that workers are asked to make, and which of them nobody has made yet. One maker at a time for each.
import type { CellTransaction } from '../cell-database.js';

/** A plan that a worker is to make. */
export interface PlanRequest {
  readonly planId: bigint;
  readonly cardHash: string;
  readonly rangeSize: number;
  readonly author: string;
  /** Code of why it could not be made; null: nothing is known against it. */
  readonly failure: string | null;
}

const REQUEST = `r.plan_id, r.card_hash, r.range_size, r.author, r.failure`;
const UNMADE = 'not exists (select from credit_rollout.plans p where p.plan_id = r.plan_id)';

const toRequest = (row: {
  readonly plan_id: string;
  readonly card_hash: string;
  readonly range_size: number;
  readonly author: string;
  readonly failure: string | null;
}): PlanRequest => ({
  planId: BigInt(row.plan_id),
  cardHash: row.card_hash,
  rangeSize: row.range_size,
  author: row.author,
  failure: row.failure,
});

/** Asks for a plan; an earlier request for the same that nobody has served is taken up again. */
export async function requestPlan(
  tx: CellTransaction,
  request: Omit<PlanRequest, 'planId' | 'failure'>,
): Promise<bigint> {
  const found = await tx.raw(
    `select r.plan_id from credit_rollout.plan_requests r where ${UNMADE} and r.failure is null and r.card_hash = ?
       and r.range_size = ? and r.author = ? order by r.plan_id desc limit 1`,
    [request.cardHash, request.rangeSize, request.author],
  );
  if (found.rows[0]) return BigInt(found.rows[0].plan_id);
  const { rows } = await tx.raw(
    `insert into credit_rollout.plan_requests (plan_id, card_hash, range_size, author)
     values (nextval('credit_rollout.plan_ids'), ?, ?, ?) returning plan_id`,
    [request.cardHash, request.rangeSize, request.author],
  );
  return BigInt(rows[0].plan_id);
}

export async function findPlanRequest(tx: CellTransaction, planId: bigint): Promise<PlanRequest | undefined> {
  const { rows } = await tx.raw(`select ${REQUEST} from credit_rollout.plan_requests r where r.plan_id = ?::bigint`, [
    String(planId),
  ]);
  return rows[0] && toRequest(rows[0]);
}

/** The newest request that nobody has served; undefined: none. */
export async function findOpenPlanRequest(tx: CellTransaction): Promise<PlanRequest | undefined> {
  const { rows } = await tx.raw(
    `select ${REQUEST} from credit_rollout.plan_requests r where ${UNMADE} and r.failure is null order by r.plan_id desc limit 1`,
  );
  return rows[0] && toRequest(rows[0]);
}

export async function failPlanRequest(tx: CellTransaction, planId: bigint, code: string): Promise<void> {
  await tx.raw('update credit_rollout.plan_requests set failure = ? where plan_id = ?::bigint', [code, String(planId)]);
}

/** One maker at a time for a plan; false: another one is at it. */
export async function lockPlanRequest(tx: CellTransaction, lockClass: number, planId: bigint): Promise<boolean> {
  const { rows } = await tx.raw('select pg_try_advisory_xact_lock(?, -100 - (? % 1000000)::int) as locked', [
    lockClass,
    String(planId),
  ]);
  return rows[0].locked;
}
