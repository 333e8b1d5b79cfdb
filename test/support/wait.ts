// Waiting in suites: asks until something is so, never sleeps and hopes. Fails with what it waited for.
import { systemClock } from '../../src/kernel/clock.js';

export interface WaitOptions {
  /** Longest wait in ms; 120,000 when left out: what comes at once on a calm machine takes its time on a busy one. */
  readonly forMs?: number;
  /** Between two questions, in ms. Left out: 25 at first, longer with every one, since each costs a busy machine. */
  readonly everyMs?: number;
}

const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 100;
const PAUSE_GROWTH = 1.2;

/** Resolves with the first answer that is not undefined or false; an error counts as no answer. */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  { forMs = 120_000, everyMs }: WaitOptions = {},
): Promise<T> {
  const deadline = Date.now() + forMs;
  let last: unknown;
  let pauseMs = everyMs ?? FIRST_PAUSE_MS;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${forMs} ms in vain for: ${what}`, { cause: last });
    await systemClock.sleep(pauseMs);
    pauseMs = everyMs ?? Math.min(LONGEST_PAUSE_MS, pauseMs * PAUSE_GROWTH);
  }
}
