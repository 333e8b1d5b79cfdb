// `plans diff` for people and for programs: how many orgs get another result and why, and the largest changes by org.

import type { ComparedPlan, DifferenceSum, DifferentOrg, PlanDifference } from '../../engine/plan/diff-plans.js';
import { showName } from '../../kernel/printable.js';
import { showCount, showInstant } from '../terminal/numbers.js';
import { indent, layOutTable, right } from '../terminal/table.js';
import { showSigned } from './plan-words.js';
import { listChanges, showChanges } from './show-org-changes.js';

export function showPlanDiff(difference: PlanDifference, width: number): string {
  const { from, to, same, moved, largest, changed } = difference;
  return [
    `${from.planId} → ${to.planId}`,
    ...[from, to].map(showPlanLine),
    ...(from.cardHash === to.cardHash ? [] : ['  The rate cards differ.']),
    '',
    ...indent(layOutTable(SUMS, listRows(difference), width - 2)),
    ...(moved === 0
      ? []
      : [
          `  ${showCount(moved)} of the ${showCount(same)} same ones are written by only one of the plans, as after an apply`,
        ]),
    ...(largest.length === 0 ? [] : ['', ...indent(layOutTable(ORGS, largest.map(toOrgRow), width - 2))]),
    ...(largest.length < changed.orgs
      ? [`  … ${showCount(changed.orgs - largest.length)} more, each with the same or a smaller change`]
      : []),
  ].join('\n');
}

const showPlanLine = ({ planId, orgs, madeAt, author, cardHash }: ComparedPlan): string =>
  `  ${planId}: ${showCount(orgs)} orgs, made ${showInstant(madeAt)} by ${showName(author)}, rate card ${cardHash}`;

const SUMS = [{ title: '' }, right('ORGS'), right('CREDITS BEFORE'), right('AFTER'), right('CHANGE')];

function listRows({ same, appeared, vanished, changed, causes }: PlanDifference): readonly (readonly string[])[] {
  return [
    ['the same', showCount(same)],
    toSumRow('only in the second', appeared),
    toSumRow('only in the first', vanished),
    toSumRow('changed', changed),
    ...causes.map((cause) => toSumRow(`  ${cause.causes.join(' + ')}`, cause)),
  ];
}

const toSumRow = (what: string, { orgs, before, after }: DifferenceSum): readonly string[] => [
  what,
  showCount(orgs),
  showCount(before),
  showCount(after),
  showSigned(BigInt(after) - BigInt(before)),
];

const ORGS = [{ title: 'ORG' }, right('CHANGE'), { title: 'WHY' }, { title: 'WHAT CHANGED' }];

const toOrgRow = (org: DifferentOrg): readonly string[] => [
  showName(org.orgId),
  showSigned(changeOf(org)),
  org.causes.join(' + '),
  showChanges(listChanges(org.from, org.to)),
];

/** An undecidable org has no total. */
const changeOf = ({ from, to }: DifferentOrg): bigint =>
  BigInt(to.total_credits ?? 0) - BigInt(from.total_credits ?? 0);

export function planDiffDocument(difference: PlanDifference): Readonly<Record<string, unknown>> {
  const { largest, appeared, vanished, changed, causes, ...rest } = difference;
  return {
    ...rest,
    appeared: nameSums(appeared),
    vanished: nameSums(vanished),
    changed: nameSums(changed),
    causes: causes.map(nameSums),
    largest: largest.map((org) => ({
      orgId: org.orgId,
      causes: org.causes,
      change: changeOf(org),
      changes: listChanges(org.from, org.to),
    })),
  };
}

/** Sums have the names that they have in the document of a plan. */
const nameSums = <T extends DifferenceSum>({ before, after, ...rest }: T) => ({
  ...rest,
  beforeCredits: before,
  totalCredits: after,
});
