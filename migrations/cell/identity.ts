// Why: a cell must know its data center, so that a wrong URL is rejected (I24), and the card and zone that it decides with.
import type { Migration } from '../migration.js';

/** What the tables of a cell depend on; `init` reads it from the catalog. */
export interface CellSchemaOptions {
  /** The type of the source column, for example `bigint` or `text`; it was checked against an allow-list before. */
  readonly orgIdType: string;
  /** The collation of the source column, quoted (`"pg_catalog"."C"`), or null. */
  readonly orgIdCollation: string | null;
}

export function createIdentity({ orgIdType, orgIdCollation }: CellSchemaOptions): Migration {
  const collation = orgIdCollation === null ? '' : ` collate ${orgIdCollation}`;
  return {
    name: '20261122010000_pre_create_identity',
    up: `
create domain credit_rollout.org_id as ${orgIdType}${collation};

create table credit_rollout.rate_cards (
  card_hash text primary key,
  name text not null,
  light_agents_count_as_users boolean not null,
  unpaid_edition text not null,
  created_at timestamptz not null default now()
);

create table credit_rollout.rates (
  card_hash text not null references credit_rollout.rate_cards,
  edition text not null,
  base bigint not null check (base between 0 and 1000000000000000),
  per_agent bigint not null check (per_agent between 0 and 1000000000),
  concurrency integer not null check (concurrency > 0),
  unpaid_base bigint not null,
  unpaid_per_agent bigint not null,
  unpaid_concurrency integer not null,
  legacy_flat bigint check (legacy_flat between 0 and 1000000000000000),
  legacy_per_user bigint check (legacy_per_user between 0 and 1000000000),
  legacy_min bigint check (legacy_min >= 0),
  legacy_max bigint check (legacy_max <= 1000000000000000),
  edition_rank integer not null,
  primary key (card_hash, edition),
  constraint rates_legacy_check check (
    (legacy_flat is not null and legacy_per_user is null and legacy_min is null and legacy_max is null)
    or (legacy_flat is null and legacy_per_user is not null and legacy_min <= legacy_max))
);

create table credit_rollout.cell (
  only_row boolean primary key default true check (only_row),
  data_center text not null,
  zone text not null,
  system_identifier text not null,
  database_name text not null,
  lapse_grace_days integer not null check (lapse_grace_days >= 0),
  active_card text references credit_rollout.rate_cards,
  source text,
  source_unique boolean,
  source_signature text,
  product_roles text[] not null default '{}'
);
comment on column credit_rollout.cell.product_roles is 'roles that init --grant named; granted again whenever the views are made anew';`,
  };
}

/** Why: a card or a rate that was applied must stay readable unchanged. */
export const protectRates: Migration = {
  name: '20261122010100_pre_protect_rates',
  up: `
create function credit_rollout.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger rates_append_only before update or delete or truncate on credit_rollout.rates
  for each statement execute function credit_rollout.refuse_change();
create trigger rate_cards_append_only before update or delete on credit_rollout.rate_cards
  for each statement execute function credit_rollout.refuse_change();`,
};
