// An error as its user sees it: code, one sentence, the next step. Never a stack trace without --debug.
import { ERRORS } from '../../kernel/error-codes.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import type { CliSession } from '../terminal/session.js';

/** What is shown of an error. */
export interface ShownError {
  readonly code: string;
  readonly message: string;
  readonly next: string;
}

/** Shows an error on standard error, or as the document with --json; returns the exit code. */
export function showError(session: CliSession, error: unknown): number {
  const { io, options, commands, paint } = session;
  const { code, message, next } = describeError(error);
  const shown: ShownError = { code, message, next: commands.rewrite(next) };
  if (options.json) io.out(`${JSON.stringify({ error: shown }, null, 2)}\n`);
  else io.err(`${paint('error', 'red')} [${code}] ${message}\n  next: ${shown.next.replaceAll('\n', '\n  ')}\n`);
  if (options.debug) io.err(`${listStacks(error)}\n`);
  return isRolloutError(error) ? error.exitCode : ERRORS.internal.exit;
}

/** Code, sentence and next step of whatever was thrown. */
export function describeError(error: unknown): ShownError {
  if (isRolloutError(error)) return { code: error.code, message: error.message, next: error.next };
  // a bug: its own text may hold org data, so only its kind is shown
  const name = error instanceof Error ? error.name : typeof error;
  return { code: 'internal', message: `An unexpected error occurred (${name}).`, next: ERRORS.internal.next };
}

function listStacks(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${listStacks(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
