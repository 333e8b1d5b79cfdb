// Makes a RateCard of its text, or one error that names the place. Never fills in a rate and never rounds one.
import { type DocumentKind, readYaml } from '../yaml/read-yaml.js';
import { cardSchema } from './card-schema.js';
import { createRateCard } from './create-rate-card.js';
import type { RateCard } from './rate-card.js';

const RATE_CARD: DocumentKind = {
  name: 'rate card',
  mainKey: 'editions',
  syntax: 'invalid_rate_card',
  unknownKey: 'invalid_rate_card',
  invalid: 'invalid_rate_card',
  inexact: 'inexact_number',
};

const schema = cardSchema.transform(({ cases, ...card }, ctx) => {
  const known = card.editions.map(({ edition }) => edition);
  if (!known.includes(card.unpaid)) {
    const params = { next: `Name one of the editions: ${shorten(known.join(', '))}.` };
    ctx.addIssue({ code: 'custom', path: ['unpaid'], message: 'must be the name of an edition', params });
  }
  return createRateCard({ ...card, cases });
});

/**
 * Parses a rate card strictly: every key known, every part but `costs` and `cases` present, every number exact and
 * within bounds (per-unit rates 0 to 1e9; base, flat, min and max 0 to 1e15; concurrency 1 to 1e6). Anchors and
 * aliases are allowed.
 * Does not run the cases: checkRateCard does.
 * @throws invalid_rate_card, inexact_number
 */
export function parseRateCard(text: string): RateCard {
  return readYaml(text, schema, RATE_CARD);
}

const shorten = (text: string): string => (text.length > 300 ? `${text.slice(0, 299)}…` : text);
