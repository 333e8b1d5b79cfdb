// An error as its user sees it: code, one sentence, the next step. Never a stack trace, nor the text of a database
// server, without --debug.

import { isServerText } from '../../engine/database-errors.js';
import { type Advice, formatAdvice } from '../../kernel/advice.js';
import { ERRORS } from '../../kernel/error-codes.js';
import { toPrintable } from '../../kernel/printable.js';
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
  if (options.json && io.lostBy() === undefined) io.out(formatJson({ error: shown }));
  else printError(`${paint('error', 'red')} [${code}] ${message}\n  next: ${shown.next.replaceAll('\n', '\n  ')}`);
  showCauses(session, error);
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

/** With --debug, the stacks of an error and of its causes, and what a database server wrote. Nothing without it. */
export function showCauses(session: CliSession, ...errors: readonly unknown[]): void {
  if (!session.options.debug) return;
  const causes = errors.flatMap(listCauses);
  const lines = causes.flatMap(describeServerText);
  if (lines.length > 0) session.printError([SERVER_TEXT, ...lines].join('\n'));
  for (const cause of causes) session.printError(describeStack(cause));
}

const SERVER_TEXT = 'debug: text of a database server. It may hold data of orgs: do not pass it on.';

/** What a server sends beside the message. */
const PARTS = ['detail', 'hint', 'where', 'schema', 'table', 'column', 'constraint'] as const;

function describeServerText(error: unknown): readonly string[] {
  if (!isServerText(error)) return [];
  const { code, message, ...parts } = error as Error & Readonly<Record<string, unknown>>;
  const named = PARTS.filter((name) => typeof parts[name] === 'string');
  return [`${String(code)}: ${message}`, ...named.map((name) => `${name}: ${String(parts[name])}`)].map(
    (line) => `  ${toPrintable(line)}`,
  );
}

/** An error, its cause, the cause of that, and so on. */
function listCauses(error: unknown): readonly unknown[] {
  return error instanceof Error && error.cause !== undefined ? [error, ...listCauses(error.cause)] : [error];
}

function describeStack(error: unknown): string {
  if (isServerText(error)) return 'debug: an error of a database server';
  return error instanceof Error ? `debug: ${error.stack ?? error.message}` : toPrintable(`debug: ${String(error)}`);
}
