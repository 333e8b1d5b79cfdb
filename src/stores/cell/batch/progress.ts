// The numbers of a run, from its batches: what status, the scheduler and the summary show. Counts only, no ids.
import { selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

/** The canary of a run; all zero and passed where there is none. */
export interface CanaryProgress {
  readonly passed: boolean;
  readonly pending: number;
  readonly unverified: number;
  readonly mismatches: number;
  /** Since its last batch was verified, in ms; null: it is not verified. */
  readonly verifiedForMs: number | null;
}

export interface RunProgress {
  readonly canary: CanaryProgress;
  /** Orgs that changed since the plan and are not settled. */
  readonly staleLeft: number;
  readonly touched: number;
  readonly followedUp: boolean;
  /** When its source was found to be defined otherwise than when it was planned; null: it was not. */
  readonly followUpSkippedAt: Date | null;
  readonly batches: number;
  readonly done: number;
  readonly pending: number;
  readonly verified: number;
  /** Expected orgs of all ranges; exact orgs once a batch is done. */
  readonly orgsExpected: number;
  readonly orgsDone: number;
  readonly orgsVerified: number;
  readonly inserted: number;
  readonly raised: number;
  readonly unchanged: number;
  readonly stale: number;
  readonly quarantined: number;
  readonly falls: number;
  readonly legacyWins: number;
  readonly mismatches: number;
  readonly changedSince: number;
  readonly appeared: number;
  readonly totalCredits: string;
  /** Over all allotments of the verified ranges: the old model's number and purchases, and what is granted now. */
  readonly beforeCredits: string;
  readonly afterCredits: string;
  readonly floors: string;
  readonly lastDoneAt: Date | null;
  /** Since the last batch or verification, or since the fence changed; by the cell's clock, in ms. */
  readonly idleMs: number;
  /** Done batches that were written at another WAL timeline than the present one. */
  readonly otherTimeline: number;
  /** Durations in ms and orgs of the newest batches, for the estimate. */
  readonly recent: readonly { readonly durationMs: number; readonly orgs: number }[];
}

type Flat<T> = { readonly [Key in keyof T as `canary${Capitalize<Key & string>}`]: T[Key] };

type ProgressRow = Omit<RunProgress, 'canary' | 'recent'> & Flat<CanaryProgress>;

// lists hold orgs of the ranges once more: what is counted per org leaves the lists out
const SUMMARY = `
select count(b.batch_no)::int as batches,
  count(*) filter (where b.state = 'done')::int as done,
  count(*) filter (where b.state <> 'done')::int as pending,
  count(verified_at)::int as verified,
  coalesce(sum(coalesce(orgs, expected)) filter (where b.kind = 'range'), 0)::float8 as orgs_expected,
  coalesce(sum(orgs) filter (where b.kind = 'range'), 0)::float8 as orgs_done,
  coalesce(sum(orgs) filter (where verified_at is not null and b.kind = 'range'), 0)::float8 as orgs_verified,
  coalesce(sum(inserted), 0)::float8 as inserted,
  coalesce(sum(raised), 0)::float8 as raised,
  greatest(coalesce(sum(unchanged) filter (where b.kind = 'range'), 0)
    - coalesce(sum(inserted + raised) filter (where b.kind = 'canary'), 0), 0)::float8 as unchanged,
  case when r.kind = 'undo' then coalesce(sum(b.stale), 0) else (select count(*) from credit_rollout.stale_orgs s
   where s.run_id = r.run_id and s.settled_at is null and s.reason <> 'gone') end::float8 as stale,
  (select count(*) from credit_rollout.stale_orgs s
   where s.run_id = r.run_id and s.settled_at is null)::float8 as stale_left,
  (select count(*) from credit_rollout.quarantine q where q.run_id = r.run_id)::float8 as quarantined,
  coalesce(sum(falls) filter (where b.kind = 'range'), 0)::float8 as falls,
  coalesce(sum(inserted + raised), 0)::float8 as touched,
  r.follow_up_at is not null as followed_up,
  r.follow_up_skipped_at,
  r.plan_id is null or r.canary_passed_at is not null as canary_passed,
  count(*) filter (where b.kind = 'canary' and b.state <> 'done')::int as canary_pending,
  count(*) filter (where b.kind = 'canary' and verified_at is null)::int as canary_unverified,
  coalesce(sum(mismatches) filter (where b.kind = 'canary'), 0)::float8 as canary_mismatches,
  (extract(epoch from clock_timestamp() - max(verified_at) filter (where b.kind = 'canary')) * 1000)::float8
    as canary_verified_for_ms,
  coalesce(sum(legacy_wins) filter (where b.kind = 'range'), 0)::float8 as legacy_wins,
  coalesce(sum(mismatches), 0)::float8 as mismatches,
  coalesce(sum(changed_since) filter (where b.kind = 'range'), 0)::float8 as changed_since,
  coalesce(sum(appeared) filter (where b.kind = 'range'), 0)::float8 as appeared,
  coalesce(sum(total_credits), 0)::text as total_credits,
  coalesce(sum(before_credits) filter (where b.kind = 'range'), 0)::text as before_credits,
  coalesce(sum(after_credits) filter (where b.kind = 'range'), 0)::text as after_credits,
  coalesce(sum(floors) filter (where b.kind = 'range'), 0)::text as floors,
  max(done_at) as last_done_at,
  (extract(epoch from clock_timestamp()
    - greatest(max(done_at), max(verified_at), (select changed_at from credit_rollout.fence))) * 1000)::float8
    as idle_ms,
  count(*) filter (where b.state = 'done'
    and timeline <> left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::int as other_timeline
from credit_rollout.runs r left join credit_rollout.batches b using (run_id)
where r.run_id = :run_id::bigint
group by r.run_id`;

const RECENT = `
select duration_ms, orgs from credit_rollout.batches
where run_id = :run_id::bigint and state = 'done' and orgs > 0 and kind = 'range'
order by done_at desc limit 40`;

export async function readProgress(tx: CellTransaction, runId: bigint): Promise<RunProgress> {
  const { canaryPassed, canaryPending, canaryUnverified, canaryMismatches, canaryVerifiedForMs, ...progress } =
    await selectRow<ProgressRow>(tx, SUMMARY, { run_id: runId });
  const recent = await selectRows<RunProgress['recent'][number]>(tx, RECENT, { run_id: runId });
  return {
    ...progress,
    canary: {
      passed: canaryPassed,
      pending: canaryPending,
      unverified: canaryUnverified,
      mismatches: canaryMismatches,
      verifiedForMs: canaryVerifiedForMs,
    },
    recent,
  };
}

interface ReasonCount {
  readonly reason: string;
  readonly orgs: number;
}

/** Quarantined orgs of a run by reason, the most frequent first. */
export function countQuarantine(tx: CellTransaction, runId: bigint): Promise<readonly ReasonCount[]> {
  return selectRows<ReasonCount>(
    tx,
    `select reason, count(*)::int as orgs from credit_rollout.quarantine
     where run_id = :run_id::bigint group by reason order by orgs desc, reason`,
    { run_id: runId },
  );
}
