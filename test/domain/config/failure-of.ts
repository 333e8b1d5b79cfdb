// Catches the expected failure of a call, so that a test can check its code, message and next step.
import { RolloutError } from '../../../src/kernel/rollout-error.js';

/** The RolloutError that `call` throws; anything else fails the test. */
export function failureOf(call: () => unknown): RolloutError {
  try {
    call();
  } catch (error) {
    if (error instanceof RolloutError) return error;
    throw error;
  }
  throw new Error('expected a RolloutError, but nothing was thrown');
}
