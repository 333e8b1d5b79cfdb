// An error as its user sees it: code, one sentence, the next step. Never a stack trace without --debug.
import { type Advice, formatAdvice } from '../../kernel/advice.js';
import { ERRORS } from '../../kernel/error-codes.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import type { CliSession } from '../terminal/session.js';
import { formatJson } from '../terminal/to-json.js';

/** What is shown of an error. */
export interface ShownError {
  readonly code: string;
  readonly message: string;
  readonly next: string;
}

/** Shows an error on standard error, or as the document with --json; returns the exit code. */
export function showError(session: CliSession, error: unknown): number {
  const { io, options, commands, paint, printError } = session;
  const { code, message, advice } = nameError(error);
  const shown: ShownError = { code, message, next: commands.showAdvice(advice) };
  if (options.json) io.out(formatJson({ error: shown }));
  else printError(`${paint('error', 'red')} [${code}] ${message}\n  next: ${shown.next.replaceAll('\n', '\n  ')}`);
  if (options.debug) printError(listStacks(error));
  return isRolloutError(error) ? error.exitCode : ERRORS.internal.exit;
}

/** Code, sentence and next step of whatever was thrown, for a document. */
export function describeError(error: unknown): ShownError {
  const { code, message, advice } = nameError(error);
  return { code, message, next: formatAdvice(advice) };
}

/** Code, sentence and next step of whatever was thrown, the commands in it as data. */
export function nameError(error: unknown): Omit<ShownError, 'next'> & { readonly advice: string | Advice } {
  if (isRolloutError(error)) return { code: error.code, message: error.message, advice: error.advice };
  // a bug: its own text may hold org data, so only its kind is shown
  const name = error instanceof Error ? error.name : typeof error;
  return { code: 'internal', message: `An unexpected error occurred (${name}).`, advice: ERRORS.internal.next };
}

function listStacks(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${listStacks(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
