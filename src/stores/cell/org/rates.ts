// Rate cards in a cell: rows by the card's hash, added and never changed.
import { execute, findRow, selectRow, selectRows } from '../../query.js';
import { toBigint } from '../allotment-row.js';
import type { CellTransaction } from '../cell-database.js';

/** A card in the shape that the cell stores; built by the engine from the domain's card. */
export interface StoredCard {
  readonly hash: string;
  readonly name: string;
  readonly lightAgentsCountAsUsers: boolean;
  readonly unpaid: string;
  /** What calls cost, as formatCallCosts writes it. */
  readonly costs: string;
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

const text = (value: bigint | null): string | null => (value === null ? null : String(value));

// JSON holds exact bigints as text only
const toJson = (rate: StoredRate): Readonly<Record<string, string | number | null>> => ({
  edition: rate.edition,
  base: text(rate.base),
  per_agent: text(rate.perAgent),
  concurrency: rate.concurrency,
  legacy_flat: text(rate.legacyFlat),
  legacy_per_user: text(rate.legacyPerUser),
  legacy_min: text(rate.legacyMin),
  legacy_max: text(rate.legacyMax),
  edition_rank: rate.rank,
});

const toDocument = (card: StoredCard): string =>
  JSON.stringify({
    hash: card.hash,
    name: card.name,
    light_agents_count_as_users: card.lightAgentsCountAsUsers,
    unpaid: card.unpaid,
    costs: card.costs,
    rates: card.rates.map(toJson),
  });

/** Adds a card unless it is there; what is there never changes. The cell compares its hash. */
export async function insertRateCard(tx: CellTransaction, card: StoredCard): Promise<void> {
  await execute(tx, 'select credit_rollout.add_rate_card(:card::jsonb)', { card: toDocument(card) });
}

const CARD = `
select c.name, c.light_agents_count_as_users, c.unpaid_edition, c.costs, r.edition, r.base, r.per_agent, r.concurrency,
  r.legacy_flat, r.legacy_per_user, r.legacy_min, r.legacy_max, r.edition_rank
from credit_rollout.rate_cards c join credit_rollout.rates r using (card_hash)
where c.card_hash = :hash order by r.edition`;

interface RateRow {
  readonly name: string;
  readonly lightAgentsCountAsUsers: boolean;
  readonly unpaidEdition: string;
  readonly costs: string;
  readonly edition: string;
  readonly base: string;
  readonly perAgent: string;
  readonly concurrency: number;
  readonly legacyFlat: string | null;
  readonly legacyPerUser: string | null;
  readonly legacyMin: string | null;
  readonly legacyMax: string | null;
  readonly editionRank: number;
}

const toStoredRate = (row: RateRow): StoredRate => ({
  edition: row.edition,
  base: BigInt(row.base),
  perAgent: BigInt(row.perAgent),
  concurrency: row.concurrency,
  legacyFlat: toBigint(row.legacyFlat),
  legacyPerUser: toBigint(row.legacyPerUser),
  legacyMin: toBigint(row.legacyMin),
  legacyMax: toBigint(row.legacyMax),
  rank: row.editionRank,
});

/** A card of the cell by its hash; undefined when the cell does not hold it. */
export async function loadStoredCard(tx: CellTransaction, hash: string): Promise<StoredCard | undefined> {
  const rows = await selectRows<RateRow>(tx, CARD, { hash });
  const [card] = rows;
  if (card === undefined) return undefined;
  return {
    hash,
    name: card.name,
    lightAgentsCountAsUsers: card.lightAgentsCountAsUsers,
    unpaid: card.unpaidEdition,
    costs: card.costs,
    rates: rows.map(toStoredRate),
  };
}

// the legacy half of a card's rate for an edition
const LEGACY = (row: string): string =>
  `(${row}.legacy_flat, ${row}.legacy_per_user, ${row}.legacy_min, ${row}.legacy_max)`;

const PROMISE_CHANGE = `
with old as (
    select r.* from credit_rollout.rates r join credit_rollout.cell c on c.active_card = r.card_hash),
  new as (select * from credit_rollout.rates where card_hash = :hash)
select o.edition, case
    when n.edition is null then 'is missing'
    when ${LEGACY('o')} is distinct from ${LEGACY('n')} then 'has another legacy half'
    else 'has another place in the order of editions' end as change
from old o left join new n on n.edition = o.edition
where exists (select from credit_rollout.allotments where floor is not null)
  and (n.edition is null or ${LEGACY('o')} is distinct from ${LEGACY('n')}
    or exists (
      select from old o2 join new n2 on n2.edition = o2.edition
      where sign(o.edition_rank - o2.edition_rank) <> sign(n.edition_rank - n2.edition_rank)))
order by o.edition limit 1`;

/**
 * The first edition by which a stored card would change the promise while floors exist; undefined: none. `change`
 * completes a sentence whose subject is the edition.
 */
export async function findPromiseChange(
  tx: CellTransaction,
  hash: string,
): Promise<{ readonly edition: string; readonly change: string } | undefined> {
  return findRow(tx, PROMISE_CHANGE, { hash });
}

/** Whether two stored cards count light agents alike; true when one of them is not there. */
export async function countsLightAgentsAlike(tx: CellTransaction, hash: string): Promise<boolean> {
  const { alike } = await selectRow<{ readonly alike: boolean }>(
    tx,
    `select not exists (
       select from credit_rollout.cell c join credit_rollout.rate_cards o on o.card_hash = c.active_card
         join credit_rollout.rate_cards n on n.card_hash = :hash
       where o.light_agents_count_as_users <> n.light_agents_count_as_users
         and exists (select from credit_rollout.allotments where floor is not null)) as alike`,
    { hash },
  );
  return alike;
}
