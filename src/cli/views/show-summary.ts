// The end of a rollout in one table: the result of every data center.
import { formatDuration } from '../../domain/time/duration.js';
import type { DataCenterStatus, Status } from '../../engine/operate/read-status.js';
import { showChange, showCount } from '../terminal/numbers.js';
import type { Paint } from '../terminal/paint.js';
import { describeLeftOut, indent, layOutRows, layOutTable, right } from '../terminal/table.js';
import { findIcon, nameWord, showSplit } from './show-state.js';

/** Two tables: what was done, and what came of it. */
export function showSummary(
  status: Status,
  dataCenters: readonly string[],
  { paint, width }: { readonly paint: Paint; readonly width: number },
): string {
  const shown = status.dataCenters.filter(({ id }) => dataCenters.includes(id));
  const table = layOutRows(COLUMNS, shown.map(toRow), width - 2);
  const rows = shown.flatMap((dc, index) => {
    const { icon, tone } = findIcon(nameWord(dc));
    const [first = '', ...others] = table.rows[index] ?? [];
    return [`${paint(icon, tone)} ${first}`, ...indent(others)];
  });
  const split = shown.flatMap(({ id, duration }) =>
    duration === null ? [] : [`  ${id}, since it was requested: ${showSplit(duration)}`],
  );
  const credits = layOutTable(CREDITS, shown.map(toCreditsRow), width - 2);
  return [
    ...indent(table.titles).map((line) => paint(line, 'bold')),
    ...rows,
    ...indent(describeLeftOut(table.leftOut, width - 2)),
    ...showLegend(shown),
    '',
    ...indent(credits).map((line, index) => (index === 0 ? paint(line, 'bold') : line)),
    CREDITS_LEGEND,
    ...split,
  ].join('\n');
}

/** What a rollout found would fall has not fallen; what an undo took back has. */
function showLegend(shown: readonly DataCenterStatus[]): readonly string[] {
  const undone = shown.filter(isOfUndo);
  const all = undone.length === shown.length;
  const where = all ? '' : ` in ${undone.map(({ id }) => id).join(', ')}`;
  return [
    ...(all ? [] : ['  FALLS: orgs whose number would fall; they keep it until the nightly run.']),
    ...(undone.length === 0 ? [] : [`  FALLS${where}: orgs whose number fell by the undo.`]),
    '  WRONG: allotments that break the rule, as the verification found.',
  ];
}

/** Its numbers are those of an undo. */
const isOfUndo = ({ stage, undoFailed }: DataCenterStatus): boolean =>
  stage === 'undone' || stage === 'undoing' || undoFailed;

const CREDITS_LEGEND = '  LEGACY KEPT: orgs whose old number is the higher one. CREDITS: a day, of all allotments.';

const COLUMNS = [
  { title: 'DC' },
  { title: 'STAGE' },
  right('ORGS', 2),
  right('WRITTEN'),
  right('SAME', 4),
  right('FALLS', 3),
  right('QUARANTINED'),
  right('WRONG'),
  right('TOOK', 1),
];

const CREDITS = [
  { title: 'DC' },
  right('LEGACY KEPT', 1),
  right('CREDITS BEFORE'),
  right('CREDITS AFTER'),
  right('CHANGE'),
];

/** Sums over all allotments of the data center, once every range is verified. */
function toCreditsRow({ id, progress }: DataCenterStatus): readonly string[] {
  if (progress === null || progress.verified < progress.batches) return [id, '–', '–', '–', '–'];
  const { legacyWins, beforeCredits, afterCredits } = progress;
  return [
    id,
    showCount(legacyWins),
    showCount(beforeCredits),
    showCount(afterCredits),
    showChange(beforeCredits, afterCredits),
  ];
}

function toRow(dc: DataCenterStatus): readonly string[] {
  const { progress, lastRun } = dc;
  if (progress === null) return [dc.id, nameWord(dc), ...Array.from({ length: COLUMNS.length - 2 }, () => '–')];
  const took = lastRun?.endedAt ? formatDuration(lastRun.endedAt.getTime() - lastRun.openedAt.getTime()) : '–';
  return [
    dc.id,
    nameWord(dc),
    showCount(progress.orgsDone),
    showCount(progress.inserted + progress.raised),
    showCount(isOfUndo(dc) ? progress.unchanged : progress.unchanged - progress.falls),
    showCount(progress.falls),
    showCount(progress.quarantined),
    showCount(progress.mismatches),
    took,
  ];
}
