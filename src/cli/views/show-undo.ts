// An undo for people and for programs: counts, who falls, and what is left as it is. Orgs are shown only to the person
// who runs the command.

import type { UndoneOrg, UndoReport } from '../../engine/undo/preview-undo.js';
import { showName } from '../../kernel/printable.js';
import { showCount, showOrgs } from '../terminal/numbers.js';
import { indent, layOutTable, right } from '../terminal/table.js';

/** `again`: the command that takes back an older run after it. */
export function showUndo(
  report: UndoReport,
  { next, again }: { readonly next: string; readonly again: string },
  width: number,
): string {
  const { dataCenter, state, undoId, undoes, counts } = report;
  if (state === 'nothing') return `✔ ${dataCenter}: nothing to undo\nNext: ${next}`;
  const { author, approver, reason } = report;
  const name = undoId === null ? dataCenter : undoId;
  return [
    `${MARKS[state]} ${name}: ${TITLES[state]} run ${undoes} of ${dataCenter}`,
    ...(author === null ? [] : [`    by ${author}${approver === null ? '' : `, approved by ${approver}`}: ${reason}`]),
    ...(report.digest === null ? [] : [`    digest ${report.digest}`]),
    `    ${showOrgs(counts.deletes)} back to the old model's number, ${showOrgs(counts.restores)} back to what they had before`,
    `    ${showCount(counts.beforeCredits)} credits a day become ${showCount(counts.afterCredits)}`,
    `    ${showOrgs(counts.falls)} fall, ${showCount(counts.paidFalls)} of them paid`,
    ...listOrgs('Paid orgs that fall', report.falling, counts.paidFalls, width),
    `    ${showOrgs(counts.conflicts)} changed since: left as they are`,
    ...listOrgs('Left as they are', report.conflicts, counts.conflicts, width),
    ...listOlder(report, again),
    ...listRemarks(report),
    `Next: ${next}`,
  ].join('\n');
}

const MARKS = { dry_run: '·', proposed: '·', requested: '◷', withdrawn: '✔' } as const;
const TITLES = {
  dry_run: 'an undo would take back',
  proposed: 'is to take back',
  requested: 'takes back',
  withdrawn: 'was withdrawn; it does not take back',
} as const satisfies Record<keyof typeof MARKS, string>;

const COLUMNS = [{ title: 'ORG' }, right('TOTAL'), right('BECOMES'), right('RUN WROTE', 1), { title: 'WHY' }];

function listOrgs(title: string, orgs: readonly UndoneOrg[], all: number, width: number): readonly string[] {
  if (orgs.length === 0) return [];
  return [
    `    ${title}:`,
    ...indent(indent(indent(layOutTable(COLUMNS, orgs.map(toRow), width - 6)))),
    ...(orgs.length < all ? [`      … ${showCount(all - orgs.length)} more: repeat it with --limit ${all}`] : []),
  ];
}

/** What another undo takes back. */
function listOlder({ olderRun, olderOrgs, undoes, counts }: UndoReport, again: string): readonly string[] {
  if (olderRun === null) return [];
  const also = counts.restores === 0 ? '' : ', and those that go back to what they had before';
  return [
    `    ${showOrgs(olderOrgs)} have what runs before ${undoes} wrote${also}: this undo leaves that`,
    `    to take back run ${olderRun} too, after the end of this undo: ${again}`,
  ];
}

const show = (credits: string | null): string => (credits === null ? '–' : showCount(credits));

const toRow = (org: UndoneOrg): readonly string[] => [
  showName(org.orgId),
  showCount(org.totalCredits),
  show(org.becomes),
  show(org.writtenTotal),
  VERDICTS[org.verdict] ?? org.verdict,
];

const VERDICTS: Readonly<Record<string, string>> = {
  delete: 'falls',
  restore: 'falls',
  'sign-up': 'decided after the run',
  return: 'came back after the run',
  gone: 'not in the source now',
  undecidable: 'undecidable now',
};

function listRemarks({ state, counts, possibleUntil, possibleUntilLocal }: UndoReport): readonly string[] {
  const until =
    possibleUntil === null
      ? 'Possible until the cut-over, which has no instant yet.'
      : `Possible until the cut-over: ${possibleUntilLocal ?? possibleUntil.toISOString()}.`;
  if (state === 'requested') return ['A scheduler starts it. Its meter keeps the larger number until the next reset.'];
  if (state === 'withdrawn') return ['Nothing was undone.'];
  const second = counts.paidFalls === 0 ? [] : ['Paid orgs fall: a second person must approve exactly this.'];
  return [until, ...second, 'Nothing was changed.'];
}

export const undoDocument = ({ undoes, olderRun, ...report }: UndoReport, next: string) => ({
  ...report,
  olderRun: olderRun === null ? null : String(olderRun),
  undoes: undoes === null ? null : String(undoes),
  next,
});
