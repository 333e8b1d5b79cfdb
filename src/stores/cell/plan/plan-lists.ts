// The orgs that a report names. While a plan reads its ranges they are only ranked; at the end the plan reads what the
// remaining ones get.
import type { PlannedOrg } from '../../../domain/plan/plan-report.js';
import { selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

export const LIST_NAMES = ['raise', 'floor', 'short'] as const;
export type ListName = (typeof LIST_NAMES)[number];

/** How many orgs a list names. */
export const LISTED = 20;

/** An org with its rank in a list. Lower ranks come first; a full list takes only what ranks below its last one. */
export interface RankedOrg {
  readonly list: ListName;
  readonly orgId: string;
  readonly rank: number;
}

/** An org that the report names. Numbers as decimal text. */
export interface ListedOrg extends PlannedOrg {
  readonly additional: string;
  readonly peak: string | null;
}

const MAX = '9223372036854775807';

/** Capacity now of a row `r` of the rule. */
export const BEFORE = `coalesce(r.prior_total,
      case when r.legacy_limit <= ${MAX} - greatest(r.additional_credits, 0)
        then r.legacy_limit + r.additional_credits else ${MAX} end)`;

const LISTS: Readonly<Record<ListName, { readonly rank: string; readonly where: string }>> = {
  raise: { rank: '(d.before - d.total_credits)::float8', where: 'd.total_credits > d.before' },
  floor: {
    rank: '(d.plan_credits - d.floor)::float8 / greatest(d.floor, 1)',
    where: 'd.paid and d.plan_credits >= d.floor',
  },
  short: { rank: '(d.total_credits - d.peak)::float8', where: 'd.paid and d.peak > d.total_credits' },
};

/** Ids and ranks of the rows `d` of a group that rank below `limit`: almost none once the list is full. */
export const rankedInGroup = (list: ListName, limit: string): string => {
  const { rank, where } = LISTS[list];
  return `json_agg(json_build_array(d.org_id::text, ${rank})) filter (where ${where} and ${rank} < ${limit})`;
};

/** The first of a list, over all groups `g` in which `where` holds, as JSON; null: none. A scalar subquery. */
export const firstOfGroups = (list: ListName, where: string): string => `
  (select json_agg(json_build_object('list', '${list}', 'orgId', f.org_id, 'rank', f.rank)) from (
     select r.value ->> 0 as org_id, (r.value ->> 1)::float8 as rank
     from grouped g cross join lateral json_array_elements(g.${list}_ranks) r
     where ${where} order by 2, 1 limit ${LISTED}
   ) f)`;

/** What these orgs get, in the plan's own snapshot; without ids that are not there. */
export async function readListedOrgs(
  tx: CellTransaction,
  ids: readonly string[],
  cardHash: string,
): Promise<readonly ListedOrg[]> {
  if (ids.length === 0) return [];
  return selectRows<ListedOrg>(
    tx,
    `select r.org_id::text, r.edition, r.paid, r.agents::text, ${BEFORE}::text as before,
       r.total_credits::text as after, (r.base_credits + r.variable_credits)::text as plan_credits,
       r.legacy_limit::text, r.additional_credits::text as additional, r.floor::text, coalesce(s.peak_credits, (
         select p.peak_credits from credit_rollout.usage_peaks p where p.org_id = r.org_id))::text as peak
     from credit_rollout.decided(null, null, :ids::credit_rollout.org_id[], :card_hash) r
     join credit_rollout.source_orgs s on s.org_id = r.org_id and s.org_id = any (:ids::credit_rollout.org_id[])`,
    { ids, card_hash: cardHash },
  );
}
