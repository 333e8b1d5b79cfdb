// Drops our views on the product's table, and what was made on them in temporary schemas: any login that may read a
// view of ours can do that, and would keep everybody else from altering the table. Never drops a lasting object of
// somebody else.
import { detachedSql } from '../../../../migrations/cell/attached/index.js';
import { RolloutError } from '../../../kernel/rollout-error.js';
import { classifyFailure } from '../../postgres-failure.js';
import { runVerbatim, selectRow, selectRows } from '../../query.js';
import type { CellTransaction } from '../cell-database.js';

/** SQL: a namespace `n` is that of one session, and goes with it. */
export const IS_TEMPORARY = String.raw`n.nspname like 'pg\_temp\_%' or n.nspname like 'pg\_toast\_temp\_%'`;

const ATTACHED = [...detachedSql.matchAll(/^drop (view|function) if exists credit_rollout\.(\w+)/gmu)];
const VIEWS = ATTACHED.filter(([, kind]) => kind === 'view').map(([, , name = '']) => name);
const FUNCTIONS = ATTACHED.filter(([, kind]) => kind === 'function').map(([, , name = '']) => name);

// nothing is built on a view from here on; LOCK TABLE would lock the product's table too
const LOCK_VIEWS = VIEWS.map((name) => `alter view if exists credit_rollout.${name} reset (security_barrier)`).join(
  ';',
);

interface Dependent {
  /** As the server describes it, with its schema: `view public.credits`. */
  readonly name: string;
  /** It is in the schema of one session. */
  readonly temporary: boolean;
  /** To whom it belongs, and the sessions of that login; null: not known. */
  readonly holder: string | null;
}

// A rule stands for its view, which is all that is dropped; what depends on a view may depend on the type of its rows.
const DEPENDENTS = `
with recursive found (classid, objid, objsubid) as (
  select 'pg_class'::regclass::oid, c.oid, 0 from pg_class c
    where c.relnamespace = to_regnamespace('credit_rollout') and c.relname = any (:views::text[])
  union all select 'pg_proc'::regclass::oid, p.oid, 0 from pg_proc p
    where p.pronamespace = to_regnamespace('credit_rollout') and p.proname = any (:functions::text[])
  union
  select case when w.oid is null then d.classid else 'pg_class'::regclass::oid end, coalesce(w.ev_class, d.objid),
    case when w.oid is null then d.objsubid else 0 end
  from found f
  cross join lateral (
    select f.classid, f.objid
    union all select 'pg_type'::regclass, unnest(array[t.oid, t.typarray])
      from pg_class c join pg_type t on t.oid = c.reltype
      where f.classid = 'pg_class'::regclass and c.oid = f.objid and c.relkind in ('v', 'm')
  ) on_it
  join pg_depend d on d.refclassid = on_it.classid and d.refobjid = on_it.objid and d.deptype in ('n', 'a')
  left join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
), named as (
  select f.*, coalesce(c.relowner, p.proowner, t.typowner) as owner,
    coalesce(c.relnamespace, p.pronamespace, t.typnamespace, x.connamespace, k.relnamespace) as namespace
  from found f
  left join pg_class c on f.classid = 'pg_class'::regclass and c.oid = f.objid
  left join pg_proc p on f.classid = 'pg_proc'::regclass and p.oid = f.objid
  left join pg_type t on f.classid = 'pg_type'::regclass and t.oid = f.objid
  left join pg_constraint x on f.classid = 'pg_constraint'::regclass and x.oid = f.objid
  left join pg_trigger g on f.classid = 'pg_trigger'::regclass and g.oid = f.objid
  left join pg_attrdef a on f.classid = 'pg_attrdef'::regclass and a.oid = f.objid
  left join pg_policy y on f.classid = 'pg_policy'::regclass and y.oid = f.objid
  left join pg_class k on k.oid = coalesce(g.tgrelid, a.adrelid, y.polrelid)
)
select distinct pg_describe_object(m.classid, m.objid, m.objsubid) as name,
  coalesce(${IS_TEMPORARY}, false) as temporary,
  (select format('login %s', r.rolname) || coalesce((
      select format(', pid %s', string_agg(s.pid::text, ', ' order by s.pid)) from pg_stat_activity s
      where s.datname = current_database() and s.pid <> pg_backend_pid() and s.usesysid = r.oid), '')
    from pg_roles r where r.oid = m.owner) as holder
from named m left join pg_namespace n on n.oid = m.namespace
where m.namespace is distinct from to_regnamespace('credit_rollout')
order by temporary, name`;

const listAttachedDependents = (tx: CellTransaction): Promise<readonly Dependent[]> =>
  selectRows<Dependent>(tx, DEPENDENTS, { views: VIEWS, functions: FUNCTIONS });

/** As the owner. Throws views_in_use where something lasting depends on them, or a session uses what is temporary. */
export async function dropAttached(tx: CellTransaction): Promise<void> {
  await runVerbatim(tx, LOCK_VIEWS);
  const dependents = await listAttachedDependents(tx);
  if (dependents.length === 0) {
    await runVerbatim(tx, detachedSql);
    return;
  }
  if (dependents.some(({ temporary }) => !temporary)) throw await explainInUse(tx, dependents);
  try {
    await tx.transaction((nested) => runVerbatim(nested, detachedSql.replaceAll(';', ' cascade;')));
  } catch (error) {
    if (classifyFailure(error).kind !== 'retry') throw error;
    throw await explainInUse(tx, dependents, error);
  }
}

const MAX_NAMED = 5;

async function explainInUse(
  tx: CellTransaction,
  dependents: readonly Dependent[],
  cause?: unknown,
): Promise<RolloutError> {
  const { dataCenter } = await selectRow<{ readonly dataCenter: string }>(
    tx,
    'select data_center from credit_rollout.cell',
  );
  const named = dependents
    .slice(0, MAX_NAMED)
    .map(({ name, temporary, holder }) => (temporary ? `${name} (temporary; ${holder ?? 'login not known'})` : name));
  const others = dependents.length - named.length;
  const who = `${named.join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
  const verb = dependents.length === 1 ? 'depends' : 'depend';
  return new RolloutError('views_in_use', {
    message: `Data center "${dataCenter}": ${who} ${verb} on a view of ours that must be created again.`,
    ...(cause !== undefined && { next: 'End the transaction of that session, or the session, then repeat it.', cause }),
  });
}
