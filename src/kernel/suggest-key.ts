// "Did you mean": the known key nearest to a mistyped one. Never guesses when nothing is near.

/** The known key within a third of its length in edits (at least one), ignoring case; undefined when none is near. */
export function suggestKey(typed: string, known: readonly string[]): string | undefined {
  const near = known
    .map((key) => ({ key, edits: countEdits(typed.toLowerCase(), key.toLowerCase()) }))
    .filter(({ key, edits }) => edits <= Math.max(1, Math.floor(key.length / 3)))
    .sort((one, other) => one.edits - other.edits);
  return near[0]?.key;
}

/** Levenshtein distance, one row at a time. */
function countEdits(from: string, to: string): number {
  const start = Array.from({ length: to.length + 1 }, (_, column) => column);
  const last = [...from].reduce((row, letter, line) => nextRow(row, letter, to, line + 1), start);
  return last.at(-1) ?? from.length;
}

function nextRow(above: readonly number[], letter: string, to: string, line: number): number[] {
  const row = [line];
  for (let column = 1; column <= to.length; column += 1) {
    const replaced = (above[column - 1] ?? 0) + (letter === to[column - 1] ? 0 : 1);
    row.push(Math.min(replaced, (above[column] ?? 0) + 1, (row[column - 1] ?? 0) + 1));
  }
  return row;
}
