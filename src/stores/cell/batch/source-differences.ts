// Compares the stored inputs of a range with the source now, and finds orgs that only one of them has. Counts only.
import { execute, type SqlValues, selectRow } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { type KeyRange, rangeCondition, storedRangeCondition } from '../key-range.js';

export interface SourceDifferences {
  /** Orgs whose inputs are no longer those stored. */
  readonly changedSince: number;
  /** Orgs in the source that have no allotment, are not quarantined, and wait for no worker after their sign-up. */
  readonly appeared: number;
  /** Allotments whose org has left the source. */
  readonly gone: number;
}

interface DifferencesOptions {
  /** The run whose quarantine excuses an absent allotment; null: any run's. */
  readonly runId: bigint | null;
  /** Orgs whose columns cannot be read. */
  readonly unreadable: readonly string[];
  /** An index of the source proves that an id occurs once, and gives its rows in their order. */
  readonly sourceUnique: boolean;
}

// A condition of the join, and not of the counts alone: an org that has not changed goes no further.
const DIFFERENCES = (storedWithin: string, sourceWithin: string): string => `
select
  count(*) filter (where a.org_id is not null and s.org_id is not null)::int as changed_since,
  coalesce(array_agg(s.org_id::text) filter (where a.org_id is null), '{}') as unstored,
  count(*) filter (where s.org_id is null)::int as gone
from (select * from credit_rollout.allotments a where ${storedWithin}) a
full join (select * from credit_rollout.source_orgs o where ${sourceWithin}) s on s.org_id = a.org_id
where a.org_id is null or s.org_id is null
  or (a.agents, a.edition, a.paid, a.additional_credits, a.negotiated_limit)
    is distinct from (s.agents, s.edition, s.paid, s.additional_credits, s.negotiated_limit)
  -- light agents that are not given are none, where the card does not count them
  or a.light_agents is distinct from s.light_agents and not (a.light_agents = 0 and s.light_agents is null
    and exists (select from credit_rollout.rate_cards c
      where c.card_hash = a.rate_card and not c.light_agents_count_as_users))`;

const APPEARED = `
select count(*)::int as appeared from unnest(:unstored::credit_rollout.org_id[]) i (id)
where not exists (select from credit_rollout.allotments a where a.org_id = i.id)
  and not exists (select from credit_rollout.retired r where r.org_id = i.id)
  and not exists (
    select from credit_rollout.quarantine q
    where q.org_id = i.id and (:run_id::bigint is null or q.run_id = :run_id::bigint))
  and not exists (
    select from credit_rollout.stale_orgs z where z.org_id = i.id and z.run_id = :run_id::bigint)
  and not exists (
    select from credit_rollout.pending_sign_ups w where w.org_id = i.id and w.tries < 5)`;

export async function countDifferences(
  tx: CellTransaction,
  range: KeyRange,
  { runId, unreadable, sourceUnique }: DifferencesOptions,
): Promise<SourceDifferences> {
  const stored = leaveOut(storedRangeCondition(range, 'a.org_id'), 'a.org_id', unreadable);
  const source = leaveOut(rangeCondition(range, 'o.org_id'), 'o.org_id', unreadable);
  // both in the order of their keys, as a night reads them. Never for a view, whose own joins it would change.
  if (sourceUnique) await execute(tx, 'set local enable_hashjoin = off');
  const { unstored, ...found } = await selectRow<
    Pick<SourceDifferences, 'changedSince' | 'gone'> & { readonly unstored: readonly string[] }
  >(tx, DIFFERENCES(stored.sql, source.sql), { ...stored.values, ...source.values });
  if (sourceUnique) await execute(tx, 'set local enable_hashjoin = default');
  return { ...found, appeared: unstored.length === 0 ? 0 : await countAppeared(tx, unstored, runId) };
}

async function countAppeared(tx: CellTransaction, unstored: readonly string[], runId: bigint | null): Promise<number> {
  const { appeared } = await selectRow<Pick<SourceDifferences, 'appeared'>>(tx, APPEARED, { unstored, run_id: runId });
  return appeared;
}

interface Condition {
  readonly sql: string;
  readonly values: SqlValues;
}

function leaveOut({ sql, values }: Condition, column: string, ids: readonly string[]): Condition {
  if (ids.length === 0) return { sql, values };
  return {
    sql: `${sql} and not (${column} = any (:left_out::credit_rollout.org_id[]))`,
    values: { ...values, left_out: ids },
  };
}
