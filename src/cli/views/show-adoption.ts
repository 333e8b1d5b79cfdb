// A moved cell for people: where it was and is, and what it has of the work that control knows.

import type { AdoptionReport } from '../../engine/operate/adopt-cell.js';
import { showName } from '../../kernel/printable.js';

const TITLES = {
  in_place: 'its cell is where it was; there is nothing to adopt',
  dry_run: 'this database would become its cell',
  proposed: 'this database is proposed to become its cell',
  withdrawn: 'the proposal is withdrawn',
  adopted: 'this database is its cell now',
} as const satisfies Record<AdoptionReport['state'], string>;

export function showAdoption(report: AdoptionReport, next: string): string {
  const { dataCenter, state, adoption, author, approver, from, to, stage, epoch } = report;
  const icon = state === 'adopted' || state === 'in_place' ? '✔' : '·';
  const changed = state === 'dry_run' ? ['Nothing was changed.'] : [];
  return [
    `${icon} ${adoption ?? dataCenter}: ${TITLES[state]}`,
    ...(author === null
      ? []
      : [`    proposed by ${showName(author)}${approver === null ? '' : `, approved by ${showName(approver)}`}`]),
    `    from: database ${from.databaseName}, system ${from.systemIdentifier}`,
    `    to:   database ${to.databaseName}, system ${to.systemIdentifier}`,
    ...(report.timelineChanged ? ['    its server has another timeline'] : []),
    ...(report.leftBehind ? ['    another copy was adopted last: this one was left behind'] : []),
    `    stage ${stage}; epoch of its fence ${epoch.cell}, in control ${epoch.control ?? 'none'}`,
    ...listProofs(report),
    ...warnUnfrozen(report),
    ...changed,
    `Next: ${next}`,
  ].join('\n');
}

/** Also one that was upgraded in place is another server: nothing was written beside it. */
function warnUnfrozen({ state, frozen, leftBehind }: AdoptionReport): readonly string[] {
  if (frozen || leftBehind || state === 'in_place' || state === 'withdrawn') return [];
  return [
    '    ⚠ it was not frozen when it was copied: what the old database took after that is not here;',
    '      unless it was stopped for the copy, freeze it, and copy it again',
  ];
}

function listProofs({ epoch, missing, unknownRuns, notVerified }: AdoptionReport): readonly string[] {
  const wrong = [
    ...(epoch.control !== null && epoch.cell < epoch.control
      ? ['its fence is at an older epoch than control has seen: it is an older copy']
      : []),
    ...(missing.runs.length === 0 ? [] : [`runs that control knows and it does not have: ${missing.runs.join(', ')}`]),
    ...(missing.plans.length === 0
      ? []
      : [`plans that control knows and it does not have: ${missing.plans.join(', ')}`]),
    ...(unknownRuns.length === 0
      ? []
      : [`open runs that control does not know: ${unknownRuns.join(', ')}; a scheduler ends them`]),
    ...(notVerified === null ? [] : [`it will be rolled out again by itself: ${notVerified}`]),
  ];
  if (wrong.length === 0) return ['    ✔ it has every run, plan and epoch that control knows'];
  return wrong.map((text) => `    ⚠ ${text}`);
}
