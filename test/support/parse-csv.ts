// CSV as Postgres writes it, read back: an empty field without quotes is null.

/** The rows of a document whose last line ends with a line feed. */
export function parseCsv(text: string): readonly (readonly (string | null)[])[] {
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  let rest = text;
  while (rest !== '') {
    const quoted = /^"((?:[^"]|"")*)"/u.exec(rest);
    const plain = /^[^,\n]*/u.exec(rest)?.[0] ?? '';
    row.push(quoted ? (quoted[1] ?? '').replaceAll('""', '"') : plain === '' ? null : plain);
    const length = (quoted?.[0] ?? plain).length;
    if (rest[length] === '\n') {
      rows.push(row);
      row = [];
    } else if (rest[length] !== ',') throw new Error(`neither comma nor line end: ${rest.slice(0, 60)}`);
    rest = rest.slice(length + 1);
  }
  return rows;
}
