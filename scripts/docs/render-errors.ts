// The reference of error codes, from the registry: one heading for each code, so that a link and a search find it.
import { formatAdvice } from '../../src/kernel/advice.js';
import { ERRORS } from '../../src/kernel/error-codes.js';
import { renderMarkdownTable } from './markdown.js';

/** Every code in the order of the registry. */
export function renderErrors(): string {
  return Object.entries(ERRORS)
    .map(
      ([code, { exit, meaning, next }]) =>
        `### \`${code}\`\n\n${meaning}\n\n- Exit code: ${exit}\n- Next: ${formatAdvice(next)}`,
    )
    .join('\n\n');
}

/** Codes by exit code, as a table of contents. */
export function renderErrorIndex(): string {
  const codes = Object.entries(ERRORS).map(([code, { exit }]) => [`[\`${code}\`](#${code})`, String(exit)] as const);
  return renderMarkdownTable(
    ['code', 'exit code'],
    codes.toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}
