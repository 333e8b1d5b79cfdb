// What differs between two images of one org, by the names of the columns. Knows nothing of why.
import type { OrgImage } from '../../engine/plan/load-stored-report.js';
import { showCount } from '../terminal/numbers.js';

export interface ColumnChange {
  readonly column: string;
  readonly from: OrgImage[string];
  readonly to: OrgImage[string];
}

/** In the order of the columns; an image without a column has none there. */
export function listChanges(from: OrgImage, to: OrgImage): readonly ColumnChange[] {
  const columns = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort(byPlace);
  return columns
    .map((column) => ({ column, from: from[column] ?? null, to: to[column] ?? null }))
    .filter((change) => change.from !== change.to);
}

// jsonb does not keep the order of its keys
const PLACES = [
  'edition',
  'paid',
  'agents',
  'light_agents',
  'additional_credits',
  'legacy_limit',
  'floor',
  'total_credits',
  'winner',
];
const byPlace = (a: string, b: string): number => PLACES.indexOf(a) - PLACES.indexOf(b);

/** `agents 10 → 12, total_credits 80,000 → 81,000`. */
export const showChanges = (changes: readonly ColumnChange[]): string =>
  changes.map(({ column, from, to }) => `${column} ${showValue(from)} → ${showValue(to)}`).join(', ');

function showValue(value: OrgImage[string]): string {
  if (value === null) return 'none';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return /^-?\d+$/u.test(value) ? showCount(value) : value;
}
