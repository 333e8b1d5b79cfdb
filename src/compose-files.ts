// Reads the configuration and its rate card, which are files that others may have made: up to a size, and one that
// nobody named only where no other user could have put it there.
import { resolve } from 'node:path';
import type { RateCard } from './domain/rate-card/rate-card.js';
import type { ErrorCode } from './kernel/error-codes.js';
import { RolloutError } from './kernel/rollout-error.js';
import { readText, readUnnamedText } from './platform/read-text.js';

const MAX_FILE_BYTES = 1_000_000;

/**
 * `found`: nobody named it. Its URLs say where passwords of our environment go, its card what orgs get: in a folder
 * such as /tmp anybody could have put it there.
 */
export type FileTrust = 'named' | 'found';

interface WantedFile {
  readonly path: string;
  readonly what: string;
  readonly absent: ErrorCode;
  readonly large: ErrorCode;
}

/** Throws config_unsafe, and the codes that are wanted. */
export async function readFileOf(trust: FileTrust, { path, what, absent, large }: WantedFile): Promise<string> {
  const reading = trust === 'found' ? readUnnamedText(path, MAX_FILE_BYTES) : readText(path, MAX_FILE_BYTES);
  const read = await reading.catch((cause) => {
    throw new RolloutError(absent, { message: `${what} cannot be read.`, cause });
  });
  const found = typeof read === 'object' ? read : { text: read };
  if ('distrust' in found)
    throw new RolloutError('config_unsafe', { message: `${resolve(path)} is not used: it ${found.distrust}.` });
  if (found.text !== undefined) return found.text;
  throw new RolloutError(large, { message: `${what} has more than 1,000,000 bytes.`, next: 'Name the right file.' });
}

/** Reads and parses a card; throws rate_card_not_found and the card's own errors. */
export async function loadRateCard(path: string, trust: FileTrust = 'named'): Promise<RateCard> {
  const what = `The rate card ${path}`;
  const text = await readFileOf(trust, { path, what, absent: 'rate_card_not_found', large: 'invalid_rate_card' });
  const { parseRateCard } = await import('./domain/rate-card/parse-rate-card.js');
  return parseRateCard(text);
}
