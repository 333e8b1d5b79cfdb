// Rate cards in a cell: append-only rows by hash.
import type { CellTransaction } from './cell-database.js';

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
  if (rowCount === 0) return;
  const text = (pick: (rate: StoredRate) => bigint | number | string | null): (string | null)[] =>
    card.rates.map((rate) => {
      const value = pick(rate);
      return value === null ? null : String(value);
    });
  await tx.raw(
    `insert into credit_rollout.rates (card_hash, edition, base, per_agent, concurrency, legacy_flat, legacy_per_user, legacy_min,
       legacy_max, edition_rank, unpaid_base, unpaid_per_agent, unpaid_concurrency)
     select ?, v.*, u.base, u.per_agent, u.concurrency
     from unnest(?::text[], ?::bigint[], ?::bigint[], ?::int[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::int[])
       as v (edition, base, per_agent, concurrency, legacy_flat, legacy_per_user, legacy_min, legacy_max, edition_rank),
       (select x.base, x.per_agent, x.concurrency from unnest(?::text[], ?::bigint[], ?::bigint[], ?::int[])
          as x (edition, base, per_agent, concurrency) where x.edition = ?) u`,
    [
      card.hash, text((r) => r.edition), text((r) => r.base), text((r) => r.perAgent), text((r) => r.concurrency),
      text((r) => r.legacyFlat), text((r) => r.legacyPerUser), text((r) => r.legacyMin), text((r) => r.legacyMax), text((r) => r.rank),
      text((r) => r.edition), text((r) => r.base), text((r) => r.perAgent), text((r) => r.concurrency), card.unpaid,
    ],
  );
}

export async function hasRateCard(tx: CellTransaction, hash: string): Promise<boolean> {
  return (await tx.raw('select exists (select from credit_rollout.rate_cards where card_hash = ?) as found', [hash])).rows[0].found;
}
