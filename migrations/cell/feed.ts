// Why: an edited org's raise must follow within seconds, without a scan and without ever failing the product's write.
import type { Migration } from '../migration.js';

export const createFeed: Migration = {
  name: '20261123030000_pre_create_feed',
  up: `
create table credit_rollout.changed_orgs (
  change_no bigint generated always as identity primary key,
  org_id credit_rollout.org_id not null,
  changed_at timestamptz not null default clock_timestamp()
);
comment on table credit_rollout.changed_orgs is 'what the trigger of init --change-feed notes; the feed deletes what it has read';

create table credit_rollout.feed (
  only_row boolean primary key default true check (only_row),
  read_from timestamptz,
  read_at timestamptz,
  raised bigint not null default 0,
  failure text
);
insert into credit_rollout.feed default values;
comment on column credit_rollout.feed.read_from is 'orgs updated since are read next; goes back by the age of the oldest transaction';`,
};
