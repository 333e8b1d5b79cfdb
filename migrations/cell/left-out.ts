// Why: an id that no index of ours can hold stopped whatever met it, and nobody was told.
import type { Migration } from '../migration.js';

/**
 * Why: the view leaves such orgs out, and `status` shows how many there are. Old code does not know the number.
 */
export const keepLeftOut: Migration = {
  name: '20261203030000_pre_keep_left_out',
  up: `
-- a sequence: whoever has it set keeps no row of anybody locked
create sequence credit_rollout.left_out minvalue 0 start 0;
comment on sequence credit_rollout.left_out is
  'orgs of the source whose ids are too long to be held, when a plan or a night counted last';

-- for note_left_out, which counts
create function credit_rollout.keep_left_out(orgs bigint) returns bigint language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
begin
  return setval('credit_rollout.left_out', orgs);
end $$;
revoke all on function credit_rollout.keep_left_out from public;

-- Texts as ids, in their order; null: no org of ours has it. What a meter counted of one must not end the whole list.
create or replace function credit_rollout.read_org_ids(texts text[]) returns credit_rollout.org_id[] language plpgsql
  immutable set search_path = pg_catalog, pg_temp as $$
declare
  ids credit_rollout.org_id[] := '{}';
begin
  begin
    ids := texts::credit_rollout.org_id[];
  exception when data_exception or check_violation then
    for number in 1..cardinality(texts) loop
      begin
        ids[number] := texts[number]::credit_rollout.org_id;
      exception when data_exception or check_violation then
        ids[number] := null;
      end;
    end loop;
  end;
  if exists (select from unnest(texts) t (id) where octet_length(t.id) > 2000) then
    for number in 1..cardinality(texts) loop
      if octet_length(texts[number]) > 2000 then ids[number] := null; end if;
    end loop;
  end if;
  return ids;
end $$;`,
};
