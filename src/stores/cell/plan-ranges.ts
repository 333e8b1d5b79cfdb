// Reads one key range under the rule and keeps it as part of a plan: inputs and outcome of every org in columns, a digest,
// and the counts of the report, in one statement. Calls the rule, never restates it.
import type { CellTransaction } from './cell-database.js';
import { type KeyRange, withinRange } from './key-range.js';

/** The columns that decide and what they decide: what a digest covers. Of `decided`, and alike of `allotments`. */
export const rowHash = (row: string): string =>
  `hash_record_extended(row(${row}.org_id, ${row}.edition, ${row}.paid, ${row}.agents, ${row}.light_agents, ${row}.negotiated_limit,
     ${row}.additional_credits, ${row}.floor, ${row}.total_credits), 0)`;

/** Bits of a group's `flags`, and of the first of an org's `kind`. */
export const PLAN_FLAGS = { paid: 1, legacy: 2, purchased: 4, lightAgents: 8, negotiated: 16 } as const;
export const PLAN_MOVEMENTS = ['same', 'first', 'raise', 'fall'] as const;
export type PlanMovement = (typeof PLAN_MOVEMENTS)[number];

/** Lower ends of the histogram's bars, in percent of the capacity before; the first bar is open at the bottom. */
export const CHANGE_EDGES = [-50, -10, 0, 0, 10, 50, 100, 200, 500, 1_000] as const;

/** Orgs of one range that share branch, movement, reason and bar. Sums as decimal text. */
export interface PlanGroup {
  /** Place in the card's editions, from 1; 0: not decided. */
  readonly editionNo: number;
  readonly flags: number;
  readonly movement: PlanMovement;
  /** Why they are undecidable; null: decided. */
  readonly reason: string | null;
  readonly bar: number;
  readonly orgs: number;
  readonly before: string;
  readonly after: string;
  readonly planCredits: string;
  readonly grandfathered: string;
  readonly falling: number;
  readonly raiseFactor: number | null;
  readonly floorOverPlan: number | null;
  /** Paid orgs whose peak exceeds their total. */
  readonly short: number;
}

/** An org that the report names; numbers as decimal text. */
export interface ListedOrg {
  readonly list: 'raise' | 'floor' | 'short';
  readonly orgId: string;
  readonly edition: string;
  readonly paid: boolean;
  readonly agents: string;
  readonly before: string;
  readonly after: string;
  readonly planCredits: string;
  readonly legacyLimit: string;
  readonly additional: string;
  readonly floor: string | null;
  readonly peak: string | null;
  /** What the list is ordered by, ascending. */
  readonly rank: number;
}

export interface PlannedRange {
  readonly groups: readonly PlanGroup[];
  readonly listed: readonly ListedOrg[];
  /** The lowest org of every branch that was not seen before, protected ones left out. */
  readonly canaries: readonly { readonly branch: number; readonly orgId: string; readonly hash: string }[];
  readonly protectedTouched: number;
}

export interface RangeQuestion {
  /** Null: a what-if, nothing is stored. */
  readonly planId: bigint | null;
  readonly rangeNo: number;
  readonly cardHash: string;
  /** The card's editions; their places are what is stored. */
  readonly editions: readonly string[];
  /** `decided_first` where nothing stands in the range. */
  readonly rule: 'decided' | 'decided_first';
  /** The source proves that ids are unique. */
  readonly unique: boolean;
  /** The source has peak_credits. */
  readonly usage: boolean;
  /** Branches (edition place × 256 + flags) that have their canary. */
  readonly seenBranches: readonly number[];
  /** Only orgs that rank below are listed. */
  readonly ranks: Readonly<Record<ListedOrg['list'], number>>;
}

const MAX = '9223372036854775807';
const TOUCHED = `d.reason is null and d.movement in ('first', 'raise')`;

// OFFSET 0 keeps what is computed once apart; MATERIALIZED because four readers share it
const DECIDED = ({ rule, unique, usage }: RangeQuestion, peaks: string): string => `
decided as materialized (
  select ${unique ? '' : 'distinct on (d.org_id)'} d.org_id, d.edition, d.paid, d.agents, d.light_agents, d.additional_credits,
    d.negotiated_limit, d.base_credits + d.variable_credits as plan_credits, d.legacy_limit, d.floor, d.grandfathered_credits,
    d.total_credits, d.reason, d.movement,
    coalesce(d.prior_total, case when d.legacy_limit <= ${MAX} - d.additional_credits
      then d.legacy_limit + d.additional_credits else ${MAX} end) as before,
    case when d.reason is null then coalesce(array_position(?::text[], d.edition), 0) else 0 end as edition_no,
    d.paid::int | case when d.winner = 'legacy' then 2 else 0 end | case when d.additional_credits > 0 then 4 else 0 end
      | case when d.light_agents > 0 then 8 else 0 end | case when d.negotiated_limit is not null then 16 else 0 end as flags,
    ${usage ? 'u.peak_credits' : 'null::bigint'} as peak
  from credit_rollout.${rule}(?::credit_rollout.org_id, ?::credit_rollout.org_id, null, ?) d
  ${usage ? `left join (select org_id, peak_credits from credit_rollout.source_orgs where ${peaks}) u on u.org_id = d.org_id` : ''}
  ${unique ? '' : 'order by d.org_id'}
)`;

const STORED = `
stored as (
  insert into credit_rollout.plan_ranges (plan_id, range_no, lower_id, upper_id, orgs, touched, digest, editions, org_ids, kinds,
    edition_nos, agents, light_agents, additional_credits, negotiated_limits, before_credits, floors, total_credits)
  select ?::bigint, ?::int, ?::credit_rollout.org_id, ?::credit_rollout.org_id, count(*),
    count(*) filter (where ${TOUCHED}), coalesce(sum(${rowHash('d')}) filter (where ${TOUCHED}), 0), ?::text[],
    coalesce(array_agg(d.org_id), '{}'), coalesce(array_agg((d.flags & 3 | case
      when d.reason is not null then 32 when d.movement = 'first' then 4 when d.movement = 'raise' then 8
      when d.movement = 'fall' then 16 else 0 end)::smallint), '{}'),
    coalesce(array_agg(d.edition_no::smallint), '{}'), coalesce(array_agg(d.agents), '{}'),
    coalesce(array_agg(d.light_agents), '{}'), coalesce(array_agg(d.additional_credits), '{}'),
    coalesce(array_agg(d.negotiated_limit), '{}'), coalesce(array_agg(case when d.reason is null then d.before end), '{}'),
    coalesce(array_agg(case when d.reason is null then d.floor end), '{}'),
    coalesce(array_agg(case when d.reason is null then d.total_credits end), '{}')
  from (select * from decided order by org_id) d
)`;

const GROUPS = `
select coalesce(json_agg(g), '[]') from (
  select d.edition_no as "editionNo", case when d.reason is null then d.flags else 0 end as flags,
    case when d.reason is null and d.movement in ('first', 'raise', 'fall') then d.movement else 'same' end as movement, d.reason,
    case when d.reason is null then width_bucket((d.total_credits - d.before)::float8 * 100 / greatest(d.before, 1),
      '{-50,-10,0,1e-9,10,50,100,200,500,1000}'::float8[]) else 0 end as bar,
    count(*) as orgs, coalesce(sum(d.before) filter (where d.reason is null), 0)::text as before,
    coalesce(sum(d.total_credits) filter (where d.reason is null), 0)::text as after,
    coalesce(sum(d.plan_credits) filter (where d.reason is null), 0)::text as "planCredits",
    coalesce(sum(d.grandfathered_credits) filter (where d.reason is null), 0)::text as grandfathered,
    count(*) filter (where d.reason is null and d.total_credits < d.before) as falling,
    max(d.total_credits::float8 / greatest(d.before, 1)) filter (where ${TOUCHED} and d.total_credits > d.before) as "raiseFactor",
    max(d.floor::float8 / greatest(d.plan_credits, 1))
      filter (where d.reason is null and d.paid and d.negotiated_limit is null) as "floorOverPlan",
    count(*) filter (where d.reason is null and d.paid and d.peak > d.total_credits) as short
  from decided d group by 1, 2, 3, 4, 5) g`;

const LISTED_COLUMNS = `d.org_id::text as "orgId", d.edition, d.paid, d.agents::text, d.before::text, d.total_credits::text as after,
  d.plan_credits::text as "planCredits", d.legacy_limit::text as "legacyLimit", d.additional_credits::text as additional,
  d.floor::text, d.peak::text`;

const list = (name: ListedOrg['list'], rank: string, where: string): string => `
(select '${name}' as list, ${LISTED_COLUMNS}, ${rank} as rank from decided d
 where d.reason is null and ${where} and ${rank} < ? order by rank limit 20)`;

const LISTED = `
select coalesce(json_agg(l), '[]') from (
  ${list('raise', '(d.before - d.total_credits)::float8', `d.movement in ('first', 'raise') and d.total_credits > d.before`)}
  union all ${list('floor', '(d.plan_credits - d.floor)::float8 / greatest(d.floor, 1)', 'd.paid and d.plan_credits >= d.floor')}
  union all ${list('short', '(d.total_credits - d.peak)::float8', 'd.paid and d.peak > d.total_credits')}) l`;

const CANARIES = `
select coalesce(json_agg(c), '[]') from (
  select distinct on (d.edition_no * 256 + d.flags) d.edition_no * 256 + d.flags as branch, d.org_id::text as "orgId",
    ${rowHash('d')}::text as hash
  from decided d where ${TOUCHED} and d.edition_no > 0 and not (d.edition_no * 256 + d.flags = any (?::int[]))
    and not exists (select from credit_rollout.protected_orgs p where p.org_id = d.org_id)
  order by d.edition_no * 256 + d.flags, d.org_id) c`;

const PROTECTED = `
select count(*) from credit_rollout.protected_orgs p join decided d on d.org_id = p.org_id where ${TOUCHED}`;

/** A range of which nothing can be read: it is there, so that the ranges cover every id, and says nothing. */
export async function insertUnreadableRange(
  tx: CellTransaction,
  range: KeyRange,
  { planId, rangeNo }: { readonly planId: bigint; readonly rangeNo: number },
): Promise<void> {
  await tx.raw(
    `insert into credit_rollout.plan_ranges (plan_id, range_no, lower_id, upper_id, orgs, touched, digest, editions, org_ids, kinds,
       edition_nos, agents, light_agents, additional_credits, negotiated_limits, before_credits, floors, total_credits)
     values (?::bigint, ?, ?::credit_rollout.org_id, ?::credit_rollout.org_id, 1, 0, 0, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
       '{}', '{}', '{}')`,
    [String(planId), rangeNo, range.lowerId, range.upperId],
  );
}

/** Plans one range; stores it when the question names a plan. */
export async function planRange(tx: CellTransaction, range: KeyRange, question: RangeQuestion): Promise<PlannedRange> {
  const within = withinRange(range);
  const { planId, editions, ranks } = question;
  const bounds = [range.lowerId, range.upperId];
  const { rows } = await tx.raw(
    `with ${DECIDED(question, within.sql)}${planId === null ? '' : `,${STORED}`}
     select (${GROUPS}) as groups, (${LISTED}) as listed, (${CANARIES}) as canaries, (${PROTECTED})::int as protected_touched`,
    [
      [...editions],
      ...bounds,
      question.cardHash,
      ...(question.usage ? within.bindings : []),
      ...(planId === null ? [] : [String(planId), question.rangeNo, ...bounds, [...editions]]),
      ranks.raise,
      ranks.floor,
      ranks.short,
      [...question.seenBranches],
    ],
  );
  const { groups, listed, canaries, protected_touched: protectedTouched } = rows[0];
  return { groups, listed, canaries, protectedTouched };
}
