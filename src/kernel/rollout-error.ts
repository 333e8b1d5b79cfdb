// The one error type that users see: a stable code, one sentence with the wrong value, and the next step.
import { ERRORS, type ErrorCode } from './error-codes.js';
import { escapeControls } from './quote-value.js';

export interface RolloutErrorDetails {
  /** One sentence for a person, naming the value that was wrong. No org ids, no key bounds, no secrets. */
  readonly message: string;
  /** The next step: a command or an edit. Defaults to the registry's. */
  readonly next?: string;
  readonly cause?: unknown;
}

/** An expected failure with a stable code from the registry. Anything else that is thrown is a bug. */
export class RolloutError extends Error {
  readonly code: ErrorCode;
  readonly next: string;
  readonly exitCode: number;

  constructor(code: ErrorCode, details: RolloutErrorDetails) {
    super(escapeControls(details.message), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'RolloutError';
    this.code = code;
    this.next = escapeControls(details.next ?? ERRORS[code].next);
    this.exitCode = ERRORS[code].exit;
  }
}

/** True for a failure from the registry, optionally of one code. */
export function isRolloutError(error: unknown, code?: ErrorCode): error is RolloutError {
  return error instanceof RolloutError && (code === undefined || error.code === code);
}
