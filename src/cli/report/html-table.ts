// A table with a caption and header cells, for eyes, paper and screen readers. Knows nothing of what it holds.

import { html, type Markup } from '../../kernel/html.js';
import type { Column } from '../terminal/table.js';

type Cell = string | Markup;
const SHORT = 4;

/** The first cell of each row heads it. */
export function renderTable(caption: string, columns: readonly Column[], rows: readonly (readonly Cell[])[]): Markup {
  // a few columns over the whole width would be too far apart to be read as one row
  const width = columns.length <= SHORT ? html` class="short"` : html``;
  return html`<div class="wide"><table${width}>
<caption>${caption}</caption>
<thead><tr>${columns.map(({ title, align }) => html`<th scope="col"${alignment(align)}>${title}</th>`)}</tr></thead>
<tbody>
${rows.map((row) => html`<tr>${row.map((cell, index) => renderCell(cell, index, columns[index]?.align))}</tr>\n`)}</tbody>
</table></div>
`;
}

const renderCell = (cell: Cell, index: number, align: Column['align']): Markup =>
  index === 0 ? html`<th scope="row"${alignment(align)}>${cell}</th>` : html`<td${alignment(align)}>${cell}</td>`;

const alignment = (align: Column['align']): Markup => (align === 'right' ? html` class="number"` : html``);
