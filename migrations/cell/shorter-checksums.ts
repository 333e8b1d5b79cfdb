// Why: the checksum was all that a batch cost more than before there was one; half of it was casts and comparisons.
import type { Migration } from '../migration.js';
import type { CellSchemaOptions } from './identity.js';

const WHOLE_NUMBERS = ['smallint', 'integer', 'bigint'];

const ROW = `org_id credit_rollout.org_id, edition text, paid boolean, unpaid_since date, floor_edition text,
  agents bigint, light_agents bigint, negotiated_limit bigint, additional_credits bigint, floor bigint,
  total_credits bigint`;

/**
 * Ids that are numbers are hashed as numbers, and a paid org adds nothing to what the rows of a statement share. What
 * has a checksum of the form before is ours too, and old code goes on writing it.
 */
export const shortenChecksums = ({ orgIdType }: CellSchemaOptions): Migration => ({
  name: '20261204080000_pre_shorten_checksums',
  up: `
-- The rows of one statement share it.
create function credit_rollout.checksum_shared(rate_card text, origin text, run_id bigint, version integer,
  computed_at timestamptz)
returns bigint language sql immutable begin atomic
select hashtextextended(rate_card, hashtextextended(origin, hashint8extended(coalesce(run_id, -1),
  hashint8extended(version, timestamp_hash_extended(computed_at at time zone 'UTC', 1)))));
end;
create function credit_rollout.checksum_row(shared bigint, ${ROW})
returns bigint language sql immutable begin atomic
select hashint8extended(total_credits, hashint8extended(coalesce(floor, -1), hashint8extended(additional_credits,
  hashint8extended(coalesce(negotiated_limit, -1), hashint8extended(light_agents, hashint8extended(agents,
  hashtextextended(coalesce(floor_edition, ''), hashtextextended(edition,
  ${WHOLE_NUMBERS.includes(orgIdType) ? 'hashint8extended(org_id' : 'hashtextextended(org_id::text'},
  hashint8extended(case when paid and unpaid_since is null then -1
    else coalesce(unpaid_since - '2000-01-01'::date, -1)::bigint * 2 + paid::integer end, shared))))))))));
end;

-- The form before, of a row.
create function credit_rollout.earlier_checksum_of(a credit_rollout.allotments)
returns bigint language sql immutable begin atomic
select credit_rollout.checksum_from_seed(
  credit_rollout.checksum_seed((a).rate_card, (a).origin, (a).run_id, (a).version, (a).paid, (a).unpaid_since,
    (a).computed_at),
  (a).org_id, (a).edition, (a).floor_edition, (a).agents, (a).light_agents, (a).negotiated_limit,
  (a).additional_credits, (a).floor, (a).total_credits);
end;
create or replace function credit_rollout.checksum_columns(org_id credit_rollout.org_id, edition text, paid boolean,
  agents bigint, light_agents bigint, negotiated_limit bigint, base_credits bigint, variable_credits bigint,
  additional_credits bigint, legacy_limit bigint, floor bigint, floor_edition text, unpaid_since date,
  grandfathered_credits bigint, total_credits bigint, concurrency_limit integer, winner text, rate_card text,
  origin text, run_id bigint, version integer, computed_at timestamptz)
returns bigint language sql immutable begin atomic
select credit_rollout.checksum_row(
  credit_rollout.checksum_shared(rate_card, origin, run_id, version, computed_at),
  org_id, edition, paid, unpaid_since, floor_edition, agents, light_agents, negotiated_limit, additional_credits,
  floor, total_credits);
end;
-- With its sub-query it would not be inlined there, and be called for each row.
create function credit_rollout.is_before_checksums(computed_at timestamptz) returns boolean language sql stable
begin atomic
select computed_at < (select c.checksums_since from credit_rollout.cell c);
end;
create or replace function credit_rollout.is_intact(a credit_rollout.allotments) returns boolean language sql stable
begin atomic
select case when (a).checksum is null then credit_rollout.is_before_checksums((a).computed_at)
  else (a).checksum = credit_rollout.checksum_of(a) or (a).checksum = credit_rollout.earlier_checksum_of(a) end;
end;
revoke all on function credit_rollout.checksum_shared, credit_rollout.checksum_row, credit_rollout.earlier_checksum_of,
  credit_rollout.is_before_checksums from public;`,
});
