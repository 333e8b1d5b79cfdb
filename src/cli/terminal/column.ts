// A column of a table, on the screen or in a report. Knows nothing of what it holds.

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** For numbers. */
export const right = (title: string): Column => ({ title, align: 'right' });
