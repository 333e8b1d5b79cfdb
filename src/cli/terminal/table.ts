// Rows as aligned columns, each cell printable and cut. Knows nothing of what they hold.
import { toPrintable } from '../../kernel/printable.js';
import { cutToWidth, displayWidth } from './display-width.js';

/** A column of a table, on the screen or in a report. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** A longer cell is cut: no text of anybody's may fill a screen. In columns of a terminal. */
const MAX_CELL = 160;

/** One string per line, the titles first; colours come after, since in a cell they are characters like any other. */
export function layOutTable(columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[] {
  const cells = rows.map((row) => row.map((cell) => cutToWidth(toPrintable(cell), MAX_CELL)));
  const lines = [columns.map(({ title }) => title), ...cells];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => displayWidth(line[index] ?? ''))));
  return lines.map((line) =>
    columns
      .map(({ align = 'left' }, index) => pad(line[index] ?? '', widths[index] ?? 0, align))
      .join('  ')
      .trimEnd(),
  );
}

/** Each line two characters further in. */
export const indent = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'left' ? text + space : space + text;
}

/** For numbers. */
export const right = (title: string): Column => ({ title, align: 'right' });
