// The tables of columns and of functions in the reference of the two schemas. The database's own comments come first;
// COLUMN_TEXTS has the words for columns that carry no comment. Never both: a test holds them apart.
import { COLUMN_TEXTS } from './column-texts.js';
import { FUNCTION_TEXTS } from './function-texts.js';
import { renderMarkdownTable, splitCell } from './markdown.js';
import type { Relation, SchemaColumn } from './read-schema.js';

/** A table of one relation: column, type, meaning; longer meanings go on as notes below it. */
export function renderColumns({ name, columns }: Relation): string {
  const rows = columns.map((column) => ({ code: column.name, type: column.type, text: explainColumn(name, column) }));
  return renderWithNotes(['column', 'type', 'meaning'], rows);
}

/** A table of functions: name, and what it is for. */
export function renderFunctions(
  functions: readonly { readonly name: string; readonly comment: string | null }[],
): string {
  const rows = functions.map(({ name, comment }) => ({
    code: name,
    text: comment ?? FUNCTION_TEXTS[name] ?? missing(name),
  }));
  return renderWithNotes(['function', 'for'], rows);
}

const explainColumn = (relation: string, { name, comment }: SchemaColumn): string =>
  comment ?? COLUMN_TEXTS[relation]?.[name] ?? missing(`${relation}.${name}`);

function missing(name: string): never {
  throw new Error(`scripts/docs/column-texts.ts does not explain ${name}`);
}

interface Row {
  readonly code: string;
  readonly type?: string;
  readonly text: string;
}

function renderWithNotes(headings: readonly string[], rows: readonly Row[]): string {
  const split = rows.map((row) => ({ ...row, ...splitCell(row.text) }));
  const table = renderMarkdownTable(
    headings,
    split.map(({ code, type, cell }) => [`\`${code}\``, ...(type === undefined ? [] : [type]), cell]),
  );
  const notes = split.flatMap(({ code, rest }) => (rest === undefined ? [] : [`- \`${code}\`: ${rest}`]));
  return notes.length === 0 ? table : `${table}\n\n${notes.join('\n')}`;
}
