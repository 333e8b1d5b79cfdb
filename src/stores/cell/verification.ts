// The independent statement of the rule: written from domain.md, not from `decided`, in numeric and step by step.
// (i) stored terms against this rule on the stored inputs; (ii) stored inputs against the source now.
import type { CellTransaction } from './cell-database.js';
import { type KeyRange, withinRange } from './key-range.js';

export interface VerifyCounts {
  readonly checked: number;
  /** Rows that break the rule on their own stored inputs: blocks. */
  readonly mismatches: number;
  /** Orgs whose inputs are no longer those stored: counted, never blocks. */
  readonly changedSince: number;
  /** Orgs in the source without an allotment and not set aside. */
  readonly appeared: number;
  /** Allotments whose org has left the source. */
  readonly gone: number;
}

const MISMATCHES = (within: string): string => `
select count(*)::int as checked, count(*) filter (where not coalesce(holds, false))::int as mismatches from (
  select a.base_credits = p.base and a.variable_credits = p.variable and a.concurrency_limit = p.concurrency
     and a.legacy_limit = l.legacy_limit
     and a.grandfathered_credits = t.top_up
     and a.total_credits = p.base + p.variable + t.top_up + a.additional_credits
     and a.winner = case t.top_up when 0 then 'credits' else 'legacy' end
     and (a.unpaid_since is null) = a.paid
     -- while no gate was ever armed, a paid org's first decision is its promise
     and (a.version > 1 or g.effective_at is not null or a.origin <> 'migrated'
          or case when a.paid then a.floor = a.legacy_limit and a.floor_edition = a.edition else a.floor is null end)
     and (a.version = 1 or g.effective_at is not null or not a.paid or a.floor is not null) as holds
  from credit_rollout.allotments a
  cross join credit_rollout.gate g
  join credit_rollout.rate_cards c on c.card_hash = a.rate_card
  left join credit_rollout.rates own on own.card_hash = a.rate_card and own.edition = a.edition
  left join credit_rollout.rates pays on pays.card_hash = a.rate_card
    and pays.edition = case when a.paid then a.edition else c.unpaid_edition end
  cross join lateral (select pays.base::numeric as base, pays.per_agent::numeric * a.agents as variable,
    pays.concurrency as concurrency,
    a.agents::numeric + case when c.light_agents_count_as_users then a.light_agents else 0 end as users) p
  cross join lateral (select case
      when a.negotiated_limit is not null then a.negotiated_limit::numeric
      when own.legacy_flat is not null then own.legacy_flat::numeric
      when own.legacy_per_user * p.users > own.legacy_max then own.legacy_max::numeric
      when own.legacy_per_user * p.users < own.legacy_min then own.legacy_min::numeric
      else own.legacy_per_user * p.users end as legacy_limit) l
  cross join lateral (select case
      when not a.paid or a.floor is null or a.floor <= p.base + p.variable then 0::numeric
      else a.floor - (p.base + p.variable) end as top_up) t
  where ${within}
) rows`;

const DIFFERENCES = (storedWithin: string, sourceWithin: string): string => `
select
  count(*) filter (where a.org_id is not null and s.org_id is not null and (a.edition, a.paid, a.agents, a.light_agents,
      a.additional_credits, a.negotiated_limit) is distinct from (s.edition, s.paid, s.agents,
      case when c.light_agents_count_as_users then s.light_agents else coalesce(s.light_agents, 0) end,
      s.additional_credits, s.negotiated_limit))::int as changed_since,
  count(*) filter (where a.org_id is null and not exists (
      select from credit_rollout.quarantine q where q.org_id = s.org_id and (?::bigint is null or q.run_id = ?::bigint)))::int as appeared,
  count(*) filter (where s.org_id is null)::int as gone
from (select * from credit_rollout.allotments a where ${storedWithin}) a
join credit_rollout.rate_cards c on c.card_hash = a.rate_card
full join (select * from credit_rollout.source_orgs o where ${sourceWithin}) s on s.org_id = a.org_id`;

/** Compares one key range; `runId` names the run whose quarantine excuses an absent allotment, null: any run's. */
export async function verifyRange(tx: CellTransaction, range: KeyRange, runId: bigint | null): Promise<VerifyCounts> {
  const stored = withinRange(range, 'a.org_id');
  const source = withinRange(range, 'o.org_id');
  const rule = (await tx.raw(MISMATCHES(stored.sql), stored.bindings)).rows[0];
  const run = runId === null ? null : String(runId);
  const differences = (
    await tx.raw(DIFFERENCES(stored.sql, source.sql), [run, run, ...stored.bindings, ...source.bindings])
  ).rows[0];
  return {
    checked: rule.checked,
    mismatches: rule.mismatches,
    changedSince: differences.changed_since,
    appeared: differences.appeared,
    gone: differences.gone,
  };
}

/** Records what was found for a batch of a run. */
export async function recordVerification(
  tx: CellTransaction,
  at: { runId: bigint; batchNo: number },
  counts: VerifyCounts,
): Promise<void> {
  await tx.raw(
    `update credit_rollout.batches set verified_at = clock_timestamp(), checked = ?, mismatches = ?, changed_since = ?, appeared = ?
     where run_id = ?::bigint and batch_no = ?`,
    [counts.checked, counts.mismatches, counts.changedSince, counts.appeared, String(at.runId), at.batchNo],
  );
}

/** Lets a retried run be verified again from the start. */
export async function forgetVerification(tx: CellTransaction, runId: bigint): Promise<void> {
  await tx.raw(
    `update credit_rollout.batches set verified_at = null, checked = null, mismatches = null, changed_since = null, appeared = null
     where run_id = ?::bigint`,
    [String(runId)],
  );
}

/** The id that ends a range of about `size` rows from `lowerId` on, over stored and source ids; null at the end. */
export async function findRangeEnd(tx: CellTransaction, lowerId: string | null, size: number): Promise<string | null> {
  const within = withinRange({ lowerId, upperId: null });
  const { rows } = await tx.raw(
    `select org_id::text from (
       (select org_id from credit_rollout.source_orgs where ${within.sql} order by org_id offset ? limit 1)
       union all
       (select org_id from credit_rollout.allotments where ${within.sql} order by org_id offset ? limit 1)) ends
     where ${lowerId === null ? 'true' : 'org_id > ?::credit_rollout.org_id'} order by org_id limit 1`,
    [...within.bindings, size, ...within.bindings, size, ...(lowerId === null ? [] : [lowerId])],
  );
  return rows[0]?.org_id ?? null;
}
