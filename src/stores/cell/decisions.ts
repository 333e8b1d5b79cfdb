// What the rule would decide, in numbers: the on-screen plan. Reads only; no org leaves the cell.
import type { CellTransaction } from './cell-database.js';
import { type KeyRange, withinRange } from './key-range.js';

/** One group of orgs that share edition, paid, winner, movement and reason; sums as decimal text. */
export interface DecisionGroup {
  readonly edition: string | null;
  readonly paid: boolean | null;
  readonly winner: string | null;
  readonly movement: string | null;
  /** Why they are undecidable; null: decided. */
  readonly reason: string | null;
  readonly orgs: number;
  /** Daily capacity today: the allotment, or the legacy number and purchases. */
  readonly before: string;
  readonly after: string;
  /** Top-ups: what keeping the legacy number costs over the rate card. */
  readonly grandfathered: string;
  /** Orgs whose capacity falls. */
  readonly falling: number;
}

/** Groups a key range under a card; `read only` by the database's own word. */
export async function readDecisions(
  tx: CellTransaction,
  range: KeyRange,
  cardHash: string,
): Promise<readonly DecisionGroup[]> {
  await tx.raw('set transaction read only');
  const { rows } = await tx.raw(
    `select edition, paid, case when reason is null then winner end as winner, case when reason is null then movement end as movement,
       reason, count(distinct org_id)::int as orgs,
       coalesce(sum(before) filter (where reason is null), 0)::text as before,
       coalesce(sum(total_credits) filter (where reason is null), 0)::text as after,
       coalesce(sum(grandfathered_credits) filter (where reason is null), 0)::text as grandfathered,
       count(*) filter (where reason is null and total_credits < before)::int as falling
     from (select d.*, coalesce(d.prior_total::numeric, d.legacy_limit::numeric + d.additional_credits) as before
           from credit_rollout.decided(?::credit_rollout.org_id, ?::credit_rollout.org_id, null, ?) d) d
     group by 1, 2, 3, 4, 5`,
    [range.lowerId, range.upperId, cardHash],
  );
  return rows;
}

/** The id that ends a range of `size` source orgs from `lowerId` on; null at the end. */
export async function findSourceRangeEnd(
  tx: CellTransaction,
  lowerId: string | null,
  size: number,
): Promise<string | null> {
  const within = withinRange({ lowerId, upperId: null });
  const { rows } = await tx.raw(
    `select org_id::text from (select org_id from credit_rollout.source_orgs where ${within.sql} order by org_id offset ? limit 1) e
     ${lowerId === null ? '' : 'where org_id > ?::credit_rollout.org_id'}`,
    [...within.bindings, size, ...(lowerId === null ? [] : [lowerId])],
  );
  return rows[0]?.org_id ?? null;
}
