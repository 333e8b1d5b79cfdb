// Waiting in suites: asks until something is so, never sleeps and hopes. Fails with what it waited for.
import { systemClock } from '../../src/kernel/clock.js';

export interface WaitOptions {
  /** Longest wait in ms; 120,000 when left out: what comes at once on a calm machine takes its time on a busy one. */
  readonly forMs?: number;
  /** Between two questions, in ms; 25 when left out. */
  readonly everyMs?: number;
}

/** Resolves with the first answer that is not undefined or false; an error counts as no answer. */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  { forMs = 120_000, everyMs = 25 }: WaitOptions = {},
): Promise<T> {
  const deadline = Date.now() + forMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${forMs} ms in vain for: ${what}`, { cause: last });
    await systemClock.sleep(everyMs);
  }
}
