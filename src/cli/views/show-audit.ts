// `audit` for people and for a spreadsheet: one line per entry, the oldest first.
import type { AuditList } from '../../engine/operate/read-audit.js';
import { formatCsv } from '../../kernel/csv.js';
import { showCount, showUtc } from '../terminal/numbers.js';
import { layOutTable } from '../terminal/table.js';
import { toJson } from '../terminal/to-json.js';

/** `older`: the command that shows older entries too. */
export function showAudit({ entries, more }: AuditList, older: string, width: number): string {
  if (entries.length === 0) return 'The audit has no such entries.';
  const lines = layOutTable(
    COLUMNS,
    entries
      .toReversed()
      .map((row) => [
        showUtc(row.at),
        row.actor,
        showAction(row),
        row.dataCenter ?? '',
        row.runId ?? '',
        row.reason ?? '',
      ]),
    width,
  );
  return [...(more ? [showMore(entries.length, older)] : []), ...lines].join('\n');
}

/** Before the table: the entries that are left out are older than its first. */
export const showMore = (shown: number, older: string): string =>
  `The newest ${showCount(shown)} entries; there are older ones. To see more: ${older}`;

const COLUMNS = [
  { title: 'AT (UTC)' },
  { title: 'WHO' },
  { title: 'WHAT' },
  { title: 'DC' },
  { title: 'RUN', align: 'right', rank: 1 },
  { title: 'WHY' },
] as const;

/** One line per entry, the oldest first; `details` as JSON. */
export const auditCsv = ({ entries }: AuditList): string =>
  formatCsv([
    ['seq', 'at', 'actor', 'action', 'data_center', 'run_id', 'epoch', 'reason', 'details'],
    ...entries
      .toReversed()
      .map(({ seq, at, actor, action, dataCenter, runId, epoch, reason, details }) => [
        ...[seq, at, actor, action, dataCenter, runId, epoch, reason],
        JSON.stringify(toJson(details)),
      ]),
  ]);

/** What an entry is about, by its key in the details: as a person names it. */
const OBJECTS = [
  'change',
  'plan',
  'override',
  'repair',
  'postponement',
  'reversal',
  'falls',
  'adoption',
  'webhook',
  'cut',
];

const showValue = (value: unknown): string =>
  value === undefined ? '?' : typeof value === 'string' ? value : value === null ? 'none' : JSON.stringify(value);

function showAction({ action, details }: AuditList['entries'][number]): string {
  const { from, to, failure, setting } = details;
  if (typeof setting === 'string') return `${action} ${setting} ${showValue(from)} → ${showValue(to)}`;
  if (action === 'transition' && typeof from === 'string' && typeof to === 'string')
    return `${from} → ${to}${typeof failure === 'string' ? ` (${failure})` : ''}`;
  const object = OBJECTS.map((key) => details[key]).find((value) => typeof value === 'string');
  return object === undefined ? action : `${action} ${object}`;
}
