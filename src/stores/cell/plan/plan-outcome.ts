// What came of a plan: what its run wrote, and the orgs that the run left out. The list is org data: for the person who asks
// in this cell, never for a log.
import type { CellTransaction } from '../cell-database.js';

/** The newest run that followed a plan. */
export interface FollowedRun {
  readonly runId: bigint;
  readonly state: 'open' | 'done' | 'failed' | 'aborted';
  /** What the plan says of the orgs that it writes: sum of their totals, in credits a day, as decimal text. */
  readonly predictedCredits: string;
  /** Orgs that were written. */
  readonly touched: number;
  /** Sum of their totals, as decimal text. */
  readonly credits: string;
  /** From the start of the first batch to the last commit, waits included, in ms; 0: nothing is done. */
  readonly durationMs: number;
  /** Changed since the plan and not settled; those that are gone are left aside. */
  readonly stale: number;
  readonly quarantined: number;
}

const RUN = `
select r.run_id, r.state, coalesce(sum(b.inserted + b.raised), 0)::float8 as touched, coalesce(sum(b.total_credits), 0)::text as credits,
  coalesce(extract(epoch from max(b.done_at) - min(b.done_at - b.duration_ms * interval '1 ms')) * 1000, 0)::float8 as duration_ms,
  (select count(*) from credit_rollout.stale_orgs s where s.run_id = r.run_id and s.settled_at is null and s.reason <> 'gone')::float8 as stale,
  (select count(*) from credit_rollout.quarantine q where q.run_id = r.run_id)::float8 as quarantined
from credit_rollout.runs r left join credit_rollout.batches b using (run_id)
where r.plan_id = ?::bigint group by r.run_id order by r.run_id desc limit 1`;

const PREDICTED =
  'select coalesce(sum(touched_credits), 0)::text as credits from credit_rollout.plan_ranges where plan_id = ?::bigint';

/** Undefined: no run followed it. */
export async function findFollowedRun(tx: CellTransaction, planId: bigint): Promise<FollowedRun | undefined> {
  const row = (await tx.raw(RUN, [String(planId)])).rows[0];
  if (row === undefined) return undefined;
  return {
    runId: BigInt(row.run_id),
    state: row.state,
    predictedCredits: (await tx.raw(PREDICTED, [String(planId)])).rows[0].credits,
    touched: row.touched,
    credits: row.credits,
    durationMs: Math.round(row.duration_ms),
    stale: row.stale,
    quarantined: row.quarantined,
  };
}

/** Inputs and outcome of an org by the names of the columns; numbers as decimal text. */
export type OrgImage = Readonly<Record<string, string | boolean | null>>;

/** An org whose inputs changed between plan and apply. */
export interface StaleOrg {
  readonly orgId: string;
  readonly reason: 'changed' | 'appeared' | 'gone';
  /** What the plan saw; null: it did not see the org. */
  readonly planned: OrgImage | null;
  /** What the apply found; null: the org was gone. */
  readonly found: OrgImage | null;
  /** What the follow-up made of it; null: it is left. */
  readonly settled: 'applied' | 'unchanged' | 'gone' | 'quarantined' | null;
  readonly recordedAt: Date;
  readonly settledAt: Date | null;
}

// numbers leave as text: JSON would round those above 2^53
const image = (column: string): string =>
  `(select jsonb_object_agg(i.key, case jsonb_typeof(i.value) when 'number' then to_jsonb(i.value #>> '{}') else i.value end)
    from jsonb_each(s.${column}) i) as ${column}`;

/** At most `most` orgs that a run left out, those that are left first; null: all. */
export async function listStaleOrgs(
  tx: CellTransaction,
  runId: bigint,
  most: number | null,
): Promise<readonly StaleOrg[]> {
  const { rows } = await tx.raw(
    `select s.org_id::text as "orgId", s.reason, ${image('planned')}, ${image('found')}, s.settled, s.recorded_at as "recordedAt",
       s.settled_at as "settledAt"
     from credit_rollout.stale_orgs s where s.run_id = ?::bigint order by s.settled is not null, s.org_id limit ?`,
    [String(runId), most],
  );
  return rows;
}

export async function countStaleOrgs(tx: CellTransaction, runId: bigint): Promise<number> {
  const { rows } = await tx.raw(
    'select count(*)::float8 as orgs from credit_rollout.stale_orgs where run_id = ?::bigint',
    [String(runId)],
  );
  return rows[0].orgs;
}
