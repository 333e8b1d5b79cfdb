// Rate cards in a cell: append-only rows by hash.

import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

/** A card in the shape that the cell stores; built by the engine from the domain's card. */
export interface StoredCard {
  readonly hash: string;
  readonly name: string;
  readonly lightAgentsCountAsUsers: boolean;
  readonly unpaid: string;
  readonly rates: readonly StoredRate[];
}

export interface StoredRate {
  readonly edition: string;
  readonly base: bigint;
  readonly perAgent: bigint;
  readonly concurrency: number;
  readonly legacyFlat: bigint | null;
  readonly legacyPerUser: bigint | null;
  readonly legacyMin: bigint | null;
  readonly legacyMax: bigint | null;
  readonly rank: number;
}

/** Adds a card unless it is there; what is there never changes. */
export async function insertRateCard(tx: CellTransaction, card: StoredCard): Promise<void> {
  const { rowCount } = await tx.raw(
    `insert into credit_rollout.rate_cards (card_hash, name, light_agents_count_as_users, unpaid_edition) values (?, ?, ?, ?)
     on conflict do nothing`,
    [card.hash, card.name, card.lightAgentsCountAsUsers, card.unpaid],
  );
  const unpaid = card.rates.find((rate) => rate.edition === card.unpaid);
  if (rowCount === 0 || unpaid === undefined) return;
  const text = (value: bigint | null): string | null => (value === null ? null : String(value));
  const rows = card.rates.map((rate) => ({
    card_hash: card.hash,
    edition: rate.edition,
    base: text(rate.base),
    per_agent: text(rate.perAgent),
    concurrency: rate.concurrency,
    unpaid_base: text(unpaid.base),
    unpaid_per_agent: text(unpaid.perAgent),
    unpaid_concurrency: unpaid.concurrency,
    legacy_flat: text(rate.legacyFlat),
    legacy_per_user: text(rate.legacyPerUser),
    legacy_min: text(rate.legacyMin),
    legacy_max: text(rate.legacyMax),
    edition_rank: rate.rank,
  }));
  await tx.withSchema('credit_rollout').table('rates').insert(rows);
}

const CARD = `
select c.name, c.light_agents_count_as_users, c.unpaid_edition, r.edition, r.base, r.per_agent, r.concurrency, r.legacy_flat,
  r.legacy_per_user, r.legacy_min, r.legacy_max, r.edition_rank
from credit_rollout.rate_cards c join credit_rollout.rates r using (card_hash) where c.card_hash = ? order by r.edition`;

/** A card of the cell by its hash; undefined when the cell does not hold it. */
export async function loadStoredCard(tx: CellTransaction, hash: string): Promise<StoredCard | undefined> {
  const { rows } = await tx.raw(CARD, [hash]);
  const [card] = rows;
  return (
    card && {
      hash,
      name: card.name,
      lightAgentsCountAsUsers: card.light_agents_count_as_users,
      unpaid: card.unpaid_edition,
      rates: rows.map(toStoredRate),
    }
  );
}

interface RateRow {
  readonly edition: string;
  readonly base: string;
  readonly per_agent: string;
  readonly concurrency: number;
  readonly legacy_flat: string | null;
  readonly legacy_per_user: string | null;
  readonly legacy_min: string | null;
  readonly legacy_max: string | null;
  readonly edition_rank: number;
}

const toStoredRate = (row: RateRow): StoredRate => ({
  edition: row.edition,
  base: BigInt(row.base),
  perAgent: BigInt(row.per_agent),
  concurrency: row.concurrency,
  legacyFlat: toBigint(row.legacy_flat),
  legacyPerUser: toBigint(row.legacy_per_user),
  legacyMin: toBigint(row.legacy_min),
  legacyMax: toBigint(row.legacy_max),
  rank: row.edition_rank,
});

const PROMISE_CHANGE = `
with old as (select r.* from credit_rollout.rates r join credit_rollout.cell c on c.active_card = r.card_hash),
  new as (select * from credit_rollout.rates where card_hash = ?)
select o.edition, case
    when n.edition is null then 'is missing'
    when (o.legacy_flat, o.legacy_per_user, o.legacy_min, o.legacy_max) is distinct from
         (n.legacy_flat, n.legacy_per_user, n.legacy_min, n.legacy_max) then 'has another legacy half'
    else 'stands elsewhere in the order of editions' end as change
from old o left join new n on n.edition = o.edition
where exists (select from credit_rollout.allotments where floor is not null)
  and (n.edition is null
    or (o.legacy_flat, o.legacy_per_user, o.legacy_min, o.legacy_max) is distinct from
       (n.legacy_flat, n.legacy_per_user, n.legacy_min, n.legacy_max)
    or exists (select from old o2 join new n2 on n2.edition = o2.edition
               where sign(o.edition_rank - o2.edition_rank) <> sign(n.edition_rank - n2.edition_rank)))
order by o.edition limit 1`;

/** The first edition by which a stored card would change the promise while floors exist; undefined: none. */
export async function findPromiseChange(
  tx: CellTransaction,
  hash: string,
): Promise<{ readonly edition: string; readonly change: string } | undefined> {
  return (await tx.raw(PROMISE_CHANGE, [hash])).rows[0];
}

/** Whether two stored cards count light agents alike; true when one of them is not there. */
export async function countsLightAgentsAlike(tx: CellTransaction, hash: string): Promise<boolean> {
  const { rows } = await tx.raw(
    `select not exists (select from credit_rollout.cell c join credit_rollout.rate_cards o on o.card_hash = c.active_card
       join credit_rollout.rate_cards n on n.card_hash = ?
       where o.light_agents_count_as_users <> n.light_agents_count_as_users
         and exists (select from credit_rollout.allotments where floor is not null)) as alike`,
    [hash],
  );
  return rows[0].alike;
}
