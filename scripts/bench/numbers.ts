// Medians and how numbers are written in a report. Pure.

/** The middle value; of an even number of values the mean of the middle two. NaN for none. */
export function findMedian(values: readonly number[]): number {
  const triaged = [...values].sort((a, b) => a - b);
  const middle = triaged.length / 2;
  const [low = Number.NaN, high = Number.NaN] = [triaged[Math.ceil(middle) - 1], triaged[Math.floor(middle)]];
  return (low + high) / 2;
}

/** `12.3 s` or `45 ms`. */
export const formatMs = (ms: number): string => (ms >= 1_000 ? `${(ms / 1_000).toFixed(2)} s` : `${ms.toFixed(0)} ms`);

export const formatCount = (count: number): string => count.toLocaleString('en');

/** Columns aligned, the first to the left and the rest to the right. */
export function formatTable(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
}
