// When a worker last had a job of a cell, and the code of its last error there: what its services share. Kept in memory
// only.
import { errorCodeOf } from '../src/engine/database-errors.js';
import type { Clock } from '../src/kernel/clock.js';

export interface CellActivity {
  jobCame(): void;
  succeeded(): void;
  /** Returns the code of the error. */
  failed(error: unknown): string;
  /** Null: the last attempt succeeded. */
  lastError(): string | null;
  /** Whether no job came for `ms`. */
  isSilentFor(ms: number): boolean;
}

export function createCellActivity(clock: Clock): CellActivity {
  let lastJobAt = 0;
  let lastError: string | null = null;
  return {
    jobCame: () => {
      lastJobAt = clock.now().getTime();
    },
    succeeded: () => {
      lastError = null;
    },
    failed: (error) => {
      const code = errorCodeOf(error);
      lastError = code;
      return code;
    },
    lastError: () => lastError,
    isSilentFor: (ms) => {
      // a clock that was set back does not tell when a job came
      const silentMs = clock.now().getTime() - lastJobAt;
      return silentMs < 0 || silentMs >= ms;
    },
  };
}
