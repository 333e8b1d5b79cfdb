// A whole number on the command line, at least 1.

import { InvalidArgumentError } from 'commander';
import { GREATEST_STORED } from '../../domain/source/org-inputs.js';

/** As many rows as --limit may ask for. */
export const MAX_ROWS = 100_000;
export const MAX_PLANS = 10_000;

/** What --revision of a command means. */
export const REVISION = 'refuse it when the revision of `status --json` is another by then';
export const MAX_REVISION = 999_999_999;

/** The --limit to try next, where a list ended at this one. */
export const raiseLimit = (limit: number, max = MAX_ROWS): number => Math.min(limit * 10, max);

/** Reads a count of an option; commander names the option in the error. */
export function parseCount(max: number): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (!/^\d{1,9}$/u.test(text) || count < 1 || count > max)
      throw new InvalidArgumentError(`It must be a whole number from 1 to ${max}.`);
    return count;
  };
}

/**
 * A floor: a whole number of credits a day, or `none`. commander names the option in the error; null would mean to it
 * that nothing was given.
 */
export function parseFloor(text: string): bigint | 'none' {
  if (text === 'none') return text;
  const floor = /^\d{1,19}$/u.test(text) ? BigInt(text) : undefined;
  if (floor === undefined || floor > GREATEST_STORED)
    throw new InvalidArgumentError('It must be a whole number of credits a day, without separators, or none.');
  return floor;
}
