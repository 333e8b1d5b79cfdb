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

export async function hasRateCard(tx: CellTransaction, hash: string): Promise<boolean> {
  return (await tx.raw('select exists (select from credit_rollout.rate_cards where card_hash = ?) as found', [hash]))
    .rows[0].found;
}
