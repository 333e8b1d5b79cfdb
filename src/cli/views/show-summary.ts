// The end of a rollout in one table: the result of every data center.
import { formatDuration } from '../../domain/time/duration.js';
import type { DataCenterStatus, RunProgress, Status } from '../../engine/operate/read-status.js';
import { showChange, showCount } from '../terminal/numbers.js';
import type { Paint } from '../terminal/paint.js';
import { layOutTable, right } from '../terminal/table.js';
import { findIcon, nameWord } from './show-state.js';

export function showSummary(status: Status, dataCenters: readonly string[], paint: Paint): string {
  const shown = status.dataCenters.filter(({ id }) => dataCenters.includes(id));
  const [titles = '', ...lines] = layOutTable(COLUMNS, shown.map(toRow));
  const rows = shown.map((dc, index) => {
    const { icon, tone } = findIcon(nameWord(dc));
    return `${paint(icon, tone)} ${lines[index] ?? ''}`;
  });
  return [paint(`  ${titles}`, 'bold'), ...rows, LEGEND].join('\n');
}

const LEGEND =
  '  Of all its allotments: LEGACY, where the old number wins and is kept; BEFORE and AFTER, credits a day.\n  FALLS: would fall, left as they are for the nightly run. WRONG: what the verification found.';

const COLUMNS = [
  { title: 'DC' },
  { title: 'STAGE' },
  right('ORGS'),
  right('WRITTEN'),
  right('SAME'),
  right('FALLS'),
  right('QUARANTINED'),
  right('LEGACY'),
  right('BEFORE'),
  right('AFTER'),
  right('CHANGE'),
  right('WRONG'),
  right('TOOK'),
];

/** Sums over all allotments of the data center, once every range is verified. */
function describeCredits({ verified, batches, ...sums }: RunProgress): readonly string[] {
  if (verified < batches) return ['–', '–', '–', '–'];
  const { legacyWins, beforeCredits, afterCredits } = sums;
  return [
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
    showCount(progress.unchanged - progress.falls),
    showCount(progress.falls),
    showCount(progress.quarantined),
    ...describeCredits(progress),
    showCount(progress.mismatches),
    took,
  ];
}
