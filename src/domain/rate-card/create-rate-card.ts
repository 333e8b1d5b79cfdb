// Builds a RateCard with ranks and hash from its contents, of a file or of a cell. Never checks bounds: the parser and
// the database do.
import { hashRateCard } from './hash-rate-card.js';
import type { EditionRates, EditionSpec, RateCard, RateCardSpec } from './rate-card.js';

/** Ranks the editions and computes the hash. */
export function createRateCard(spec: RateCardSpec): RateCard {
  const ranked = rankEditions(spec.editions);
  return { ...spec, editions: new Map(ranked.map((rates) => [rates.edition, rates])), hash: hashRateCard(spec) };
}

/** Dense rank by (base, perAgent), ascending from 0. Source: docs/reference/domain.md, "The floor", rule 3. */
function rankEditions(editions: readonly EditionSpec[]): readonly EditionRates[] {
  return editions.map((spec) => {
    const lower = editions.filter((other) => ranksLower(other, spec));
    const lowerRates = new Set(lower.map((other) => `${other.base} ${other.perAgent}`));
    return { ...spec, rank: lowerRates.size };
  });
}

function ranksLower(one: EditionSpec, other: EditionSpec): boolean {
  return one.base === other.base ? one.perAgent < other.perAgent : one.base < other.base;
}
