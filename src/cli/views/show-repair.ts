// A repair for people: what is put back of which org. Orgs are shown only to the person who runs the command.

import type { EditedOrg, RepairReport } from '../../engine/operate/repair.js';
import { showName } from '../../kernel/printable.js';
import { showCount, showOrgs } from '../terminal/numbers.js';
import { indent, layOutTable, right } from '../terminal/table.js';

export function showRepair(report: RepairReport, next: string, width: number): string {
  const { dataCenter, state, repairId, author, approver, reason, mismatches, orgs } = report;
  if (state === 'nothing') return `✔ ${dataCenter}: no allotment breaks the rule; nothing to repair\nNext: ${next}`;
  const falls = orgs.filter(({ lowers }) => lowers).length;
  const left = mismatches - orgs.length;
  return [
    `${state === 'applied' ? '✔' : '·'} ${repairId ?? dataCenter}: ${TITLES[state]} of ${showOrgs(orgs.length)}`,
    ...(author === null
      ? []
      : [
          `    proposed by ${showName(author)}${approver === null ? '' : `, approved by ${showName(approver)}`}: ${reason}`,
        ]),
    ...indent(indent(layOutTable(COLUMNS, orgs.map(toRow), width - 4))),
    ...(left > 0 ? [`    ${showOrgs(left)} more break the rule: repeat this afterwards`] : []),
    ...listRemarks(state, falls),
    `Next: ${next}`,
  ].join('\n');
}

const TITLES = {
  dry_run: 'would put back the allotments',
  proposed: 'is to put back the allotments',
  applied: 'has put back the allotments',
} as const;

const COLUMNS = [
  { title: 'ORG' },
  right('TOTAL STORED'),
  right('TOTAL PUT BACK'),
  right('FLOOR STORED', 2),
  right('FLOOR PUT BACK', 1),
  { title: '' },
];

const toRow = ({ orgId, lowers, ...org }: EditedOrg): readonly string[] => [
  showName(orgId),
  showCount(org.storedTotal),
  showCount(org.targetTotal),
  org.storedFloor === null ? 'none' : showCount(org.storedFloor),
  org.targetFloor === null ? 'none' : showCount(org.targetFloor),
  lowers ? 'falls' : '',
];

function listRemarks(state: Exclude<RepairReport['state'], 'nothing'>, falls: number): readonly string[] {
  if (state === 'applied') return ['It is written and verified.'];
  const second = falls === 0 ? [] : [`${showOrgs(falls)} that pay would fall: a second person must approve it.`];
  return [...second, 'Nothing was changed.'];
}
