// Why: a text that a login of a cell writes is read by workers, schedulers and `status`.
import type { Migration } from '../migration.js';
import { checkTextsSql, type TextLimits } from '../texts.js';

/** What plans, batches, sign-ups and the meter write, thousands of rows at once: their texts are checked or copied. */
const MANY = [
  'allotments',
  'allotment_changes',
  'batches',
  'changed_orgs',
  'drift',
  'pending_sign_ups',
  'plan_groups',
  'plan_parts',
  'plan_ranges',
  'quarantine',
  'repaired_orgs',
  'retired',
  'sign_ups',
  'stale_orgs',
  'usage_alerts',
  'usage_days',
  'usage_peaks',
  'waiting_floors',
] as const;

/** What adds a text or JSON column runs checkTextsSql again. */
export const CELL_LIMITS: TextLimits = {
  without: MANY,
  own: {
    // a report: the bars and branches of its counts, and 20 orgs a list, whose ids the product chose
    'plans.counts': 2_000_000,
    'plans.lists': 2_000_000,
    // every open transaction of the server
    'feed.open_then': 200_000,
    // every kind of call
    'rate_cards.costs': 20_000,
  },
};

/** The same for the tables that there are now: batches are few, drift has three codes, and an undo writes many rows. */
export const CELL_LIMITS_NOW: TextLimits = {
  ...CELL_LIMITS,
  without: [
    ...CELL_LIMITS.without.filter((table) => !['batches', 'drift'].includes(table)),
    ...['undo_ranges', 'undo_falls', 'undone_allotments'],
  ],
};

export const limitCellTexts: Migration = {
  name: '20261201180000_pre_limit_texts',
  up: checkTextsSql('credit_rollout', CELL_LIMITS),
};

/** Why: who wrote a long name in front of what the database adds, or one that looked like it, hid the login. */
export const cutClaimedNames: Migration = {
  name: '20261201180100_pre_cut_claimed_names',
  up: `
create or replace function credit_rollout.name_person(claimed text) returns text language plpgsql stable
  set search_path = pg_catalog, pg_temp as $$
declare
  named text := left(trim(regexp_replace(claimed, '[()\\uff08\\uff09[:cntrl:]]', '', 'g')), 60);
begin
  return case
    when coalesce(claimed, '') in ('', session_user) or named = '' then session_user
    when pg_has_role(session_user, (select n.nspowner from pg_namespace n where n.nspname = 'credit_rollout'), 'usage')
      then claimed
    else named || ' (login ' || session_user || ')' end;
end $$;

-- Who proposes a repair is named as who freezes is.
create function credit_rollout.sign_repair() returns trigger language plpgsql
  set search_path = pg_catalog, pg_temp as $$
begin
  new.author := credit_rollout.name_person(new.author);
  return new;
end $$;
create trigger repairs_sign_author before insert on credit_rollout.repairs
  for each row execute function credit_rollout.sign_repair();
revoke all on function credit_rollout.sign_repair from public;`,
};
