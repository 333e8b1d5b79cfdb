// An approved plan for people: who gave it, how long it holds, and what the plan does. Counts only.

import type { PlanApproval } from '../../engine/plan/approve-plan.js';
import { showName } from '../../kernel/printable.js';
import { showChange, showCount, showInstant, showOrgs } from '../terminal/numbers.js';
import { layOutTable } from '../terminal/table.js';

export function showApproval(
  { kind, approval, plan, voided, pinnedCard }: PlanApproval,
  next: string,
  width: number,
): string {
  const { counts } = plan;
  const by = approval.approver ?? 'its guard-rails';
  const outside = plan.rails.filter(({ passes }) => !passes);
  return [
    `✔ ${plan.planId}: ${kind === 'given' ? 'approved' : 'approved already'} by ${showName(by)}; planned by ${showName(plan.author)}`,
    `    holds until ${showInstant(approval.expiresAt)}, for one apply of the digest ${approval.digest.slice(0, 12)}`,
    `    writes ${showOrgs(counts.touched)} of ${showCount(counts.orgs)}: ${showCount(counts.first)} first decisions, ${showCount(counts.raises)} raises; total ${showChange(counts.before, counts.after)}`,
    `    by the rate card ${showCard(plan.cardHash, pinnedCard)}`,
    ...(outside.length === 0 ? ['    inside every guard-rail'] : showRails(outside, width)),
    ...voided.map((planId) => `    ${planId}, which is older, can no longer be applied with its approval`),
    `Next: ${next}`,
  ].join('\n');
}

/** An author may plan with a card of their own: whoever approves must see that it is another. */
const showCard = (card: string, pinned: string | null): string =>
  pinned === null || pinned === card
    ? card.slice(0, 12)
    : `${card.slice(0, 12)}, which is another than the one of the first apply (${pinned.slice(0, 12)})`;

function showRails(rails: PlanApproval['plan']['rails'], width: number): readonly string[] {
  const table = layOutTable(
    [{ title: 'OUTSIDE' }, { title: 'VALUE', align: 'right' }, { title: 'LIMIT', align: 'right' }],
    rails.map(({ rail, value, limit }) => [rail, value, limit]),
    width - 4,
  );
  return table.map((line) => `    ${line}`);
}

export function approvalDocument(
  { kind, approval, plan, voided }: PlanApproval,
  next: string,
): Readonly<Record<string, unknown>> {
  const { counts, rails, insideRails, snapshotAt, cardHash } = plan;
  return { ...approval, given: kind === 'given', cardHash, snapshotAt, counts, rails, insideRails, voided, next };
}
