// The head of the audit's chain, as `audit --verify` shows it and somebody kept it.
import { InvalidArgumentError } from 'commander';
import type { ChainHead } from '../../domain/operate/verify-chain.js';

/** `1234:` and 64 hex digits; commander names the option in the error. */
export function parseHead(text: string, before: readonly ChainHead[] = []): readonly ChainHead[] {
  const [, link, hash] = /^([1-9]\d{0,17}):([0-9a-f]{64})$/u.exec(text) ?? [];
  if (link === undefined || hash === undefined)
    throw new InvalidArgumentError('Write it as audit --verify showed it: a number, a colon and 64 hex digits.');
  return [...before, { link: BigInt(link), hash }];
}
