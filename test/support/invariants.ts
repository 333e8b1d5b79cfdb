// The invariants of docs: each ONE query, and every row that it returns is a violation. Never repairs anything.
// Cell queries run in a cell; control queries run in control and get the cells' facts (counts, no org data) as $1.
import { expect } from 'vitest';
import { type Invariant, PROMISE, SIGN_UPS, WITHIN } from './invariants-of-orgs.js';

/** Runs SQL with $1 parameters as the superuser. */
export type Sql = (text: string, params?: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>;

/** A cell to check, and which data center it must be. */
export interface InvariantCell {
  readonly id: string;
  readonly sql: Sql;
}

export interface InvariantScope {
  readonly control?: Sql;
  readonly cells: readonly InvariantCell[];
  /** Invariants that a test breaks on purpose from outside, such as an org added behind a finished range (I1). */
  readonly except?: readonly string[];
  /** Further ones. */
  readonly also?: { readonly cell: readonly Invariant[]; readonly control: readonly Invariant[] };
}

/**
 * What the newest undo has left, and could take back as its source is now. Nothing is taken back after it, so what the
 * product or somebody has changed meanwhile stays: an org that is back, or is correct again, or rose to what it has. An
 * edit may have begun before the range and be committed after it.
 */
const LEFT_BY_UNDO = `select u.run_id, b.batch_no, b.stale, l.org_id, l.paid, l.becomes, l.total_credits,
    coalesce(s.updated_at > b.done_at - interval '1 minute', false) or exists (
      select from credit_rollout.org_changes c where c.org_id = l.org_id and c.changed_at > b.done_at - interval '1 minute'
        and (c.run_id is null or c.run_id not in (u.run_id, u.undoes))) as touched
  from credit_rollout.runs u
  cross join lateral credit_rollout.undo_targets(u.undoes, null, null) l
  left join credit_rollout.batches b on b.run_id = u.run_id and b.kind = 'range' and ${WITHIN('l.org_id')}
  left join credit_rollout.source_orgs s on s.org_id = l.org_id
  where u.kind = 'undo' and u.state = 'done' and l.verdict in ('delete', 'restore')
    and not exists (select from credit_rollout.runs n where n.run_id > u.run_id)`;

const WORK = [
  {
    id: 'I7',
    // an org of the canary that the product edited before its range came is raised by the follow-up
    holds: 'no org is changed twice by one run, but by its canary and its follow-up',
    sql: `select run_id, org_id from (
        select run_id, org_id from credit_rollout.allotment_changes where run_id is not null and operation = 'update'
        group by 1, 2 having count(*) > 1
        union all
        select c.run_id, c.org_id from credit_rollout.org_changes c
        where c.run_id is not null and c.written_by = c.run_id) twice
      where 2 > (select count(*) from credit_rollout.batches b where b.run_id = twice.run_id and twice.org_id = any (b.org_ids)
          and b.kind in ('canary', 'follow_up') and b.state = 'done')
        or 2 < (select count(*) from credit_rollout.org_changes c where c.run_id = twice.run_id and c.org_id = twice.org_id)`,
  },
  {
    id: 'I8',
    holds: 'after an undo nothing is left that it could take back, but a fall of a paid org that nobody approved',
    sql: `select run_id, org_id from (${LEFT_BY_UNDO}) l where not touched and not (paid and becomes < total_credits)`,
  },
  {
    id: 'I8',
    holds: 'of a range no more is left that could be taken back now than its undo had as conflicts',
    sql: `select run_id, batch_no from (${LEFT_BY_UNDO}) l group by run_id, batch_no, stale having count(*) > stale`,
  },
  {
    id: 'I9',
    holds: 'no batch committed under an epoch that was over, or that the cell never had',
    sql: `select b.run_id, b.batch_no from credit_rollout.batches b, credit_rollout.fence f
      where b.state = 'done' and (b.epoch > f.epoch or b.epoch < b.run_id)
      union all
      select b.run_id, b.batch_no from credit_rollout.batches b
      where b.state = 'done' and b.done_at < (select max(o.done_at) from credit_rollout.batches o where o.epoch < b.epoch)`,
  },
  {
    id: 'I9',
    holds: 'nothing of ours committed between the acknowledgement of a freeze and its end',
    sql: `with frozen as (select acknowledged_at as since, coalesce(lifted_at, 'infinity') as until from credit_rollout.freezes)
      select b.run_id, b.batch_no from credit_rollout.batches b join frozen f
        on b.done_at between f.since and f.until or b.verified_at between f.since and f.until`,
  },
  {
    id: 'I12',
    holds: 'the ranges of a run cover every possible id: no gap, no overlap, open at both ends',
    sql: `select run_id, batch_no from (
        select b.*, row_number() over w as place, lead(lower_id) over w as next_lower, lead(batch_no) over w as next_no
        from credit_rollout.batches b where b.kind = 'range' window w as (partition by run_id order by lower_id nulls first)) r
      where (place = 1) <> (lower_id is null) or (next_no is null) <> (upper_id is null)
        or upper_id is distinct from next_lower or upper_id <= lower_id
      union all
      select run_id, 0 from credit_rollout.runs r where r.kind in ('migrate', 'undo')
        and not exists (select from credit_rollout.batches b where b.run_id = r.run_id)`,
  },
  {
    id: 'I13',
    holds: 'a finished run was written under the present timeline, or verified again after it',
    sql: `select b.run_id, b.batch_no from credit_rollout.batches b join credit_rollout.runs r using (run_id)
      where b.state = 'done' and r.state = 'done' and r.kind = 'migrate' and b.verified_at is null
        and b.timeline <> left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`,
  },
  {
    id: 'I16',
    holds: 'one rate card per run, and the card of its plan',
    sql: `select r.run_id, p.card_hash as rate_card from credit_rollout.runs r join credit_rollout.plans p using (plan_id)
      where p.card_hash <> r.card_hash
      union all
      select r.run_id, a.rate_card from credit_rollout.runs r join credit_rollout.allotments a on a.run_id = r.run_id
      where a.rate_card <> r.card_hash group by 1, 2`,
  },
  {
    id: 'I22',
    holds: 'the sums in a batch row are the sums of what it wrote',
    sql: `select b.run_id, b.batch_no from credit_rollout.batches b cross join lateral (
        select count(*) as orgs, coalesce(sum(a.total_credits), 0) as total
        from credit_rollout.allotments a where a.run_id = b.run_id and ${WITHIN('a.org_id')}
          and (b.kind = 'range' or a.org_id = any (b.org_ids))
          -- a list is written before the ranges, or after them: its orgs are not theirs; of an org in both lists
          -- stale_orgs says whether the later one wrote
          and not exists (select from credit_rollout.batches l where l.run_id = b.run_id and a.org_id = any (l.org_ids)
            and (b.kind = 'range' or (b.kind, l.kind) in (('canary', 'follow_up'), ('follow_up', 'canary'))
              and (b.kind = 'canary') = exists (select from credit_rollout.stale_orgs z
                where z.run_id = b.run_id and z.org_id = a.org_id and z.settled = 'applied')))) w
      where b.state = 'done' and (w.orgs, w.total) is distinct from (b.inserted + b.raised, b.total_credits)
        -- changed_at is when a transaction began: one that overlapped may have committed later
        and not exists (select from credit_rollout.org_changes c where ${WITHIN('c.org_id')} and (c.changed_at > b.done_at
          or c.changed_at > b.done_at - interval '1 minute' and c.run_id is distinct from b.run_id))
        and not exists (select from credit_rollout.runs u where u.run_id = b.run_id and u.kind = 'undo')
      union all
      select b.run_id, b.batch_no from credit_rollout.batches b join credit_rollout.runs u on u.run_id = b.run_id and u.kind = 'undo'
      cross join lateral (select count(*) as orgs, coalesce(sum((c.before ->> 'total_credits')::numeric), 0) as total
        from credit_rollout.org_changes c where c.run_id = b.run_id and ${WITHIN('c.org_id')}) w
      where b.state = 'done' and (w.orgs, w.total) is distinct from (b.raised, b.total_credits)
      union all
      select run_id, batch_no from credit_rollout.batches
      where state = 'done' and orgs <> inserted + raised + unchanged + stale + quarantined`,
  },
  {
    id: 'I24',
    holds: 'the cell is the one that its data center names',
    sql: `select data_center from credit_rollout.cell where database_name <> current_database()
      or system_identifier <> (select system_identifier::text from pg_control_system())`,
  },
] as const satisfies readonly Invariant[];

export const CELL_INVARIANTS: readonly Invariant[] = [...PROMISE, ...SIGN_UPS, ...WORK];

// what control is compared with; one object per cell
export const CELL_FACTS = `select jsonb_build_object('id', $1::text, 'is', (select data_center from credit_rollout.cell),
  'state', f.state, 'epoch', f.epoch,
  'heads', (select coalesce(jsonb_agg(h), '[]') from credit_rollout.audit_heads h),
  'runs', (select coalesce(jsonb_agg(jsonb_build_object('run', r.run_id, 'plan', r.plan_id, 'digest', (select p.digest from credit_rollout.plans p where p.plan_id = r.plan_id),
     'state', r.state, 'card', r.card_hash,
     'pending', (select count(*) from credit_rollout.batches b where b.run_id = r.run_id and b.state <> 'done'),
     'unverified', (select count(*) from credit_rollout.batches b where b.run_id = r.run_id and b.verified_at is null),
     'total', (select coalesce(sum(total_credits), 0)::text from credit_rollout.batches b where b.run_id = r.run_id),
     'inserted', (select coalesce(sum(inserted), 0) from credit_rollout.batches b where b.run_id = r.run_id))), '[]')
   from credit_rollout.runs r),
  'commits', (select coalesce(jsonb_agg(jsonb_build_object('run', b.run_id, 'at', b.done_at,
     'from', b.done_at - make_interval(secs => b.duration_ms / 1000.0))), '[]')
   from credit_rollout.batches b where b.state = 'done')) as facts from credit_rollout.fence f`;

/** Comes before each query about control; $1 is what the cells answered to CELL_FACTS. */
export const GIVEN_FACTS = `with cell as (select * from jsonb_to_recordset($1::jsonb)
    as c(id text, "is" text, state text, epoch bigint, runs jsonb, commits jsonb, heads jsonb)),
  run as (select c.id, r.* from cell c, jsonb_to_recordset(c.runs)
    as r(run bigint, plan bigint, digest text, state text, card text, pending int, unverified int, total numeric, inserted bigint)),
  batch as (select c.id, b.* from cell c, jsonb_to_recordset(c.commits) as b(run bigint, at timestamptz, "from" timestamptz))`;

export const CONTROL_INVARIANTS = [
  {
    id: 'I9',
    holds: 'no batch committed between the acknowledgement of a closed fence and its next opening',
    sql: `, closed as (select a.data_center, a.at, (select min(o.at) from credit_rollout_control.audit o where o.seq > a.seq
        and o.data_center = a.data_center and o.action in ('activate', 'open_fence', 'retry', 'reconcile', 'sweep')) as reopened
      from credit_rollout_control.audit a where a.action = 'close_fence')
      select b.id, b.run, b.at from batch b join closed s on s.data_center = b.id
      where b.at > s.at and (s.reopened is null or b.at < s.reopened)`,
  },
  {
    id: 'I10',
    holds: 'never two data centers in one slot, and never two of one slot that write at once',
    sql: `, life as (select id, run, r.kind in ('reconcile', 'sweep') as maintains, min("from") as began, max(at) as ended
        from batch left join credit_rollout_control.runs r on r.run_id = run group by 1, 2, 3)
      select a.id, b.id as other from life a join life b on a.id < b.id and a.maintains is not distinct from b.maintains and a.began < b.ended and b.began < a.ended
      union all
      select min(id), max(id) from credit_rollout_control.data_centers
      where stage in ('canary', 'migrating', 'verifying', 'undoing') having count(*) > 1`,
  },
  {
    id: 'I11',
    holds:
      'done in control, and not asked for again, means: fence closed, nothing pending, everything verified, the same counts',
    sql: `select d.id, d.stage, r.pending, c.state from credit_rollout_control.data_centers d join cell c on c.id = d.id
      left join run r on r.id = d.id and r.run = d.run_id
      left join credit_rollout_control.runs k on k.run_id = d.run_id
      where d.stage in ('baking', 'done') and d.requested_at is null and (r.run is null or r.pending > 0 or r.unverified > 0 or r.state <> 'done' or k.state <> 'done'
        -- but for a night or a sweep, which opens it again
        or (c.state <> 'closed' or not d.quiet) and not exists (select from credit_rollout_control.runs m
          where m.data_center = d.id and m.kind in ('reconcile', 'sweep') and m.state = 'open')
        or (k.counts ->> 'totalCredits')::numeric is distinct from r.total or (k.counts ->> 'inserted')::bigint is distinct from r.inserted)`,
  },
  {
    id: 'I14',
    holds: 'epochs never go back, and no cell knows one that control does not',
    sql: `select id, epoch from cell where epoch > (select epoch from credit_rollout_control.rollout)
      union all
      select data_center, epoch from (select data_center, epoch, max(epoch) over (order by seq rows between unbounded preceding and 1 preceding) as before
        from credit_rollout_control.audit where action in ('activate', 'open_fence')) a where epoch <= before`,
  },
  {
    id: 'I16',
    holds: 'a run has the same card in control and in its cell, exists once, and used one approval of its digest',
    sql: `select r.id, r.run from run r join credit_rollout_control.runs k on k.run_id = r.run
      where k.card_hash <> r.card or k.data_center <> r.id
      union all select id, run from run where not exists (select from credit_rollout_control.runs k where k.run_id = run.run)
      union all
      -- the digest that was approved is the one that was applied, by one approval
      select r.id, r.run from run r where r.plan is not null and 1 <> (select count(*) from credit_rollout_control.approvals a
        where a.used_by_run = r.run and a.plan_id = r.id || '-' || r.plan and a.digest = r.digest)`,
  },
  {
    id: 'I20',
    holds: 'every change of stage has an audit row, and the rows form a legal chain',
    sql: `, move as (select data_center, seq, case action when 'activate' then 'canary' when 'reopen' then 'pending'
          when 'retry' then details ->> 'stage'
          when 'abort' then 'aborted' else details ->> 'to' end as stage
        from credit_rollout_control.audit
        where action in ('activate', 'reopen', 'retry', 'transition') or action = 'abort' and details ->> 'stage' = 'failed')
      select d.id, d.stage, m.stage as audited from credit_rollout_control.data_centers d
      left join lateral (select stage from move m where m.data_center = d.id order by seq desc limit 1) m on true
      where d.stage <> coalesce(m.stage, 'pending')
      union all
      select data_center, before, stage from (
        select *, coalesce(lag(stage) over (partition by data_center order by seq), 'pending') as before from move) m
      where not exists (select from credit_rollout_control.stage_transitions t where t.from_stage = m.before and t.to_stage = m.stage)`,
  },
  {
    id: 'I24',
    holds: 'every cell is the one that control means',
    sql: `select id, "is" from cell where id <> "is"`,
  },
] as const satisfies readonly Invariant[];

/** Fails with the id and the promise of every broken invariant, and its first rows. */
export async function expectInvariants(scope: InvariantScope): Promise<void> {
  expect(await findBroken(scope)).toEqual([]);
}

/** A sentence for every invariant that is broken. */
export async function findBroken({ control, cells, except = [], also }: InvariantScope): Promise<readonly string[]> {
  const broken: string[] = [];
  const note = (where: string, { id, holds }: Invariant, rows: readonly unknown[]): void => {
    if (rows.length > 0 && !except.includes(id))
      broken.push(`${id} in ${where}: ${holds}; ${rows.length} rows, such as ${JSON.stringify(rows.slice(0, 3))}`);
  };
  const facts: unknown[] = [];
  for (const { id, sql } of cells) {
    for (const invariant of [...CELL_INVARIANTS, ...(also?.cell ?? [])]) note(id, invariant, await sql(invariant.sql));
    facts.push((await sql(CELL_FACTS, [id]))[0]?.facts);
  }
  if (control)
    for (const invariant of [...CONTROL_INVARIANTS, ...(also?.control ?? [])])
      note('control', invariant, await control(`${GIVEN_FACTS}${invariant.sql}`, [JSON.stringify(facts)]));
  return broken;
}
