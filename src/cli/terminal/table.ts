// Rows as aligned columns. Knows nothing of what they hold.

/** A column of a table, on the screen or in a report. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** One string per line, the titles first; widths are counted in characters, so colours come after. */
export function layOutTable(columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[] {
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => lengthOf(line[index] ?? ''))));
  return lines.map((line) =>
    columns
      .map(({ align = 'left' }, index) => pad(line[index] ?? '', widths[index] ?? 0, align))
      .join('  ')
      .trimEnd(),
  );
}

/** Each line two characters further in. */
export const indent = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);

const lengthOf = (text: string): number => [...text].length;

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - lengthOf(text)));
  return align === 'left' ? text + space : space + text;
}

/** For numbers. */
export const right = (title: string): Column => ({ title, align: 'right' });
