// Finds what somebody probably meant. Only for hints: never to accept a wrong word.

/** The candidate closest to `word`, if it is close enough to be a slip; case, `-` and `_` do not count. */
export function findNearest(word: string, candidates: readonly string[]): string | undefined {
  const plain = simplify(word);
  const limit = Math.max(1, Math.floor(plain.length / 3));
  const [best] = candidates
    .map((candidate) => ({ candidate, distance: editDistance(plain, simplify(candidate)) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance);
  return best?.candidate;
}

function simplify(word: string): string {
  return word.slice(0, 64).toLowerCase().replace(/[-_]/g, '');
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [row, letter] of [...a].entries()) {
    const current = [row + 1];
    for (const [column, other] of [...b].entries()) {
      const replace = (previous[column] ?? 0) + (letter === other ? 0 : 1);
      current.push(Math.min(replace, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

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
