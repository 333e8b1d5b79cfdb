// Paid orgs on credits whose usage shows that their total may be too small. As `override`: what is proposed for them is
// an override.
import type { CellTotals, MeasuredOrg } from '../../../domain/usage/propose-floors.js';
import { selectRow, selectRows } from '../../query.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

type NumberOf = 'peak' | 'refused' | 'wouldBeRefused' | 'planCredits' | 'additional' | 'total';
type Stored = Omit<MeasuredOrg, NumberOf | 'floor'> &
  Readonly<Record<NumberOf, string>> & { readonly floor: string | null };

/**
 * The orgs that were refused for their credits, or would have been in shadow, or whose busiest day was above their
 * total; the most short first.
 */
export async function listShortMeasuredOrgs(tx: CellTransaction, limit: number): Promise<readonly MeasuredOrg[]> {
  const rows = await selectRows<Stored>(
    tx,
    `select a.org_id::text, a.edition, p.peak_credits::text as peak,
       p.refused_by_credits::text as refused, p.shadow_by_credits::text as would_be_refused,
       a.floor::text, (a.base_credits + a.variable_credits)::text as plan_credits,
       a.additional_credits::text as additional, a.total_credits::text as total,
       exists (select from credit_rollout.protected_orgs r where r.org_id = a.org_id) as is_protected,
       exists (select from credit_rollout.overrides o where o.org_id = a.org_id and o.state = 'proposed')
         as has_proposal
     from credit_rollout.usage_peaks p join credit_rollout.allotments a on a.org_id = p.org_id
     where a.paid and (p.peak_credits > a.total_credits or p.refused_by_credits + p.shadow_by_credits > 0)
     order by p.peak_credits::numeric / greatest(a.total_credits, 1) desc,
       p.refused_by_credits + p.shadow_by_credits desc, a.org_id
     limit :limit::int`,
    { limit },
  );
  return rows.map((row) => ({
    ...row,
    peak: BigInt(row.peak),
    refused: BigInt(row.refused),
    wouldBeRefused: BigInt(row.wouldBeRefused),
    planCredits: BigInt(row.planCredits),
    additional: BigInt(row.additional),
    total: BigInt(row.total),
    floor: toBigint(row.floor),
  }));
}

/** Every allotment of the cell. */
export async function sumAllotments(tx: CellTransaction): Promise<CellTotals> {
  const { orgs, total } = await selectRow<{ readonly orgs: number; readonly total: string }>(
    tx,
    `select count(*)::integer as orgs, coalesce(sum(a.total_credits), 0)::text as total
     from credit_rollout.allotments a`,
  );
  return { orgs, total: BigInt(total) };
}
