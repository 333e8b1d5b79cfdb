// Identifies a rate card by everything that affects decisions. Changing the canonical text changes every stored hash.
import { createHash } from 'node:crypto';
import { formatCallCosts } from './call-costs.js';
import type { EditionSpec, LegacyRates, RateCardSpec } from './rate-card.js';

/**
 * The first 16 hex digits of SHA-256 over a canonical text: the flag, the unpaid edition, each edition's rates and each
 * kind's cost, both sorted by name (UTF-16 code units). The card's name, its cases, its comments and the order of its
 * lines do not count. A card without costs has the hash that it had before there were costs.
 */
export function hashRateCard(spec: Omit<RateCardSpec, 'name' | 'cases'>): string {
  const editions = [...spec.editions]
    .sort((one, other) => (one.edition < other.edition ? -1 : 1))
    .map(canonicalEdition);
  const rates = JSON.stringify(['rate-card-1', spec.lightAgentsCountAsUsers, spec.unpaid, editions]);
  const costs = formatCallCosts(spec.costs);
  const canonical = costs === '' ? rates : `${rates.slice(0, -1)},${costs}]`;
  return createHash('sha256').update(canonical, 'utf8').digest('hex').slice(0, 16);
}

function canonicalEdition(spec: EditionSpec): readonly unknown[] {
  return [
    spec.edition,
    String(spec.base),
    String(spec.perAgent),
    String(spec.concurrency),
    ...canonicalLegacy(spec.legacy),
  ];
}

function canonicalLegacy(legacy: LegacyRates): readonly string[] {
  return legacy.kind === 'flat'
    ? ['flat', String(legacy.flat)]
    : ['perUser', String(legacy.perUser), String(legacy.min), String(legacy.max)];
}
