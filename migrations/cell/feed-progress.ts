// Why: one transaction of the product may touch every org. The feed reads those apart, a page at a time and by their
// ids, goes on where it was after a restart, and rests as if one process read alone.
import type { Migration } from '../migration.js';

/** Why: what is left to be read, and until when nobody reads, was known to one process only. Old code reads on. */
export const storeFeedProgress: Migration = {
  name: '20261130040000_pre_store_feed_progress',
  up: `
alter table credit_rollout.feed
  add rest_until timestamptz,
  add backlog_rest_until timestamptz,
  add page_size integer not null default 1000 check (page_size between 1 and 1000),
  add look_ms real,
  add read_past timestamptz,
  add bulk_from timestamptz,
  add bulk_to timestamptz,
  add bulk_after credit_rollout.org_id,
  add bulk_again_from timestamptz,
  add constraint feed_bulk_check check ((bulk_from is null) = (bulk_to is null)
    and (bulk_from is not null or bulk_after is null and bulk_again_from is null));
comment on table credit_rollout.changed_orgs is
  'edited orgs that the feed decides page by page: noted by the triggers of init --change-feed, or found by updated_at';
comment on column credit_rollout.feed.read_from is
  'orgs updated since are read next, and earlier ones when a transaction that was open has ended';
comment on column credit_rollout.feed.read_past is
  'orgs updated up to here wait in changed_orgs or are read by id: they are not read by updated_at again';
comment on column credit_rollout.feed.bulk_from is
  'more orgs were updated at once than are read by updated_at: those from here to bulk_to are read by id';
comment on column credit_rollout.feed.bulk_again_from is
  'orgs that had been read by id were updated again, from here on: all are read once more';`,
};
