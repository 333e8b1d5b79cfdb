// A table with a caption and header cells, for eyes, paper and screen readers; on a phone a wide one is a list. A
// column in which there is nothing is left out. Knows nothing of what it holds.
import { html, type Markup } from '../../kernel/html.js';
import type { Column } from '../terminal/table.js';

type Cell = string | Markup;
const SHORT = 4;
const NOTHING: readonly Cell[] = ['0', '–', '0 %', ''];

/** The first cell of each row heads it. */
export function renderTable(caption: string, columns: readonly Column[], rows: readonly (readonly Cell[])[]): Markup {
  const shown = columns.map((_, index) => index === 0 || rows.some((row) => !NOTHING.includes(row[index] ?? '')));
  const pick = <T>(list: readonly T[]): readonly T[] => list.filter((_, index) => shown[index]);
  if (shown.filter((one) => one).length === 1) return html`<p>${caption}: none.</p>`;
  return renderFull(caption, pick(columns), rows.map(pick));
}

function renderFull(caption: string, columns: readonly Column[], rows: readonly (readonly Cell[])[]): Markup {
  // a few columns over the whole width would be too far apart to be read as one row
  const form = columns.length <= SHORT ? html` class="short"` : html` class="list"`;
  return html`<div class="wide"><table${form}>
<caption>${caption}</caption>
<thead><tr>${columns.map(({ title, align }) => html`<th scope="col"${alignment(align)}>${title}</th>`)}</tr></thead>
<tbody>
${rows.map((row) => html`<tr>${row.map((cell, index) => renderCell(cell, index, columns[index]))}</tr>\n`)}</tbody>
</table></div>
`;
}

const renderCell = (cell: Cell, index: number, { title, align }: Column = { title: '' }): Markup =>
  index === 0
    ? html`<th scope="row"${alignment(align)}>${cell}</th>`
    : html`<td data-title="${title}"${alignment(align)}>${cell}</td>`;

const alignment = (align: Column['align']): Markup => (align === 'right' ? html` class="number"` : html``);
