// An override for people: what it changes of one org's row, who proposed and who approved it. Its org is shown only to
// the person who runs the command.

import type { OverrideReport } from '../../engine/org/override-proposals.js';
import { showName } from '../../kernel/printable.js';
import { showCount } from '../terminal/numbers.js';
import { layOutTable } from '../terminal/table.js';

export function showOverride(report: OverrideReport, next: string, width: number): string {
  const { overrideId, orgId, dataCenter, before, floor, state, author, approver, reason } = report;
  const done = state === 'applied';
  const table = layOutTable(
    [
      { title: '' },
      { title: done ? 'BEFORE' : 'NOW', align: 'right' },
      { title: done ? 'NOW' : 'THEN', align: 'right' },
    ],
    report.changes.map(({ column, from, to }) => [column, showValue(from), showValue(to)]),
    width - 4,
  );
  return [
    `${done ? '✔' : '·'} ${overrideId}: floor of org ${showName(orgId)} in ${dataCenter}, ${showValue(before.floor)} → ${showValue(floor)}`,
    `    proposed by ${showName(author)}${approver === null ? '' : `, approved by ${showName(approver)}`}: ${reason}`,
    '',
    ...table.map((line) => `    ${line}`),
    '',
    ...describeNoEffect(report),
    done ? 'It is applied and verified.' : 'Nothing is changed until a second person approves it.',
    `Next: ${next}`,
  ].join('\n');
}

/** A floor that changes nothing today must not look like credits. */
export function describeNoEffect({ before, after }: Pick<OverrideReport, 'before' | 'after'>): readonly string[] {
  if (before.totalCredits !== after.totalCredits) return [];
  const stays = `⚠ Its credits stay ${showCount(after.totalCredits)} a day: `;
  const why = after.paid
    ? 'without the floor it would have at least as much.'
    : 'it does not pay, and a floor counts only while an org pays. To give it more, change what it buys.';
  return [stays + why];
}

const showValue = (value: string | boolean | number | bigint | null): string => {
  if (value === null) return 'none';
  return typeof value === 'bigint' ? showCount(value) : String(value);
};

export function overrideDocument(report: OverrideReport, next: string): Readonly<Record<string, unknown>> {
  return { ...report, next };
}
