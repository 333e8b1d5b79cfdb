// Sign-ups whose allotment a worker writes, so that the product's own transaction only records them: how long workers
// leave the source alone in between, why some wait, and which could not be written. Pure.

/** Reading takes a fifth of the time at most, but where it is quick; half of it while a crowd signs up. */
const SHARE = 4;
const CROWD_SHARE = 1;
/** Sign-ups that one read decides at most. */
const MOST = 1_000;
const QUICK_MS = 250;
const LONGEST_MS = 60_000;

/** From the end of a read of the source that took so long, in ms; `tried`: how many sign-ups it decided. */
export const decideSignUpRest = (readMs: number, tried: number): number =>
  readMs <= QUICK_MS ? 0 : Math.round(Math.min(LONGEST_MS, readMs * (tried >= MOST ? CROWD_SHARE : SHARE)));

/** How soon a sign-up must be written. */
const FOLLOWED_MS = 5_000;

/** How long a sign-up waits at most, in ms, where one read takes so long: it may just have missed the one before. */
export const longestSignUpWaitMs = (readMs: number): number => readMs + decideSignUpRest(readMs, 1) + readMs;

/** Whether sign-ups are written within seconds where one read of the source takes so long, in ms. */
export const areSignUpsFollowed = (readMs: number): boolean => longestSignUpWaitMs(readMs) <= FOLLOWED_MS;

/** How many sign-ups at once are written within seconds where each org takes so long, in ms. */
export const countFollowed = (orgMs: number): number => Math.floor(FOLLOWED_MS / orgMs);

/** What the last try met of a sign-up that could not be written; the names are those of the database. */
export type GivenUpWhy = 'undecidable' | 'absent' | 'left_to_night' | 'unreadable' | 'too_slow';

/** Those that five tries did not write: tried again every ten minutes, and by sweeps and nightly runs. */
export interface GivenUpSignUps {
  readonly count: number;
  /** Of the oldest. */
  readonly since: Date;
  /** Of most of them. */
  readonly why: GivenUpWhy;
}

/** Those that are recorded and not written yet. */
export interface WaitingSignUps {
  /** But those that were given up. */
  readonly count: number;
  /** Of the oldest; null: none waits. */
  readonly since: Date | null;
  /** How long that one waits by the cell's clock, in ms; 0: none. */
  readonly oldestMs: number;
  /** Likewise of the oldest that was not tried yet. */
  readonly untriedMs: number;
  /** What reading the source took last, in ms, and the SQLSTATE that it gave; null: nothing was read, it went well. */
  readonly readMs: number | null;
  readonly failure: string | null;
  /** Null: none. */
  readonly givenUp: GivenUpSignUps | null;
}

/** Workers write what waits in seconds; somebody who looks meanwhile need not be told. */
const SECONDS_MS = 10_000;

/** Whether they wait for longer than it takes a worker to come by. */
export const isLongWait = (
  { count, oldestMs }: Pick<WaitingSignUps, 'count' | 'oldestMs'>,
  why: SignUpsWait,
): boolean => count > 0 && (why !== 'being_written' || oldestMs > SECONDS_MS);

/** Why sign-ups may wait, the strongest reason first. */
export type SignUpsWait =
  | 'frozen'
  | 'closed'
  | 'no_worker'
  | 'too_slow'
  | 'failed'
  | 'view_not_followed'
  | 'crowd'
  | 'view_takes_long'
  | 'being_written';

export interface SignUpWriting {
  readonly frozen: boolean;
  /** Single orgs may be written now. */
  readonly singleWrites: boolean;
  readonly workersAlive: number | null;
}

/** The reason for the sign-ups that wait. */
export function explainSignUpsWait(
  { readMs, failure, untriedMs }: Pick<WaitingSignUps, 'readMs' | 'failure' | 'untriedMs'>,
  { frozen, singleWrites, workersAlive }: SignUpWriting,
): SignUpsWait {
  if (frozen) return 'frozen';
  if (!singleWrites) return 'closed';
  if (workersAlive === 0) return 'no_worker';
  if (failure !== null) return failure === '57014' ? 'too_slow' : 'failed';
  if (!areSignUpsFollowed(readMs ?? 0)) return 'view_not_followed';
  if (untriedMs > FOLLOWED_MS) return 'crowd';
  return decideSignUpRest(readMs ?? 0, 1) > 0 ? 'view_takes_long' : 'being_written';
}
