// What orgs use, for people: counted by branch, and the orgs that come near their total or are refused. As `reader`.
import type { BranchUsage, PredictedEdition } from '../../../domain/usage/sum-editions.js';
import { findRow, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

// what is kept of each org, by the model of the day: calls before its migration, credits since
const HISTORY = `
select u.org_id,
  coalesce(sum(u.refused_by_credits) filter (where u.model = 'credits'), 0) as refused_since,
  coalesce(sum(u.refused_by_concurrency) filter (where u.model = 'credits'), 0) as concurrency_since,
  coalesce(sum(u.shadow_by_credits) filter (where u.model = 'credits'), 0) as shadow_since,
  coalesce(sum(u.shadow_by_concurrency) filter (where u.model = 'credits'), 0) as shadow_concurrency_since,
  coalesce(sum(u.shadow_by_credits) filter (where u.model = 'legacy'), 0) as shadow_before,
  coalesce(sum(u.refused_by_credits) filter (where u.model = 'legacy'), 0) as refused_before,
  count(*) filter (where u.model = 'legacy') as days_before,
  max(u.credits - u.credits_given_back) filter (where u.day >= d.today - 30 and u.day < d.today) as peak
from credit_rollout.usage_days u cross join day d group by u.org_id`;

const MEASURED = `
with day as (select (now() at time zone c.zone)::date as today from credit_rollout.cell c),
history as (${HISTORY}),
measured as (
  select a.org_id, a.edition, a.paid, a.winner, a.additional_credits > 0 as purchased,
    a.light_agents > 0 as light_agents, a.negotiated_limit is not null as negotiated, a.total_credits,
    t.calls, t.credits - t.credits_given_back as used, t.refused_by_credits as refused,
    t.shadow_by_credits as shadow, h.peak,
    (t.credits - t.credits_given_back)::numeric * 100 >= a.total_credits::numeric * 80
      and t.credits > t.credits_given_back as near,
    a.origin = 'migrated' and h.refused_before + h.shadow_before = 0 and h.days_before > 0 as is_news,
    h.refused_since as refused_calls, h.shadow_since as shadow_calls, h.concurrency_since, h.shadow_concurrency_since,
    h.peak > a.total_credits as peak_above
  from credit_rollout.allotments a cross join day d
  left join history h on h.org_id = a.org_id
  left join credit_rollout.usage_days t on t.org_id = a.org_id and t.day = d.today
)`;

/** Every org with an allotment, by branch. */
export function listBranchUsage(tx: CellTransaction): Promise<readonly BranchUsage[]> {
  return selectRows<BranchUsage>(
    tx,
    `${MEASURED}
     select m.edition, m.paid, m.winner, m.purchased, m.light_agents, m.negotiated, count(*)::integer as orgs,
       count(m.calls)::integer as active, coalesce(sum(m.used), 0)::text as used_today,
       count(*) filter (where m.near)::integer as near, count(*) filter (where m.refused > 0)::integer as refused_today,
       count(*) filter (where m.refused = 0 and m.shadow > 0)::integer as would_be_refused_today,
       count(*) filter (where m.is_news and m.refused_calls > 0)::integer as refused_since,
       count(*) filter (where m.is_news and m.refused_calls = 0 and m.shadow_calls > 0)::integer
         as would_be_refused_since,
       count(*) filter (where m.peak_above)::integer as peak_above_total,
       count(*) filter (where m.concurrency_since > 0)::integer as concurrency_since,
       count(*) filter (where m.concurrency_since = 0 and m.shadow_concurrency_since > 0)::integer
         as would_be_concurrency_since
     from measured m group by 1, 2, 3, 4, 5, 6 order by 1, 2 desc, 3, 4, 5, 6`,
  );
}

/** An org for the screen of the person who asks. Numbers as decimal text. */
export interface UsedOrg {
  readonly orgId: string;
  readonly edition: string;
  readonly used: string;
  readonly total: string;
  /** Calls refused for the credits: today in `near`, since its migration in `refusedSince`. */
  readonly refused: string;
  /** Calls served in shadow that would have been refused for the credits, of the same time. */
  readonly wouldBeRefused: string;
}

/** Those that used at least 80 % of their total today, the fullest first. */
export function listNearOrgs(tx: CellTransaction, limit: number): Promise<readonly UsedOrg[]> {
  return selectRows<UsedOrg>(
    tx,
    `${MEASURED}
     select m.org_id::text, m.edition, m.used::text, m.total_credits::text as total, m.refused::text,
       m.shadow::text as would_be_refused
     from measured m where m.near
     order by m.used::numeric / greatest(m.total_credits, 1) desc, m.org_id limit :limit::int`,
    { limit },
  );
}

/** Those that are refused, or would have been, since their migration and were not before; the most refused first. */
export function listRefusedOrgs(tx: CellTransaction, limit: number): Promise<readonly UsedOrg[]> {
  return selectRows<UsedOrg>(
    tx,
    `${MEASURED}
     select m.org_id::text, m.edition, coalesce(m.used, 0)::text as used, m.total_credits::text as total,
       m.refused_calls::text as refused, m.shadow_calls::text as would_be_refused
     from measured m where m.is_news and m.refused_calls + m.shadow_calls > 0
     order by m.refused_calls + m.shadow_calls desc, m.org_id limit :limit::int`,
    { limit },
  );
}

/**
 * Paid orgs that are refused, or would have been, since their migration and were not before; null: nothing was measured
 * since one.
 */
export async function countRefusedSince(tx: CellTransaction): Promise<number | null> {
  const { days } = await selectRow<{ readonly days: boolean }>(
    tx,
    `select exists (select from credit_rollout.usage_days u where u.model = 'credits') as days`,
  );
  if (!days) return null;
  const { count } = await selectRow<{ readonly count: number }>(
    tx,
    `${MEASURED} select count(*)::integer as count from measured m
     where m.is_news and m.refused_calls + m.shadow_calls > 0 and m.paid`,
  );
  return count;
}

export interface MeasuredDays {
  /** Local date. */
  readonly today: string;
  /** Local date; null: nothing was ever measured. */
  readonly firstDay: string | null;
  /** Orgs with calls today that have no allotment. */
  readonly legacyToday: number;
  readonly alerts80: number;
  readonly alerts100: number;
}

export function readMeasuredDays(tx: CellTransaction): Promise<MeasuredDays> {
  return selectRow<MeasuredDays>(
    tx,
    `with day as (select (now() at time zone c.zone)::date as today from credit_rollout.cell c)
     select d.today::text, (select min(u.day)::text from credit_rollout.usage_days u) as first_day,
       (select count(*)::integer from credit_rollout.usage_days u where u.day = d.today and not exists (
         select from credit_rollout.allotments a where a.org_id = u.org_id)) as legacy_today,
       (select count(*)::integer from credit_rollout.usage_alerts l where l.day = d.today and l.threshold = 80)
         as alerts_80,
       (select count(*)::integer from credit_rollout.usage_alerts l where l.day = d.today and l.threshold = 100)
         as alerts_100
     from day d`,
  );
}

/** Undefined: no plan is kept, or it knew no peaks. */
export async function findPrediction(
  tx: CellTransaction,
): Promise<{ readonly planId: string; readonly editions: readonly PredictedEdition[] } | undefined> {
  const row = await findRow<{ readonly planId: string; readonly editions: readonly PredictedEdition[] | null }>(
    tx,
    `select p.plan_id::text, p.counts -> 'usage' as editions
     from credit_rollout.runs r join credit_rollout.plans p using (plan_id)
     where r.kind = 'migrate' order by r.run_id desc limit 1`,
  );
  return row?.editions ? { planId: row.planId, editions: row.editions } : undefined;
}
