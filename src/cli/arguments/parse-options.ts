// The values of options, as commander gives them: counts, floors, texts, addresses, heads of the audit. What is wrong
// is an error that names the option. Reads no file and no database.
import { isIP } from 'node:net';
import { InvalidArgumentError } from 'commander';
import type { ListenAddress } from '../../compose-listener.js';
import type { ChainHead } from '../../domain/operate/verify-chain.js';
import { GREATEST_STORED } from '../../domain/source/org-inputs.js';
import { cutText } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';

/** As many rows as --limit may ask for. */
export const MAX_ROWS = 100_000;
export const MAX_PLANS = 10_000;

/** What --revision of a command means. */
export const REVISION = 'refuse it when the revision of `status --json` is another by then';
export const MAX_REVISION = 999_999_999;

/** The --limit to try next, where a list ended at this one. */
export const raiseLimit = (limit: number, max = MAX_ROWS): number => Math.min(limit * 10, max);

/** A whole number from 1 on. */
export function parseCount(max: number): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (!/^\d{1,9}$/u.test(text) || count < 1 || count > max)
      throw new InvalidArgumentError(`It must be a whole number from 1 to ${max}.`);
    return count;
  };
}

/** A floor: a whole number of credits a day, or `none`; null would mean to commander that nothing was given. */
export function parseFloor(text: string): bigint | 'none' {
  if (text === 'none') return text;
  const floor = /^\d{1,19}$/u.test(text) ? BigInt(text) : undefined;
  if (floor === undefined || floor > GREATEST_STORED)
    throw new InvalidArgumentError('It must be a whole number of credits a day, without separators, or none.');
  return floor;
}

/** Of a text, in characters; the checks of both schemas have the same. */
const MAX_TEXT = 2_000;
/** Of such a text, in an error. */
const SHOWN = 40;

/**
 * What a person writes for others to read, such as --reason. Throws invalid_argument: commander would show all of it,
 * and cut what is wrong.
 */
export function parseText(option: string): (text: string) => string {
  return (text) => {
    const { length } = Array.from(text);
    if (length <= MAX_TEXT) return text;
    throw new RolloutError('invalid_argument', {
      message: `The text of ${option}, "${cutText(text, SHOWN)}", has ${length} characters; at most ${MAX_TEXT} are kept.`,
      next: 'Write it shorter, or name where it can be read whole.',
    });
  };
}

/** A name that a list is limited to; an empty one, as of a variable of a shell that is not set, would find nothing. */
export function parseName(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It must not be empty.');
  return text;
}

const ADDRESS = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/iu;
const MAX_PORT = 65_535;

/** Where a process listens: `127.0.0.1:9464`, `[::1]:9464`, `0.0.0.0:9464`. */
export function parseListen(text: string): ListenAddress {
  const [, v6, v4, port] = ADDRESS.exec(text) ?? [];
  const host = v6 ?? v4 ?? '';
  if (isIP(host) !== (v6 === undefined ? 4 : 6) || Number(port) > MAX_PORT)
    throw new InvalidArgumentError('Write an IP address and a port, for example 127.0.0.1:9464 or [::1]:9464.');
  return { host, port: Number(port) };
}

/** The head of the audit's chain, as `audit --verify` showed it: `1234:` and 64 hex digits. */
export function parseHead(text: string, before: readonly ChainHead[] = []): readonly ChainHead[] {
  const [, link, hash] = /^([1-9]\d{0,17}):([0-9a-f]{64})$/u.exec(text) ?? [];
  if (link === undefined || hash === undefined)
    throw new InvalidArgumentError('Write it as audit --verify showed it: a number, a colon and 64 hex digits.');
  return [...before, { link: BigInt(link), hash }];
}
