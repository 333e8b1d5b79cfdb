// The invariants about orgs and sign-ups, each ONE query in a cell, and every row that it returns is a violation.

export interface Invariant {
  readonly id: string;
  readonly holds: string;
  readonly sql: string;
}

export const WITHIN = (id: string): string =>
  `(b.lower_id is null or ${id} >= b.lower_id) and (b.upper_id is null or ${id} < b.upper_id)`;

/** How often an org had lost its allotment before a change: its versions begin anew each time. */
const LIVES = (org: string, before: string): string =>
  `(select count(*) from credit_rollout.org_changes d
            where d.operation = 'delete' and d.org_id = ${org} and d.change_id < ${before})`;

export const PROMISE = [
  {
    id: 'I1',
    holds: 'every org in a finished range has an allotment, is quarantined, or is listed as stale',
    sql: `select b.run_id, b.batch_no, count(*) from credit_rollout.batches b
      join credit_rollout.source_orgs s on ${WITHIN('s.org_id')}
      where b.state = 'done' and b.kind = 'range' and not exists (select from credit_rollout.allotments a where a.org_id = s.org_id)
        and not exists (select from credit_rollout.runs u where u.kind = 'undo' and b.run_id in (u.run_id, u.undoes))
        and not exists (select from credit_rollout.stale_orgs z where z.run_id = b.run_id and z.org_id = s.org_id)
        and not exists (select from credit_rollout.quarantine q where q.org_id = s.org_id)
      group by 1, 2`,
  },
  {
    id: 'I2',
    holds: 'no paid org is below its floor, now or in any before-image, and a floor falls only with a named cause',
    sql: `with forms as (
        select org_id, version, paid, floor, base_credits + variable_credits + grandfathered_credits as kept, null as cause,
          ${LIVES('credit_rollout.allotments.org_id', '9223372036854775807')} as life
        from credit_rollout.allotments
        union all
        select c.org_id, c.version, r.paid, r.floor, r.base_credits + r.variable_credits + r.grandfathered_credits, c.cause,
          ${LIVES('c.org_id', 'c.change_id')}
        from credit_rollout.allotment_changes c, jsonb_populate_record(null::credit_rollout.allotments, c.before) r
        where c.operation = 'update')
      select 'below its floor' as broken, count(*) from forms where paid and floor is not null and kept < floor having count(*) > 0
      union all
      select 'fell without a cause', count(*) from (
        select floor, cause, lead(floor) over w as later, lead(version) over w as next_version
        from forms window w as (partition by org_id, life order by version)) f
      where next_version is not null and floor is not null and (later is null or later < floor)
        and coalesce(cause, '') not in ('edition', 'lapse', 'override', 'undo') having count(*) > 0`,
  },
  {
    id: 'I3',
    holds: 'version = 1 + the changes recorded since the row was last inserted',
    sql: `select a.org_id, a.version from credit_rollout.allotments a
      where a.version <> 1 + (select count(*) from credit_rollout.allotment_changes c
        where c.org_id = a.org_id and c.operation = 'update' and c.change_id > coalesce((select max(d.change_id)
          from credit_rollout.org_changes d where d.org_id = a.org_id and d.operation = 'delete'), 0))`,
  },
  {
    id: 'I6',
    holds: 'what is stored equals a second statement of the rule on the stored inputs',
    sql: `select a.org_id from credit_rollout.allotments a
      join credit_rollout.rate_cards c on c.card_hash = a.rate_card
      join credit_rollout.rates own on own.card_hash = a.rate_card and own.edition = a.edition
      join credit_rollout.rates e on e.card_hash = a.rate_card and e.edition = case when a.paid then a.edition else c.unpaid_edition end
      cross join lateral (select e.base::numeric as base, e.per_agent::numeric * a.agents as variable,
        a.agents::numeric + case when c.light_agents_count_as_users then a.light_agents else 0 end as users) p
      cross join lateral (select coalesce(a.negotiated_limit, own.legacy_flat,
        least(own.legacy_max, greatest(own.legacy_min, own.legacy_per_user * p.users))) as legacy) l
      cross join lateral (select case when a.paid then greatest(coalesce(a.floor, 0), p.base + p.variable)
        else p.base + p.variable end as kept) k
      where (a.base_credits, a.variable_credits, a.legacy_limit, a.grandfathered_credits, a.total_credits, a.winner, a.concurrency_limit)
        is distinct from (p.base, p.variable, l.legacy, k.kept - p.base - p.variable, k.kept + a.additional_credits,
          case when k.kept > p.base + p.variable then 'legacy' else 'credits' end, e.concurrency)`,
  },
] as const satisfies readonly Invariant[];

export const SIGN_UPS = [
  {
    id: 'I17',
    holds:
      'every sign-up that was decided at or after the effective instant is on credits, by the line that held then, and none was flipped',
    sql: `select s.org_id from credit_rollout.sign_ups s join (
        select effective_at, reversed_at from credit_rollout.reversals
        union all select effective_at, 'infinity' from credit_rollout.gate) l
      on s.decided_at >= l.effective_at and s.decided_at < l.reversed_at where s.model <> 'credits'
      union all
      select s.org_id from credit_rollout.sign_ups s join credit_rollout.allotments a using (org_id)
      where s.model = 'credits' and a.version = 1 and a.floor is not null
      union all
      select s.org_id from credit_rollout.sign_ups s join credit_rollout.allotments a using (org_id)
      where s.model = 'legacy' and a.origin = 'signup'`,
  },
] as const satisfies readonly Invariant[];
