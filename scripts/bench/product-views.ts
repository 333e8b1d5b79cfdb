// A product with ordinary normalised tables, and the views over them that people write: what no key reaches, what a key
// reaches, and what reads every org for one. Columns as the contract of a source has them.

/** Tables for `orgs` accounts, five users each. */
export const productTables = (orgs: number): string => `
create table accounts (account_id bigint primary key, created_at timestamptz not null,
  updated_at timestamptz not null default now());
create index on accounts (updated_at);
create table subscriptions (account_id bigint primary key, edition text not null, status text not null);
create table users (user_id bigint primary key, account_id bigint not null, seat text not null);
create index on users (account_id);
create table packs (pack_id bigint primary key, account_id bigint not null, calls bigint not null);
create index on packs (account_id);
insert into accounts select n, '2024-01-01', '2024-01-01' from generate_series(1, ${orgs}) n;
insert into subscriptions select n, 'standard', 'active' from generate_series(1, ${orgs}) n;
insert into users select n, 1 + n % ${orgs}, case when n % 4 = 0 then 'light' else 'full' end
  from generate_series(1, ${orgs * 5}) n;
insert into packs select n, n * 3, 1000 from generate_series(1, ${Math.ceil(orgs / 4)}) n;
analyze accounts, subscriptions, users, packs`;

const COLUMNS = `a.account_id as org_id, s.edition, s.status = 'active' as paid, a.created_at, a.updated_at,
  0::bigint as light_agents`;

/** Queries; each as the view `public.orgs`. */
export const PRODUCT_VIEWS = {
  grouped: `select ${COLUMNS}, coalesce(u.agents, 0) as agents, coalesce(p.calls, 0)::bigint as additional_credits
    from accounts a join subscriptions s on s.account_id = a.account_id
    left join (select account_id, count(*) filter (where seat = 'full') as agents from users group by account_id) u
      on u.account_id = a.account_id
    left join (select account_id, sum(calls) as calls from packs group by account_id) p on p.account_id = a.account_id`,
  lateral: `select ${COLUMNS}, u.agents, p.calls as additional_credits
    from accounts a join subscriptions s on s.account_id = a.account_id
    cross join lateral (select count(*) filter (where seat = 'full') as agents from users x
      where x.account_id = a.account_id) u
    cross join lateral (select coalesce(sum(calls), 0)::bigint as calls from packs x
      where x.account_id = a.account_id) p`,
  // no key reaches below the window: every org is read for one
  window: `select ${COLUMNS}, coalesce(u.agents, 0) as agents, 0::bigint as additional_credits
    from (select a.*, row_number() over (order by created_at) as place from accounts a) a
    join subscriptions s on s.account_id = a.account_id
    left join (select distinct account_id, count(*) over (partition by account_id) as agents from users) u
      on u.account_id = a.account_id`,
} as const;

export type ProductView = keyof typeof PRODUCT_VIEWS;

/** A lateral view as `lateral`, whose comparison no index serves: each org costs a read of all users. */
export const UNINDEXED_VIEW = PRODUCT_VIEWS.lateral.replace(
  'where x.account_id = a.account_id) u',
  'where x.account_id::text = a.account_id::text) u',
);
