// Invariants that a soak asks for beside the others, each ONE query whose every row is a violation. `settled`: it may be
// broken for a moment while something is under way, such as a failover that no scheduler has seen yet.
import { entryTextSql, hashSql } from '../../migrations/control/audit-chain.js';
import type { Invariant } from './invariants-of-orgs.js';

export const WATCHED_CELL = [
  {
    id: 'PROMISE',
    // what an org that came back has again is what it had when it left
    holds: 'no paid org from before the cut-over got less at its first decision than it could use under the old model',
    sql: `select a.org_id from credit_rollout.allotments a where a.version = 1 and a.origin = 'migrated' and a.paid
        and a.base_credits + a.variable_credits + a.grandfathered_credits < a.legacy_limit
        and not exists (select from credit_rollout.gate g join credit_rollout.source_orgs s on s.org_id = a.org_id
          where s.created_at >= g.effective_at)
        and not exists (select from credit_rollout.org_changes c
          where c.org_id = a.org_id and c.operation = 'delete' and c.cause <> 'undo')`,
  },
  {
    id: 'HISTORY',
    holds: 'the before-images of an org are one after the other, and lead to what it has now',
    sql: `select c.org_id, c.change_id from (
        select c.*, lag(version) over w as before_version, lag(operation) over w as before_operation
        from credit_rollout.org_changes c window w as (partition by c.org_id order by c.change_id)) c
      where c.version <> case when c.before_version is null or c.before_operation = 'delete' then 1 else c.before_version + 1 end
        or (c.before ->> 'version')::int <> c.version`,
  },
  {
    id: 'COUNTERS',
    holds: 'what a run of a plan wrote is what its batches counted, or was changed since',
    sql: `select r.run_id from credit_rollout.runs r
      where r.kind = 'migrate'
        and (select count(*) from credit_rollout.allotments a where a.run_id = r.run_id)
          > (select coalesce(sum(b.inserted + b.raised), 0) from credit_rollout.batches b where b.run_id = r.run_id)`,
  },
] as const satisfies readonly Invariant[];

/** At rest, after the last sweep or night. */
export const WATCHED_CELL_AT_REST = [
  {
    id: 'I4',
    holds: 'no allotment is without an org',
    sql: `select a.org_id from credit_rollout.allotments a
      where not exists (select from credit_rollout.source_orgs s where s.org_id = a.org_id)`,
  },
  {
    id: 'I5',
    holds: 'no org is without an allotment, except the quarantined',
    sql: `select s.org_id from credit_rollout.source_orgs s
      where not exists (select from credit_rollout.allotments a where a.org_id = s.org_id)
        and not exists (select from credit_rollout.quarantine q where q.org_id = s.org_id)`,
  },
] as const satisfies readonly Invariant[];

export const WATCHED_CONTROL = [
  {
    id: 'I19',
    holds: 'a night is due once for each data center and local date, and at the time that its zone has',
    sql: `select data_center, local_date from credit_rollout_control.due_work where kind = 'reconcile'
      group by 1, 2 having count(*) > 1
      union all
      select w.data_center, w.local_date from credit_rollout_control.due_work w
      join credit_rollout_control.data_centers d on d.id = w.data_center
      where w.kind = 'reconcile' and (w.due_at at time zone d.zone)::date <> w.local_date`,
  },
  {
    id: 'I20',
    holds: 'nobody approved what they proposed themselves',
    sql: `select plan_id as what from credit_rollout_control.approvals
        where kind = 'person' and (approver = author or approver is null)
      union all select data_center || ' ' || kind || number from credit_rollout_control.cell_proposals where approver = author
      union all select data_center from credit_rollout_control.postponements where approver = author`,
  },
  {
    id: 'I21',
    holds:
      'each entry of the audit has its link, each link the hash over its entry and the link before, and cells keep those',
    sql: `select l.link from (
        select l.*, lag(l.hash) over (order by l.link) as before from (
          select link, seq, kept, routine, hash from credit_rollout_control.audit_links
          union all select last_link, null, 0, false, hash from credit_rollout_control.audit_gaps) l) l
      left join credit_rollout_control.audit a on a.seq = l.seq
      where l.seq is not null and l.hash is distinct from ${hashSql(`coalesce(l.before, '')`, entryTextSql('a', 'l'))}
      union all
      select a.seq from credit_rollout_control.audit a
      where not exists (select from credit_rollout_control.audit_links l where l.seq = a.seq)
      union all
      select h.link from credit_rollout_control.audit_head h
      where (h.link, h.hash) is distinct from (select (l.link, l.hash) from credit_rollout_control.audit_links l order by link desc limit 1)
      union all
      select k.link from cell c, jsonb_to_recordset(c.heads) as k(link bigint, hash text)
      where not exists (select from credit_rollout_control.audit_links l where (l.link, l.hash) = (k.link, k.hash))
        and not exists (select from credit_rollout_control.audit_gaps g where k.link between g.first_link and g.last_link)`,
  },
  {
    id: 'I23',
    holds: 'where work is pending, and nothing has happened for minutes, there is a hold',
    sql: `select d.id, d.stage from credit_rollout_control.data_centers d
      where (d.requested_at is not null or d.stage in ('canary', 'migrating', 'verifying', 'undoing'))
        and greatest(d.requested_at, d.stage_since,
          (select max(a.at) from credit_rollout_control.audit a where a.data_center = d.id),
          (select max(h.until) from credit_rollout_control.hold_log h where h.data_center = d.id),
          (select max(b.at) from batch b where b.id = d.id and b.run = d.run_id)) < clock_timestamp() - interval '4 minutes'
        and not exists (select from credit_rollout_control.holds h where h.data_center = d.id)`,
  },
] as const satisfies readonly Invariant[];

/**
 * I15 in control or in a queue on Postgres: which tables have a row with such a text, the first digits of every org's
 * id. One query, made from what the catalog lists; it returns the tables.
 */
export function traceSql(tables: readonly string[], trace: string): string {
  const ask = (table: string): string =>
    `select '${table}' as found where exists (select from ${table} t where t::text ~ '\\m${trace}')`;
  return tables.map(ask).join(' union all ');
}

export const LIST_TABLES = `select format('%I.%I', schemaname, tablename) as name from pg_tables
  where schemaname not in ('pg_catalog', 'information_schema') order by 1`;
