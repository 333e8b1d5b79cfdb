// Why: where reading one org took over 50 ms, workers read the source for a thousand sign-ups at once, as if that took
// no longer. In a lateral view that no index serves each org costs the same again: the list took more than the 10 s of
// a statement, and every sign-up in it was put off for a minute.
import type { Migration } from '../migration.js';

/**
 * Why: init measures a list of 16 orgs too, which says what the next org costs, and such a list that took too long
 * is read again in smaller ones at once. Old code calls the same function.
 */
export const measureOrgLists: Migration = {
  name: '20261206020000_pre_measure_org_lists',
  up: `
alter table credit_rollout.cell add org_list_ms real;
comment on column credit_rollout.cell.org_list_ms is
  'how long reading the source took for 16 orgs when init measured it, in ms; null: not measured, one org is quick';
do $do$
declare
  old constant text := pg_get_functiondef('credit_rollout.write_sign_ups()'::regprocedure);
  sized constant text := replace(old, 'coalesce((select case when c.one_org_ms > 50 then 1000 when c.one_org_ms > 10'
      || ' then (250 / c.one_org_ms)::integer else 1 end from credit_rollout.cell c), 1)',
    'coalesce((select case when c.one_org_ms <= 10 then 1'
      -- the list costs little more than one org of it: the view is computed as a whole
      || ' when c.org_list_ms <= 4 * c.one_org_ms or c.org_list_ms is null and c.one_org_ms > 50 then 1000'
      || ' else least(1000, greatest(1, 250 / coalesce(c.org_list_ms / 16, c.one_org_ms)))::integer end'
      || ' from credit_rollout.cell c), 1)');
  split constant text := replace(sized, 'elsif failure = ''57014'' then', 'elsif failure = ''57014'' and part.orgs > 1 and list_size < 1000 then
        split := split || part.ids;
        spent := true;
      elsif failure = ''57014'' then');
  spent constant text := replace(split, ' or cardinality(slow || later) > 0;', ' or spent or cardinality(slow || later) > 0;');
  new constant text := replace(spent, 'later credit_rollout.org_id[] := ''{}''; context text;',
    'later credit_rollout.org_id[] := ''{}''; context text; spent boolean := false;');
begin
  if sized = old or split = sized or spent = split or new = spent then
    raise exception 'write_sign_ups is not as it was released';
  end if;
  execute new;
end $do$;`,
};
