// CSV that a spreadsheet opens without running anything, whatever separator it expects. One rule, which JavaScript and
// PostgreSQL read alike, because the list of orgs is made by COPY.

/** What a spreadsheet skips before a formula: blanks, controls, quotes. No separator: each begins a cell of its own. */
const SKIPPED = String.raw`[\u0001-\u0008\u000E-\u0020\u0022\u007F-\u00A0\u00AD\u1680\u180E\u2000-\u200F\u2028-\u202F\u205F-\u206F\u3000\uFEFF]*`;
/** Where a cell begins, here or in a spreadsheet that expects another separator. */
const CELL_START = String.raw`(^|[,;|\u0009-\u000D])`;
/** `=`, `+`, `-` and `@`, also as full-width, small and mathematical characters. */
const FORMULA_START = String.raw`([=+@\u2212\uFE62\uFE63\uFE66\uFE6B\uFF0B\uFF0D\uFF1D\uFF20-])`;

/** Finds every place where a formula could begin; `$1'$2$3` makes it a text. */
export const FORMULA = `${CELL_START}(${SKIPPED})${FORMULA_START}`;
/** What some programs skip at the beginning, to find a formula behind it. */
export const LEADING_CONTROL = String.raw`^([\u0009-\u000D])`;
/** A number below zero, which begins as a formula does. */
export const NEGATIVE_NUMBER = String.raw`^-[0-9]+(|\.[0-9]+)$`;

const FORMULAS = new RegExp(FORMULA, 'gu');
const LEADING = new RegExp(LEADING_CONTROL, 'u');
const NEGATIVE = new RegExp(NEGATIVE_NUMBER, 'u');

/** Lines of CSV, each with its end. Null is an empty cell. */
export const formatCsv = (rows: readonly (readonly CsvCell[])[]): string =>
  rows.map((row) => `${row.map(formatCell).join(',')}\n`).join('');

type CsvCell = string | number | bigint | Date | null;

function formatCell(value: CsvCell): string {
  if (value === null) return '';
  const text = value instanceof Date ? value.toISOString() : String(value);
  const inert = NEGATIVE.test(text) ? text : text.replace(FORMULAS, "$1'$2$3").replace(LEADING, "'$1");
  return /[",\r\n]/u.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
