// Whose code runs where the source is read. The functions of a view run as whoever reads it, and `SET ROLE` does not
// restrict them: `RESET ROLE` leads back to the login. So a login that could give away everything reads only what
// nobody weaker can change.
import type { Knex } from 'knex';
import { advise, command } from '../../kernel/advice.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { selectRow } from '../query.js';

const MEMBER_ONLY =
  'Use a login that is only a member of the roles that the command needs: docs/how-to/install-a-fleet.md.';

/** SQL: what a login `r` of pg_roles has that code of somebody else must not get; null: nothing. */
const POWER = `case
  when r.rolsuper then 'is a superuser'
  when r.rolcreaterole then 'may give roles'
  when r.rolreplication then 'may replicate'
  when r.rolbypassrls then 'passes row-level security by'
  when exists (select from pg_roles o where o.rolname = any (:owners::text[]) and pg_has_role(r.oid, o.oid, 'member'))
    then 'can act as the owner of our schema'
  when exists (select from pg_roles o where o.rolname in ('pg_execute_server_program', 'pg_write_server_files',
      'pg_read_server_files', 'pg_write_all_data', 'pg_read_all_data', 'pg_maintain', 'pg_create_subscription')
      and pg_has_role(r.oid, o.oid, 'member'))
    then 'has rights on the server'
end`;

/** SQL: the role `o` of pg_roles is weaker than the login, and owns nothing that is ours. */
const IS_WEAKER = `not o.rolsuper and o.rolname <> all (:owners::text[])
  and not (o.oid = :login::oid or not :superuser::boolean and pg_has_role(o.oid, :login::oid, 'member'))`;

/** Whether anybody weaker owns any view, function or domain here at all: where nobody does, none of ours uses one. */
const ANY_WEAKER = `
select exists (
  select from (
    select c.relowner as owner from pg_class c where c.oid >= 16384 and c.relkind in ('v', 'f')
    union select p.proowner from pg_proc p where p.oid >= 16384
    union select t.typowner from pg_type t where t.oid >= 16384 and t.typtype = 'd') w
  join pg_roles o on o.oid = w.owner
  where ${IS_WEAKER}) as found`;

/**
 * Who owns a view, a function or a domain that our views and functions use, and is weaker than the login. Only its
 * owner or somebody stronger can replace such an object, so the answer stays true. What the server came with has low
 * numbers.
 */
const WEAKER = `
with recursive used (class, object) as (
  select 'pg_class'::regclass::oid, c.oid from pg_class c
    where c.relnamespace = to_regnamespace('credit_rollout') and c.relkind = 'v'
  union all
  select 'pg_proc'::regclass::oid, p.oid from pg_proc p where p.pronamespace = to_regnamespace('credit_rollout')
  union
  select d.refclassid, d.refobjid
  from used u
  cross join lateral (
    select u.class, u.object
    union all
    select 'pg_rewrite'::regclass::oid, w.oid from pg_rewrite w
      where u.class = 'pg_class'::regclass and w.ev_class = u.object
    union all
    select 'pg_constraint'::regclass::oid, k.oid from pg_constraint k
      where u.class = 'pg_type'::regclass and k.contypid = u.object) f (class, object)
  join pg_depend d on d.classid = f.class and d.objid = f.object
    and d.refclassid = any (array['pg_class', 'pg_proc', 'pg_operator', 'pg_type']::regclass[])
    and d.refobjid >= 16384
), owners as (
  select c.relowner as owner from used u join pg_class c on c.oid = u.object
    where u.class = 'pg_class'::regclass and c.relkind in ('v', 'f')
  union
  select p.proowner from used u join pg_proc p on p.oid = u.object where u.class = 'pg_proc'::regclass
  union
  select t.typowner from used u join pg_type t on t.oid = u.object
    where u.class = 'pg_type'::regclass and t.typtype = 'd')
select min(o.rolname) as weaker
from owners w join pg_roles o on o.oid = w.owner
where ${IS_WEAKER}`;

interface LoginRow {
  readonly oid: string;
  readonly name: string;
  readonly superuser: boolean;
  readonly power: string | null;
}

/** `owners`: the roles that own what is ours. Throws login_too_strong. */
export async function rejectStrongReader(
  tx: Knex.Transaction,
  { dataCenter, owners }: { readonly dataCenter: string; readonly owners: readonly string[] },
): Promise<void> {
  const login = await selectRow<LoginRow>(
    tx,
    `select r.oid::text as oid, format('%I', r.rolname) as name, r.rolsuper as superuser, ${POWER} as power
     from pg_roles r where r.rolname = session_user`,
    { owners },
  );
  if (login.power === null) return;
  const asked = { owners, login: login.oid, superuser: login.superuser };
  if (!(await selectRow<{ readonly found: boolean }>(tx, ANY_WEAKER, asked)).found) return;
  const { weaker } = await selectRow<{ readonly weaker: string | null }>(tx, WEAKER, asked);
  if (weaker === null) return;
  throw new RolloutError('login_too_strong', {
    message:
      `Data center "${dataCenter}": the login ${login.name} ${login.power}, and code of ${weaker} in the source ` +
      'would run with its rights.',
    next: advise`${MEMBER_ONLY} Only ${command('init')} and ${command('doctor')} are for this one.`,
  });
}
