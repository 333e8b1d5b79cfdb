// The floor that a person types: a whole number of credits a day, or `none`.
import { InvalidArgumentError } from 'commander';
import { GREATEST_STORED } from '../../domain/source/org-inputs.js';

/** commander names the option in the error; null would mean to it that nothing was given. */
export function parseFloor(text: string): bigint | 'none' {
  if (text === 'none') return text;
  const floor = /^\d{1,19}$/u.test(text) ? BigInt(text) : undefined;
  if (floor === undefined || floor > GREATEST_STORED)
    throw new InvalidArgumentError('It must be a whole number of credits a day, without separators, or none.');
  return floor;
}
