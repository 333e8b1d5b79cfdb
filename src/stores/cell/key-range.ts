// Half-open key ranges as SQL. Ids are text in here and compared only by their cell.
import type { SqlValues } from '../query.js';

/** [lowerId, upperId); null is open. With a list, only its orgs. */
export interface KeyRange {
  readonly lowerId: string | null;
  readonly upperId: string | null;
  readonly onlyIds?: readonly string[] | null;
}

/**
 * A condition on `column` that Postgres can use with an index: an open end adds nothing. Its names are the same for
 * every column.
 */
export function rangeCondition(
  range: KeyRange,
  column = 'org_id',
): { readonly sql: string; readonly values: SqlValues } {
  const { lowerId, upperId, onlyIds } = range;
  const parts = [
    lowerId !== null && `${column} >= :lower_id::credit_rollout.org_id`,
    upperId !== null && `${column} < :upper_id::credit_rollout.org_id`,
    onlyIds != null && `${column} = any (:only_ids::credit_rollout.org_id[])`,
  ].filter((part) => part !== false);
  return {
    sql: ['true', ...parts].join(' and '),
    values: {
      ...(lowerId !== null && { lower_id: lowerId }),
      ...(upperId !== null && { upper_id: upperId }),
      ...(onlyIds != null && { only_ids: onlyIds }),
    },
  };
}

const END = (order: 'asc' | 'desc'): string =>
  `(select e.org_id from credit_rollout.allotments e order by e.org_id ${order} limit 1)`;

/**
 * The same condition on allotments, whose statistics are old while a run fills them. There an open end would count as a
 * third of the table, and Postgres would scan all of it: each open end gets the table's own, which changes nothing
 * else.
 */
export function storedRangeCondition(
  range: KeyRange,
  column = 'org_id',
): { readonly sql: string; readonly values: SqlValues } {
  const { sql, values } = rangeCondition(range, column);
  if ((range.lowerId === null && range.upperId === null) || range.onlyIds != null) return { sql, values };
  const lower = range.lowerId === null ? ` and ${column} >= ${END('asc')}` : '';
  const upper = range.upperId === null ? ` and ${column} <= ${END('desc')}` : '';
  return { sql: `${sql}${lower}${upper}`, values };
}
