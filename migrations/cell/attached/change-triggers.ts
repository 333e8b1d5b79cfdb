// The triggers that record edited orgs for the change feed. They are on the product's table and run inside its writes, so they
// swallow every error of ours; the nightly run finds what they missed.
import { type AttachedSource, isHeld } from './source-orgs.js';

/** With more unread rows than this the triggers stop: nobody reads them, and the product's disk must not fill. */
const MOST_UNREAD = 1_000_000;
/** Limit of orgs that one statement records: a bulk edit is left to the nightly run. */
const MOST_AT_ONCE = 100_000;

/** The columns of a row that the rule reads, besides its id. */
const readColumns = ({ has }: Pick<AttachedSource, 'has'>): readonly string[] => [
  'edition',
  'paid',
  'agents',
  'created_at',
  ...(has.lightAgents ? ['light_agents'] : []),
  ...(has.additionalCredits ? ['additional_credits'] : []),
  ...(has.legacyLimit ? ['legacy_limit'] : []),
];

// EXCEPT and sorting, never a join: a cached query plan for one row must not be quadratic for a million.
// The row type of an edition may be an enum of the product; EXCEPT finds its operators by type, so no search path is needed.
/**
 * The product has no rights on our tables, so the function runs as the role of the source: who owns the table can give it
 * columns of a type whose cast is a function of theirs. It waits for no lock of ours.
 */
export function changeFunctionSql(source: Pick<AttachedSource, 'has' | 'longIds'>): string {
  const columns = ['org_id', ...readColumns(source)].join(', ');
  return `
create or replace function credit_rollout.note_changed_orgs() returns trigger language plpgsql
  security definer set search_path = pg_catalog, pg_temp set lock_timeout = '100ms' set enable_hashagg = off as $$
begin
  if not exists (select from credit_rollout.runs)
     or (select s.last_value - f.noted_to > ${MOST_UNREAD} from credit_rollout.changed_orgs_change_no_seq s, credit_rollout.feed f) then
    return null;
  end if;
  if tg_op = 'INSERT' then
    insert into credit_rollout.changed_orgs (org_id)
    select n.org_id from new_rows n where ${isHeld('n.org_id', source)} limit ${MOST_AT_ONCE};
  else
    insert into credit_rollout.changed_orgs (org_id)
    select c.org_id from (select ${columns} from new_rows except select ${columns} from old_rows) c
    where ${isHeld('c.org_id', source)} limit ${MOST_AT_ONCE};
  end if;
  return null;
exception when query_canceled or assert_failure or others then
  return null;
end $$;
revoke all on function credit_rollout.note_changed_orgs() from public`;
}

export const CHANGE_TRIGGERS = ['credit_rollout_changes_insert', 'credit_rollout_changes_update'] as const;

/** The triggers, with one event each: transition tables require it. */
export const changeTriggersSql = ({ relation }: Pick<AttachedSource, 'relation'>): string => `
create or replace trigger ${CHANGE_TRIGGERS[0]} after insert on ${relation}
  referencing new table as new_rows for each statement execute function credit_rollout.note_changed_orgs();
create or replace trigger ${CHANGE_TRIGGERS[1]} after update on ${relation}
  referencing old table as old_rows new table as new_rows for each statement execute function credit_rollout.note_changed_orgs()`;

/** Drops function and triggers: dropping the function needs no right on the product's table. */
export const dropChangeTriggersSql = 'drop function if exists credit_rollout.note_changed_orgs() cascade';
