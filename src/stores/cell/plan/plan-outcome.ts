// The outcome of a plan: what its run wrote, and the orgs that the run left out. The list is org data: for the person
// who asks in this cell, never for a log.
import { findRow, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

/** The newest run that followed a plan. */
export interface FollowedRun {
  readonly runId: bigint;
  readonly state: 'open' | 'done' | 'failed' | 'aborted';
  /** Sum of the totals that the plan has for the orgs it writes, in credits a day, as decimal text. */
  readonly predictedCredits: string;
  /** Orgs that were written. */
  readonly touched: number;
  /** Sum of their totals, as decimal text. */
  readonly credits: string;
  /** The start of the first batch, and the last commit; null: nothing is done. */
  readonly beganAt: Date | null;
  readonly endedAt: Date | null;
  /** Changed since the plan and not settled, without those that are gone. */
  readonly stale: number;
  /** When they were left out since the source was defined otherwise than when it was planned; null: they were not. */
  readonly followUpSkippedAt: Date | null;
  readonly quarantined: number;
}

const RUN = `
select r.run_id, r.state, r.follow_up_skipped_at, coalesce(sum(b.inserted + b.raised), 0)::float8 as touched,
  coalesce(sum(b.total_credits), 0)::text as credits,
  min(b.done_at - b.duration_ms * interval '1 ms') as began_at, max(b.done_at) as ended_at,
  (select count(*) from credit_rollout.stale_orgs s
    where s.run_id = r.run_id and s.settled_at is null and s.reason <> 'gone')::float8 as stale,
  (select count(*) from credit_rollout.quarantine q where q.run_id = r.run_id)::float8 as quarantined
from credit_rollout.runs r left join credit_rollout.batches b using (run_id)
where r.plan_id = :plan_id::bigint group by r.run_id order by r.run_id desc limit 1`;

const PREDICTED = `
select coalesce(sum(touched_credits), 0)::text as credits
from credit_rollout.plan_ranges where plan_id = :plan_id::bigint`;

type RunRow = Omit<FollowedRun, 'runId' | 'predictedCredits'> & { readonly runId: string };

/** Undefined: no run followed it. */
export async function findFollowedRun(tx: CellTransaction, planId: bigint): Promise<FollowedRun | undefined> {
  const run = await findRow<RunRow>(tx, RUN, { plan_id: planId });
  if (run === undefined) return undefined;
  const predicted = await selectRow<{ readonly credits: string }>(tx, PREDICTED, { plan_id: planId });
  return {
    ...run,
    runId: BigInt(run.runId),
    predictedCredits: predicted.credits,
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
  /** What the follow-up did with it; null: nothing yet. */
  readonly settled: 'applied' | 'unchanged' | 'gone' | 'quarantined' | null;
  readonly recordedAt: Date;
  readonly settledAt: Date | null;
}

// numbers leave as text: JSON would round those above 2^53
const image = (column: string): string =>
  `(select jsonb_object_agg(i.key,
      case jsonb_typeof(i.value) when 'number' then to_jsonb(i.value #>> '{}') else i.value end)
    from jsonb_each(s.${column}) i) as ${column}`;

/** At most `limit` orgs that a run left out, those that are not settled first; null: all. */
export async function listStaleOrgs(
  tx: CellTransaction,
  runId: bigint,
  limit: number | null,
): Promise<readonly StaleOrg[]> {
  return selectRows<StaleOrg>(
    tx,
    `select s.org_id::text, s.reason, ${image('planned')}, ${image('found')}, s.settled, s.recorded_at, s.settled_at
     from credit_rollout.stale_orgs s where s.run_id = :run_id::bigint
     order by s.settled is not null, s.org_id limit :limit`,
    { run_id: runId, limit },
  );
}

/** Why the newest rollout left an org out; undefined: it did not, or its follow-up wrote it. */
export interface LeftOutOrg {
  readonly runId: bigint;
  readonly reason: StaleOrg['reason'];
  readonly recordedAt: Date;
  readonly followUpSkippedAt: Date | null;
}

export async function findLeftOutOrg(tx: CellTransaction, orgId: string): Promise<LeftOutOrg | undefined> {
  const row = await findRow<Omit<LeftOutOrg, 'runId'> & { readonly runId: string }>(
    tx,
    `select r.run_id, s.reason, s.recorded_at, r.follow_up_skipped_at
     from credit_rollout.stale_orgs s join credit_rollout.runs r using (run_id)
     where s.org_id = :org_id::credit_rollout.org_id and s.settled_at is null
       and r.run_id = (select max(n.run_id) from credit_rollout.runs n where n.kind = 'migrate')`,
    { org_id: orgId },
  );
  return row && { ...row, runId: BigInt(row.runId) };
}

/** Orgs that the newest rollout left out since its source had been replaced; undefined: it had not. */
export interface SkippedFollowUp {
  readonly runId: bigint;
  readonly since: Date;
  readonly orgs: number;
}

export async function findSkippedFollowUp(tx: CellTransaction): Promise<SkippedFollowUp | undefined> {
  const row = await findRow<Omit<SkippedFollowUp, 'runId'> & { readonly runId: string }>(
    tx,
    `select r.run_id, r.follow_up_skipped_at as since, (select count(*) from credit_rollout.stale_orgs s
       where s.run_id = r.run_id and s.settled_at is null and s.reason <> 'gone')::float8 as orgs
     from credit_rollout.runs r where r.follow_up_skipped_at is not null
       and r.run_id = (select max(n.run_id) from credit_rollout.runs n where n.kind = 'migrate')`,
  );
  return row && { ...row, runId: BigInt(row.runId) };
}

export async function countStaleOrgs(tx: CellTransaction, runId: bigint): Promise<number> {
  const { orgs } = await selectRow<{ readonly orgs: number }>(
    tx,
    'select count(*)::float8 as orgs from credit_rollout.stale_orgs where run_id = :run_id::bigint',
    { run_id: runId },
  );
  return orgs;
}
