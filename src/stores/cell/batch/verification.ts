// The independent statement of the rule: written from docs/reference/domain.md, not from `decided`, in numeric and step
// by step.
// (i) stored terms against this rule on the stored inputs; (ii) stored inputs against the source now; (iii) rows
// against what was recorded about them.
import { execute, findRow, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { type KeyRange, rangeCondition, storedRangeCondition } from '../key-range.js';
import { findSourceRangeEnd, type SourceReadMode } from '../source-ranges.js';
import { SLOWDOWN } from './batches.js';
import {
  foreign,
  IS_PLANNED,
  LAST_STORED,
  type Look,
  listUnplanned,
  missingOrgs,
  NEWEST_CHANGES,
} from './recorded-allotments.js';
import { countDifferences, type SourceDifferences } from './source-differences.js';

/** What differs from the source never blocks. */
export interface VerifyCounts extends SourceDifferences {
  readonly checked: number;
  /** Rows that break the rule on their own stored inputs, or that are not what was recorded: blocks. */
  readonly mismatches: number;
}

/** Sums over all allotments of a range, as decimal text. */
export interface RangeSums {
  readonly legacyWins: number;
  /** What the old model gave, and purchases. */
  readonly beforeCredits: string;
  readonly afterCredits: string;
  readonly floors: string;
}

export type Verified = VerifyCounts & {
  readonly sums: RangeSums;
  /** The orgs of the mismatches; org data. */
  readonly broken: readonly string[];
};

// What each edition of each card gives, paid and unpaid: one small table, so that each allotment is looked up once.
const GIVEN = `
  select own.card_hash, own.edition, p.paid, c.light_agents_count_as_users as light_agents_count, own.legacy_flat,
    own.legacy_per_user::numeric, own.legacy_max::numeric, own.legacy_min::numeric, pays.base::numeric,
    pays.per_agent::numeric, pays.concurrency
  from credit_rollout.rate_cards c
  join credit_rollout.rates own on own.card_hash = c.card_hash
  cross join (values (true), (false)) p (paid)
  join credit_rollout.rates pays on pays.card_hash = c.card_hash
    and pays.edition = case when p.paid then own.edition else c.unpaid_edition end
  offset 0`;

/** What else a statement asks of each allotment `a`, and what it joins for that. */
interface Asked {
  readonly columns: string;
  readonly joins: string;
}

// One row for each allotment. OFFSET 0: each layer's terms are computed once.
const ROWS = (within: string, asked: Asked = { columns: '', joins: '' }): string => `
  select t.*, t.plan + t.top_up + t.additional_credits as rule_total,
     t.base_credits = t.base and t.variable_credits = t.variable and t.concurrency_limit = t.concurrency
     and t.stored_limit = t.formula_limit
     and t.grandfathered_credits = t.top_up
     and t.total_credits = t.plan + t.top_up + t.additional_credits
     and t.winner = case t.top_up when 0 then 'credits' else 'legacy' end
     and (t.unpaid_since is null) = t.paid
     -- while no gate was ever armed, every paid org has a promise; which, recorded-allotments.ts compares
     and (t.armed or not t.paid or t.floor is not null) as holds
  from (
    select f.*, case when not f.paid or f.floor is null or f.floor <= f.plan then 0 else f.floor - f.plan end as top_up,
      (select effective_at is not null from credit_rollout.gate)
        or exists (select from credit_rollout.reversals) as armed
    from (
      select u.*, u.base + u.variable as plan,
        case
          when u.negotiated_limit is not null then u.negotiated_limit
          when u.legacy_flat is not null then u.legacy_flat
          when u.by_users > u.legacy_max then u.legacy_max
          when u.by_users < u.legacy_min then u.legacy_min
          else u.by_users end as formula_limit
      from (
        select a.*, a.legacy_limit as stored_limit, g.base, g.concurrency, g.legacy_flat, g.legacy_max, g.legacy_min,
          g.per_agent * a.agents as variable,
          case when a.negotiated_limit is null and g.legacy_flat is null then
            g.legacy_per_user * (a.agents::numeric + case when g.light_agents_count then a.light_agents else 0 end)
          end as by_users${asked.columns}
        from credit_rollout.allotments a
        left join (${GIVEN}) g on g.card_hash = a.rate_card and g.edition = a.edition and g.paid = a.paid
        ${asked.joins}
        where ${within}
        offset 0
      ) u
      offset 0
    ) f
    offset 0
  ) t`;

const SUMS = `
count(*)::int as checked,
  count(*) filter (where winner = 'legacy')::int as legacy_wins,
  (coalesce(sum(stored_limit), 0) + coalesce(sum(additional_credits), 0))::text as before_credits,
  coalesce(sum(total_credits), 0)::text as after_credits, coalesce(sum(floor), 0)::text as floors`;

const MISMATCHES = (within: string): string => `
select ${SUMS}, coalesce(array_agg(org_id::text) filter (where not coalesce(holds, false)), '{}') as broken
from (${ROWS(within)}
) rows`;

// The rule and what was recorded, in one pass over the range.
const ALL_MISMATCHES = (within: string, changes: string, look: Look): string => `
with ${NEWEST_CHANGES(changes)}, ${LAST_STORED(within)}
select ${SUMS},
  coalesce(array_agg(org_id::text) filter (where not coalesce(holds, false) or is_foreign), '{}') as broken,
  ${missingOrgs(look)} as missing, ${IS_PLANNED} as is_planned
from (${ROWS(within, foreign(look))}
) rows`;

const LISTED = (within: string): string => `
select i.id::text as org_id, rows.total_credits::text as stored_total, rows.rule_total::text
from unnest(:listed::credit_rollout.org_id[]) i (id)
left join (${ROWS(within)}
) rows on rows.org_id = i.id order by i.id limit :limit`;

export interface VerifyOptions {
  /** The run whose quarantine excuses an absent allotment; null: any run's. */
  readonly runId: bigint | null;
  /** Orgs whose columns cannot be read: their inputs count as changed. */
  readonly unreadable?: readonly string[];
  /** An index of the source proves that an id occurs once, and gives its rows in their order. */
  readonly sourceUnique?: boolean;
}

interface RuleCounts extends RangeSums {
  readonly checked: number;
  readonly broken: readonly string[];
}

interface AllCounts extends RuleCounts {
  readonly missing: readonly string[];
  readonly isPlanned: boolean;
}

/** The orgs whose allotments break the rule on their own inputs, and sums. Reads allotments and cards only. */
export function verifyRule(tx: CellTransaction, range: KeyRange): Promise<RuleCounts> {
  const all = storedRangeCondition(range, 'a.org_id');
  return selectRow<RuleCounts>(tx, MISMATCHES(all.sql), all.values);
}

/** Compares one key range. */
export async function verifyRange(tx: CellTransaction, range: KeyRange, options: VerifyOptions): Promise<Verified> {
  const { runId, unreadable = [], sourceUnique = false } = options;
  const all = storedRangeCondition(range, 'a.org_id');
  const changes = rangeCondition(range, 'c.org_id');
  const quick = await selectRow<AllCounts>(tx, ALL_MISMATCHES(all.sql, changes.sql, 'quick'), all.values);
  const isSuspect = quick.broken.length + quick.missing.length > 0;
  const { checked, broken, missing, isPlanned, ...sums } = isSuspect
    ? await selectRow<AllCounts>(tx, ALL_MISMATCHES(all.sql, changes.sql, 'whole'), { ...all.values, unreadable })
    : quick;
  const unplanned = isPlanned ? await listUnplanned(tx, range, unreadable) : [];
  const found = [...new Set([...broken, ...missing, ...unplanned])];
  const { changedSince, appeared, gone } = await countDifferences(tx, range, { runId, unreadable, sourceUnique });
  const counts = { checked, mismatches: found.length, changedSince: changedSince + unreadable.length, appeared, gone };
  return { ...counts, sums, broken: found };
}

/** An allotment that breaks the rule or is not what was recorded. Org data: for the person who asks. */
export interface Mismatch {
  readonly orgId: string;
  /** Credits a day, as decimal text; null: somebody deleted it. */
  readonly storedTotal: string | null;
  /** What the rule gives on the stored inputs; as stored where another column is wrong; null: it gives none. */
  readonly ruleTotal: string | null;
}

/** At most `limit` of the orgs that a verification of the range found, by id. */
export function listMismatches(
  tx: CellTransaction,
  range: KeyRange,
  { broken, limit }: Pick<Verified, 'broken'> & { readonly limit: number },
): Promise<readonly Mismatch[]> {
  const { sql, values } = storedRangeCondition(range, 'a.org_id');
  return selectRows<Mismatch>(tx, LISTED(sql), { ...values, listed: broken, limit });
}

/** Records what was found for a batch of a run. */
export async function recordVerification(
  tx: CellTransaction,
  at: { runId: bigint; batchNo: number },
  { sums, ...counts }: Omit<Verified, 'broken'>,
): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.batches
     set verified_at = clock_timestamp(), checked = :checked, mismatches = :mismatches, changed_since = :changed_since,
       appeared = :appeared, legacy_wins = :legacy_wins, before_credits = :before_credits::numeric,
       after_credits = :after_credits::numeric, floors = :floors::numeric, slowdown = ${SLOWDOWN}
     where run_id = :run_id::bigint and batch_no = :batch_no`,
    {
      run_id: at.runId,
      batch_no: at.batchNo,
      checked: counts.checked,
      mismatches: counts.mismatches,
      changed_since: counts.changedSince,
      appeared: counts.appeared,
      legacy_wins: sums.legacyWins,
      before_credits: sums.beforeCredits,
      after_credits: sums.afterCredits,
      floors: sums.floors,
    },
  );
}

/** Lets a retried run be verified again from the start. */
export async function clearVerification(tx: CellTransaction, runId: bigint): Promise<void> {
  await execute(
    tx,
    `update credit_rollout.batches
     set verified_at = null, checked = null, mismatches = null, changed_since = null, appeared = null
     where run_id = :run_id::bigint`,
    { run_id: runId },
  );
}

/** The id that ends a range of about `size` rows from `lowerId` on, over stored and source ids; null at the end. */
export const findRangeEnd = async (
  tx: CellTransaction,
  lowerId: string | null,
  { size, mode }: { readonly size: number; readonly mode: SourceReadMode },
): Promise<string | null> => findEndBefore(tx, lowerId, size, await findSourceRangeEnd(tx, lowerId, { size, mode }));

/** The same where the end in the source is known. */
export async function findEndBefore(
  tx: CellTransaction,
  lowerId: string | null,
  size: number,
  inSource: string | null,
): Promise<string | null> {
  const within = rangeCondition({ lowerId, upperId: null });
  const end = await findRow<{ orgId: string }>(
    tx,
    `select ends.org_id::text from (
       (select org_id from credit_rollout.allotments where ${within.sql} order by org_id offset :size limit 1)
       union all select :in_source::credit_rollout.org_id) ends
     where ends.org_id is not null order by ends.org_id limit 1`,
    { ...within.values, size, in_source: inSource },
  );
  return end?.orgId ?? null;
}
