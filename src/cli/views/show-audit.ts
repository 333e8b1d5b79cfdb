// `audit` for people and for a spreadsheet: one line per entry, the oldest first.
import type { readAudit } from '../../engine/operate/read-audit.js';
import { formatCsv } from '../../kernel/csv.js';
import { showInstant } from '../terminal/numbers.js';
import { layOutTable } from '../terminal/table.js';

type AuditRows = Awaited<ReturnType<typeof readAudit>>;

export function showAudit(rows: AuditRows): string {
  if (rows.length === 0) return 'The audit has no entries yet.';
  const lines = layOutTable(
    [
      { title: 'AT' },
      { title: 'WHO' },
      { title: 'WHAT' },
      { title: 'DC' },
      { title: 'RUN', align: 'right' },
      { title: 'WHY' },
    ],
    rows
      .toReversed()
      .map((row) => [
        showInstant(row.at),
        row.actor,
        showAction(row),
        row.dataCenter ?? '',
        row.runId ?? '',
        row.reason ?? '',
      ]),
  );
  return lines.join('\n');
}

/** One line per entry, the oldest first; `details` as JSON. */
export const auditCsv = (rows: AuditRows): string =>
  formatCsv([
    ['seq', 'at', 'actor', 'action', 'data_center', 'run_id', 'epoch', 'reason', 'details'],
    ...rows
      .toReversed()
      .map(({ seq, at, actor, action, dataCenter, runId, epoch, reason, details }) => [
        ...[seq, at, actor, action, dataCenter, runId, epoch, reason],
        JSON.stringify(details),
      ]),
  ]);

function showAction({ action, details }: AuditRows[number]): string {
  const { from, to, failure } = details;
  if (typeof from !== 'string' || typeof to !== 'string') return action;
  return `${from} → ${to}${typeof failure === 'string' ? ` (${failure})` : ''}`;
}
