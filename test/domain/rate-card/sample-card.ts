// The sample card, and cards made from it. Never a card of its own: the tests hold the one that ships.
import { readFileSync } from 'node:fs';
import { createRateCard } from '../../../src/domain/rate-card/create-rate-card.js';
import { parseRateCard } from '../../../src/domain/rate-card/parse-rate-card.js';
import type { EditionSpec, RateCard } from '../../../src/domain/rate-card/rate-card.js';

export const sampleCardText = readFileSync(new URL('../../../src/sample/rate-card.yaml', import.meta.url), 'utf8');

export const sampleCard: RateCard = parseRateCard(sampleCardText);

/** The sample card with some editions changed, legacy splits and order included if asked. */
export function changeCard(change: (spec: EditionSpec) => EditionSpec): RateCard {
  return createRateCard({ ...sampleCard, editions: [...sampleCard.editions.values()].map(change) });
}

/** The second card of docs/reference/life-of-an-org.md: smaller credits for standard, enterprise and the bundles. */
export const secondCard: RateCard = changeCard((spec) => {
  if (spec.edition === 'standard') return { ...spec, base: 40_000n, perAgent: 200n };
  return spec.base === 100_000n ? { ...spec, base: 80_000n, perAgent: 800n } : spec;
});
