// The one error type that users see: a stable code, one sentence with the wrong value, and the next step.
import { type Advice, formatAdvice, mapAdvice } from './advice.js';
import { ERRORS, type ErrorCode } from './error-codes.js';
import { cutText, toPrintable, toPrintableLines } from './printable.js';

export interface RolloutErrorDetails {
  /** One sentence for a person, naming the value that was wrong. No org ids, no key bounds, no secrets. */
  readonly message: string;
  /** The next step: a command or an edit. Defaults to the registry's. */
  readonly next?: string | Advice;
  readonly cause?: unknown;
}

/** In characters: no value of anybody's may fill a screen. */
const MAX_MESSAGE = 2_000;

/** An expected failure with a stable code from the registry. Anything else that is thrown is a bug. */
export class RolloutError extends Error {
  readonly code: ErrorCode;
  /** As text, with `credit-rollout` before each command. */
  readonly next: string;
  readonly exitCode: number;
  readonly #advice: Advice;

  constructor(code: ErrorCode, details: RolloutErrorDetails) {
    super(
      cutText(toPrintable(details.message), MAX_MESSAGE),
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.name = 'RolloutError';
    this.code = code;
    // a text may have several lines, such as SQL to run; a command has one
    this.#advice = mapAdvice(details.next ?? ERRORS[code].next, toPrintableLines, toPrintable);
    this.next = formatAdvice(this.#advice);
    this.exitCode = ERRORS[code].exit;
  }

  /** The next step, its commands as data. */
  get advice(): Advice {
    return this.#advice;
  }
}

/** True for a failure from the registry, optionally of one code. */
export function isRolloutError(error: unknown, code?: ErrorCode): error is RolloutError {
  return error instanceof RolloutError && (code === undefined || error.code === code);
}
