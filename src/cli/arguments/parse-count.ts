// A whole number on the command line, at least 1.
import { InvalidArgumentError } from 'commander';

/** Reads a count of an option; commander names the option in the error. */
export function parseCount(most: number): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (!/^\d{1,9}$/u.test(text) || count < 1 || count > most)
      throw new InvalidArgumentError(`It must be a whole number from 1 to ${most}.`);
    return count;
  };
}
