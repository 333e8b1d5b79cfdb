// What a soak was asked for, as scripts/soak.mjs passes it on, and the random numbers that its seed decides.
import { readEnvironment } from '../../src/platform/environment.js';

export interface SoakOptions {
  readonly queue: 'redis' | 'postgres';
  readonly seed: number;
  /** Of life under faults; healing and the last checks come after it. */
  readonly seconds: number;
  /** Of each of the two data centers. */
  readonly orgs: number;
  /** `all`: what needs root too, such as a disk of our own. */
  readonly faults: 'all' | 'plain';
  /** Where the servers' logs and the report of a failed soak are kept. */
  readonly keep: string;
}

/** One that a check of the project waits for: all of it is quicker, and no question waits for what settles. */
export const isShort = ({ seconds }: Pick<SoakOptions, 'seconds'>): boolean => seconds <= 120;

export function readSoakOptions(): SoakOptions {
  const text = readEnvironment('CREDIT_ROLLOUT_SOAK');
  if (text === undefined) throw new Error('run `npm run soak`');
  return JSON.parse(text);
}

export interface Random {
  /** From 0 to 1. */
  next(): number;
  /** A whole number from `from` to `to`. */
  between(from: number, to: number): number;
  chance(of: number): boolean;
  pick<T>(list: readonly T[]): T;
}

/** The same numbers for the same seed (mulberry32). What real servers make of them still differs. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    between,
    chance: (of) => next() < of,
    pick: (list) => {
      const one = list[between(0, list.length - 1)];
      if (one === undefined) throw new Error('nothing to pick from');
      return one;
    },
  };
}
