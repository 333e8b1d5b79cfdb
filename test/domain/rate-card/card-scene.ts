// A small rate card for tests of the parser, with one change, and the failure that a wrong one gives.
import { parseRateCard } from '../../../src/domain/rate-card/parse-rate-card.js';
import { isRolloutError, type RolloutError } from '../../../src/kernel/rollout-error.js';

export const CARD = `
name: test
lightAgentsCountAsUsers: true
unpaid: free
editions:
  free: { credits: { base: 5000, perAgent: 0 }, concurrency: 5, legacy: { flat: 5000 } }
  standard:
    credits: { base: 50000, perAgent: 250 }
    concurrency: 10
    legacy: { perUser: 500, min: 25000, max: 250000 }
`;

export function edit(from: string, to: string): string {
  if (!CARD.includes(from)) throw new Error(`the card has no ${from}`);
  return CARD.replace(from, to);
}

export function errorOfCard(text: string): RolloutError {
  try {
    parseRateCard(text);
  } catch (error) {
    if (isRolloutError(error)) return error;
    throw error;
  }
  throw new Error('the card was accepted');
}
