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
