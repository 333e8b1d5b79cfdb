// Why: an edited org's raise must follow within seconds, without a scan, and must never fail the product's write.
import type { Migration } from '../migration.js';

export const createFeed: Migration = {
  name: '20261123030000_pre_create_feed',
  up: `
create table credit_rollout.changed_orgs (
  change_no bigint generated always as identity primary key,
  org_id credit_rollout.org_id not null,
  changed_at timestamptz not null default clock_timestamp()
);
comment on table credit_rollout.changed_orgs is 'what the triggers of init --change-feed note; the feed deletes what it has read';

create table credit_rollout.feed (
  only_row boolean primary key default true check (only_row),
  read_from timestamptz,
  read_at timestamptz,
  open_then jsonb not null default '{}',
  noted_to bigint not null default 0,
  raised bigint not null default 0,
  failure text,
  changed_at timestamptz not null default clock_timestamp()
);
insert into credit_rollout.feed default values;
comment on column credit_rollout.feed.read_from is 'orgs updated since are read next: the start of the last read, minus the age of the oldest transaction then';
comment on column credit_rollout.feed.open_then is 'transactions that were open at the last read, each with an instant before which it did not begin';
comment on column credit_rollout.feed.noted_to is 'changes up to this number were read; the triggers note no more than a million beyond it';`,
};
