// Brings what a meter counted into the cell of its orgs. Any order, twice, late or across midnight: the counters are
// absolute, and the cell keeps the larger ones.
import type { DayUsage } from '../../domain/meter/usage.js';
import type { CellDatabase } from '../../stores/cell/cell-database.js';
import { type RecordedUsage, recordUsageDays } from '../../stores/cell/usage/usage-days.js';

/** Rows in one transaction: none of them holds a row for long. */
const ROWS_PER_PART = 10_000;
const STATEMENT_MS = 30_000;

/** Returns what was not written, and how many reached a threshold. What a failed part leaves comes the next time. */
export async function recordUsage(cell: CellDatabase, days: readonly DayUsage[]): Promise<RecordedUsage> {
  const sums = { rejected: 0, alerts80: 0, alerts100: 0 };
  for (let from = 0; from < days.length; from += ROWS_PER_PART) {
    const part = days.slice(from, from + ROWS_PER_PART);
    const recorded = await cell.inTransaction('meter', (tx) => recordUsageDays(tx, part), {
      statementMs: STATEMENT_MS,
    });
    sums.rejected += recorded.rejected;
    sums.alerts80 += recorded.alerts80;
    sums.alerts100 += recorded.alerts100;
  }
  return sums;
}
