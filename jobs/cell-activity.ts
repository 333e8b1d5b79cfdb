// When a worker last had a job of a cell, and the code of its last error there: what its services share. Kept in memory
// only; whoever reports it is called when it changes.
import { errorCodeOf } from '../src/engine/database-errors.js';
import type { Clock } from '../src/kernel/clock.js';

export interface CellActivity {
  jobCame(): void;
  /** A batch, a range or a whole job: the last error is over. */
  succeeded(): void;
  /** Returns the code of the error. */
  failed(error: unknown): string;
  /** Null: the last attempt succeeded. */
  lastError(): string | null;
  /** Whether no job came for `ms`. */
  isSilentFor(ms: number): boolean;
}

export function createCellActivity(clock: Clock, onChange: () => void = () => undefined): CellActivity {
  let lastJobAt = 0;
  let lastError: string | null = null;
  const record = (code: string | null): void => {
    if (code === lastError) return;
    lastError = code;
    onChange();
  };
  return {
    jobCame: () => {
      lastJobAt = clock.now().getTime();
    },
    succeeded: () => record(null),
    failed: (error) => {
      const code = errorCodeOf(error);
      record(code);
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
