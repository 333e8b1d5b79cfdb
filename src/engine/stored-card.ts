// The domain's rate card in the shape that a cell stores, and back.
import { formatCallCosts, parseCallCosts } from '../domain/rate-card/call-costs.js';
import { createRateCard } from '../domain/rate-card/create-rate-card.js';
import type { EditionRates, RateCard } from '../domain/rate-card/rate-card.js';
import type { StoredCard, StoredRate } from '../stores/cell/org/rates.js';

export function toStoredCard(card: RateCard): StoredCard {
  return {
    hash: card.hash,
    name: card.name,
    lightAgentsCountAsUsers: card.lightAgentsCountAsUsers,
    unpaid: card.unpaid,
    costs: formatCallCosts(card.costs),
    rates: [...card.editions.values()].map(toStoredRate),
  };
}

function toStoredRate(rates: EditionRates): StoredRate {
  const { edition, base, perAgent, concurrency, rank, legacy } = rates;
  const flat = legacy.kind === 'flat' ? legacy.flat : null;
  const perUser = legacy.kind === 'perUser' ? legacy : null;
  return {
    edition,
    base,
    perAgent,
    concurrency,
    rank,
    legacyFlat: flat,
    legacyPerUser: perUser?.perUser ?? null,
    legacyMin: perUser?.min ?? null,
    legacyMax: perUser?.max ?? null,
  };
}

/** Rebuilds a card from a cell's rows, for `why`. */
export function fromStoredCard(card: StoredCard): RateCard {
  return createRateCard({
    name: card.name,
    lightAgentsCountAsUsers: card.lightAgentsCountAsUsers,
    unpaid: card.unpaid,
    costs: parseCallCosts(card.costs),
    cases: [],
    editions: card.rates.map(
      ({ edition, base, perAgent, concurrency, legacyFlat, legacyPerUser, legacyMin, legacyMax }) => ({
        edition,
        base,
        perAgent,
        concurrency,
        legacy:
          legacyFlat !== null
            ? { kind: 'flat', flat: legacyFlat }
            : { kind: 'perUser', perUser: legacyPerUser ?? 0n, min: legacyMin ?? 0n, max: legacyMax ?? 0n },
      }),
    ),
  });
}
