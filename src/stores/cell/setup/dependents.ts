// What still uses our schema: objects of the product that depend on ours, functions that name it, and sessions that
// read it now. From the catalog and the lists of sessions; never shows the text of a statement, which may name an org.
import { CHANGE_TRIGGERS } from '../../../../migrations/cell/attached/change-triggers.js';
import { SIGN_UP_TRIGGER } from '../../../../migrations/cell/attached/sign-up-trigger.js';
import { selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';
import { IS_TEMPORARY } from './drop-attached.js';

// how a text names our schema, whatever its letters and quotes
const NAMES_US = String.raw`'\mcredit_rollout"{0,1}\s*\.'`;
const OURS = `to_regnamespace('credit_rollout')`;

interface NameRow {
  readonly name: string;
}

/**
 * Objects outside our schema that depend on one in it, as the server describes them, such as `view public.credits`:
 * dropping our schema would drop them too. Our own triggers on the product's table do not count, nor what is temporary:
 * any login can make that, and it goes with its session.
 */
export async function listDependents(tx: CellTransaction): Promise<readonly string[]> {
  const rows = await selectRows<NameRow>(
    tx,
    `with ours as (
       select 'pg_class'::regclass as classid, oid from pg_class where relnamespace = ${OURS}
       union all select 'pg_proc'::regclass, oid from pg_proc where pronamespace = ${OURS}
       union all select 'pg_type'::regclass, oid from pg_type where typnamespace = ${OURS}
       union all select 'pg_constraint'::regclass, oid from pg_constraint where connamespace = ${OURS}
     ), found as (
       select distinct d.classid, d.objid, d.objsubid, g.tgname, g.tgfoid,
         case when c.relkind in ('v', 'm') then c.oid else w.ev_class end as view,
         coalesce(c.relnamespace, p.pronamespace, t.typnamespace, x.connamespace, k.relnamespace) as namespace
       from pg_depend d
       join ours o on o.classid = d.refclassid and o.oid = d.refobjid
       left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
       left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
       left join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
       left join pg_constraint x on d.classid = 'pg_constraint'::regclass and x.oid = d.objid
       left join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
       left join pg_trigger g on d.classid = 'pg_trigger'::regclass and g.oid = d.objid
       left join pg_attrdef a on d.classid = 'pg_attrdef'::regclass and a.oid = d.objid
       left join pg_policy y on d.classid = 'pg_policy'::regclass and y.oid = d.objid
       left join pg_class k on k.oid = coalesce(w.ev_class, g.tgrelid, a.adrelid, y.polrelid)
     )
     select distinct case when view is null then pg_describe_object(classid, objid, objsubid)
       else pg_describe_object('pg_class'::regclass, view, 0) end as name
     from found left join pg_namespace n on n.oid = namespace
     where not coalesce(${IS_TEMPORARY}, false) and namespace is distinct from ${OURS}
       and namespace is distinct from 'pg_toast'::regnamespace
       and not coalesce(tgname = any (:triggers::text[]) and tgfoid = any (array[
         to_regproc('credit_rollout.note_changed_orgs'), to_regproc('credit_rollout.onboard_inserted')]::oid[]), false)
     order by 1`,
    { triggers: [...CHANGE_TRIGGERS, SIGN_UP_TRIGGER] },
  );
  return rows.map(({ name }) => name);
}

/** Functions whose text names our schema: the server does not know that they would fail without it. */
export async function listNamingFunctions(tx: CellTransaction): Promise<readonly string[]> {
  const rows = await selectRows<NameRow>(
    tx,
    `select p.oid::regprocedure::text as name
     from pg_proc p join pg_language l on l.oid = p.prolang join pg_namespace n on n.oid = p.pronamespace
     where n.nspname not in ('credit_rollout', 'credit_rollout_control', 'pg_catalog', 'information_schema')
       and l.lanname not in ('internal', 'c')
       and (p.prosrc ~* ${NAMES_US} or array_to_string(p.proconfig, ' ') ~* '\\mcredit_rollout\\M')
     order by 1`,
  );
  return rows.map(({ name }) => name);
}

export interface ProductRole {
  readonly name: string;
  /** What a session of it, or of a member of it, did in the last minutes; null: none is seen. */
  readonly seen: string | null;
}

/** Roles that hold the grants of `init --grant`, and whether a session of theirs reads or calls us. */
export async function listProductRoles(tx: CellTransaction): Promise<readonly ProductRole[]> {
  return selectRows<ProductRole>(
    tx,
    `select r.rolname as name, (
       select format('a session of %s (pid %s) read ours at %s', a.usename, a.pid,
         to_char(coalesce(a.state_change, a.query_start, now()) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'))
       from pg_stat_activity a
       where a.datname = current_database() and a.pid <> pg_backend_pid() and a.application_name <> 'credit-rollout'
         and pg_has_role(a.usesysid, r.oid, 'usage')
         and not (select s.rolsuper from pg_roles s where s.oid = a.usesysid)
         and (a.query ~* ${NAMES_US} or exists (
           select from pg_locks l join pg_class c on c.oid = l.relation
           where l.pid = a.pid and l.locktype = 'relation' and c.relnamespace = ${OURS}))
       order by a.state_change desc nulls last limit 1) as seen
     from credit_rollout.cell k join pg_roles r on r.rolname = any (k.product_roles)
     where has_schema_privilege(r.oid, 'credit_rollout', 'usage')
     order by 1`,
  );
}

/**
 * How many sign-ups the product asked us about in the last 24 hours by itself; none where our own trigger asks, which
 * goes with us.
 */
export async function countRecentSignUps(tx: CellTransaction): Promise<number> {
  const { asked } = await selectRow<{ readonly asked: number }>(
    tx,
    `select case when to_regproc('credit_rollout.onboard_inserted') is null then (
       select count(*)::int from credit_rollout.sign_ups s where s.decided_at > now() - interval '24 hours') else 0 end
       as asked`,
  );
  return asked;
}
