// Plans key ranges and stores them as part of a plan, through functions that run as our schema's owner.
import { execute, selectRow, toCamelCase } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import type { KeyRange } from '../key-range.js';
import type { CountedGroup } from './plan-groups.js';
import { LIST_NAMES, type ListName, type RankedOrg } from './plan-lists.js';

/** The groups of all ranges that one statement planned. */
export interface PlannedRange {
  readonly groups: readonly CountedGroup[];
  readonly ranked: readonly RankedOrg[];
  readonly protectedTouched: number;
}

export interface RangeQuestion {
  /** Null: a what-if, nothing is stored. */
  readonly planId: bigint | null;
  /** Number of the first range; the others follow it. */
  readonly firstNo: number;
  readonly cardHash: string;
  /** The card's editions, in the order of their places. */
  readonly editions: readonly string[];
  /** A list takes only orgs that rank below its limit. */
  readonly ranks: Readonly<Record<ListName, number>>;
}

/** What the function gives. A list that has no org in the ranges is null or not there. */
interface Planned extends Readonly<Partial<Record<ListName, readonly RankedOrg[] | null>>> {
  readonly groups: readonly Readonly<Record<string, unknown>>[];
  readonly measured: { readonly protectedTouched: number };
}

/** Plans consecutive ranges, at most 16; stores them when the question names a plan. */
export async function planKeyRange(
  tx: CellTransaction,
  ranges: readonly KeyRange[],
  { planId, firstNo, cardHash, editions, ranks }: RangeQuestion,
): Promise<PlannedRange> {
  const { planned } = await selectRow<{ readonly planned: Planned }>(
    tx,
    `select credit_rollout.plan_key_ranges(:plan_id::bigint, :first_no::int, :bounds::credit_rollout.org_id[],
       :card_hash, :editions::text[], :ranks::float8[]) as planned`,
    {
      plan_id: planId,
      first_no: firstNo,
      bounds: [...ranges.map(({ lowerId }) => lowerId), ranges.at(-1)?.upperId ?? null],
      card_hash: cardHash,
      editions,
      ranks: LIST_NAMES.map((list) => ranks[list]),
    },
  );
  return {
    groups: toCamelCase<CountedGroup>(planned.groups),
    ranked: LIST_NAMES.flatMap((list) => planned[list] ?? []),
    protectedTouched: planned.measured.protectedTouched,
  };
}

/** Stores a range of which nothing can be read: the ranges of a plan cover every id, and this one counts one org. */
export async function insertUnreadableRange(
  tx: CellTransaction,
  range: KeyRange,
  { planId, rangeNo, cardHash }: { readonly planId: bigint; readonly rangeNo: number; readonly cardHash: string },
): Promise<void> {
  await execute(
    tx,
    `select credit_rollout.add_unreadable_range(:plan_id::bigint, :range_no::int, :lower_id::credit_rollout.org_id,
       :upper_id::credit_rollout.org_id, :card_hash)`,
    { plan_id: planId, range_no: rangeNo, lower_id: range.lowerId, upper_id: range.upperId, card_hash: cardHash },
  );
}
