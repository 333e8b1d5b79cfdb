// Half-open key ranges as SQL. Ids are text in here and compared only by their cell.

/** [lowerId, upperId); null is open. */
export interface KeyRange {
  readonly lowerId: string | null;
  readonly upperId: string | null;
}

/** A condition on `column` that Postgres can use with an index: an open end adds nothing. */
export function withinRange(
  range: KeyRange,
  column = 'org_id',
): { readonly sql: string; readonly bindings: readonly string[] } {
  const ends = [
    { sql: `${column} >= ?::credit_rollout.org_id`, id: range.lowerId },
    { sql: `${column} < ?::credit_rollout.org_id`, id: range.upperId },
  ].flatMap(({ sql, id }) => (id === null ? [] : [{ sql, id }]));
  return { sql: ['true', ...ends.map((end) => end.sql)].join(' and '), bindings: ends.map((end) => end.id) };
}

const END = (order: 'asc' | 'desc'): string =>
  `(select e.org_id from credit_rollout.allotments e order by e.org_id ${order} limit 1)`;

/**
 * The same condition on allotments, whose statistics are old while a run fills them. There an open end would count as a
 * third of the table, and Postgres would scan all of it: each open end gets the table's own, which changes nothing else.
 */
export function withinStored(
  range: KeyRange,
  column = 'org_id',
): { readonly sql: string; readonly bindings: readonly string[] } {
  const { sql, bindings } = withinRange(range, column);
  if ((range.lowerId === null && range.upperId === null)) return { sql, bindings };
  const lower = range.lowerId === null ? ` and ${column} >= ${END('asc')}` : '';
  const upper = range.upperId === null ? ` and ${column} <= ${END('desc')}` : '';
  return { sql: `${sql}${lower}${upper}`, bindings };
}
