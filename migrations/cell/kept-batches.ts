// Why: the bookkeeping of a run is not for those who work by it to rewrite.
import type { Migration } from '../migration.js';

/** What a batch is; only the functions that plan, split and add batches write it. */
const IDENTITY = ['run_id', 'batch_no', 'kind', 'lower_id', 'upper_id', 'org_ids', 'expected', 'plan_range', 'cause'];
/** What is written once, when the batch is done. */
const RESULT = [
  ...['state', 'epoch', 'timeline', 'orgs', 'inserted', 'raised', 'unchanged', 'stale', 'quarantined', 'falls'],
  ...['total_credits', 'duration_ms', 'done_at'],
];
const VERIFIED = ['verified_at', 'checked', 'mismatches', 'changed_since', 'appeared'];

const differs = (columns: readonly string[]): string =>
  `(${columns.map((column) => `new.${column}`).join(', ')})
       is distinct from (${columns.map((column) => `old.${column}`).join(', ')})`;

/**
 * Why: a worker's login moved the ranges of an approved run into an old one, and the run ended as done with most orgs
 * never looked at; and whoever may have a failed run verified again could do so with one that had ended, which a
 * scheduler then rolled out again in its own name. Old code writes nothing else.
 */
export const keepBatches: Migration = {
  name: '20261203070000_pre_keep_batches',
  up: `
create or replace function credit_rollout.check_batch_write() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  if pg_has_role((select c.relowner from pg_class c where c.oid = tg_relid), 'usage') then return new; end if;
  if ${differs(IDENTITY)} then
    raise exception 'a batch keeps its run and its orgs' using errcode = 'restrict_violation';
  end if;
  if old.state <> 'pending' and ${differs(RESULT)} then
    raise exception 'a batch is completed once' using errcode = 'restrict_violation';
  end if;
  if not exists (select from credit_rollout.runs r where r.run_id = old.run_id
      and (r.state = 'open' or r.state = 'failed' and not has_column_privilege(tg_relid, 'state', 'update'))) then
    raise exception 'batches are written while their run is open' using errcode = 'restrict_violation';
  end if;
  -- everybody but a worker may only ask for another verification
  if not has_column_privilege(tg_relid, 'state', 'update')
     and (${VERIFIED.map((column) => `new.${column}`).join(', ')}) is distinct from
       (null::timestamptz, null::integer, null::integer, null::integer, null::integer) then
    raise exception 'batches are verified by workers' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;`,
};
