// One entry of the registry of errors: exit code, meaning, next step.
import type { Advice } from './advice.js';

export interface ErrorEntry {
  /**
   * Process exit code, as documented in docs/reference/exit-codes.md: 1 error, 3 left out, 4 held, 5 mismatch,
   * 6 conflict, 7 not permitted.
   */
  readonly exit: 1 | 3 | 4 | 5 | 6 | 7;
  /** What it means, one sentence. */
  readonly meaning: string;
  /** The next step, where the error itself names none. */
  readonly next: string | Advice;
}

export const entry = (exit: ErrorEntry['exit'], meaning: string, next: string | Advice): ErrorEntry => ({
  exit,
  meaning,
  next,
});
