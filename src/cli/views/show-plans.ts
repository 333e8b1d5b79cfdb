// `plans` for people and for programs: one line each, the newest first. Counts only.

import type { ListedPlan, PlanList } from '../../engine/plan/list-plans.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showChange, showCount, showInstant, showUtc } from '../terminal/numbers.js';
import { layOutTable, right } from '../terminal/table.js';

const COLUMNS = [
  { title: 'PLAN' },
  { title: 'MADE (UTC)' },
  { title: 'BY', rank: 2 },
  right('ORGS', 4),
  right('WRITES'),
  right('CHANGE', 3),
  { title: 'RAILS', rank: 1 },
  { title: 'APPROVAL' },
  { title: 'LED TO' },
  { title: '' },
];

/** `older`: the command that lists older ones too. */
export function showPlans(
  { plans, more, unreachable }: PlanList,
  { commands, older, width }: { readonly commands: CommandNames; readonly older: string; readonly width: number },
): string {
  return [
    ...(plans.length === 0 ? ['No plans.'] : layOutTable(COLUMNS, plans.map(toRow), width)),
    ...(more ? [`… there are older ones. To see more: ${older}`] : []),
    ...unreachable.map(
      ({ dataCenter, code }) =>
        `! ${dataCenter}: its cell cannot be read (${code}); its plans are shown as the control database knows them${code === 'not_initialised' ? `. Run: ${commands.show('init')}` : ''}`,
    ),
  ].join('\n');
}

const FOUND: Readonly<Record<ListedPlan['found'], string>> = {
  cell: '',
  control: 'no longer in its cell',
  unreadable: 'cell not readable',
};

const toRow = (plan: ListedPlan): readonly string[] => [
  plan.planId,
  showUtc(plan.madeAt),
  plan.author,
  showCount(plan.counts.orgs),
  showCount(plan.counts.touched),
  showChange(plan.counts.before, plan.counts.after),
  plan.insideRails ? 'inside' : 'outside',
  showApprovalState(plan.approval),
  plan.run === null ? '–' : `run ${plan.run.runId}, ${plan.run.state}`,
  FOUND[plan.found],
];

/** `open until …`, `used by run 7`, `voided`, `expired`, `none`. */
export function showApprovalState(approval: ListedPlan['approval']): string {
  if (approval === null) return 'none';
  switch (approval.state) {
    case 'open':
      return `open until ${showInstant(approval.expiresAt)}`;
    case 'used':
      return `used by run ${approval.usedByRun}`;
    default:
      return approval.state;
  }
}

export function plansDocument({ plans, more, unreachable }: PlanList): Readonly<Record<string, unknown>> {
  return { plans: plans.map(toDocument), more, unreachable };
}

function toDocument({ counts, approval, run, ...plan }: ListedPlan): Readonly<Record<string, unknown>> {
  return {
    ...plan,
    orgs: counts.orgs,
    touched: counts.touched,
    beforeCredits: counts.before,
    totalCredits: counts.after,
    approval: approval?.state ?? 'none',
    approvedBy: approval === null ? null : (approval.approver ?? 'guard_rails'),
    expiresAt: approval?.expiresAt ?? null,
    runId: run?.runId ?? null,
    runState: run?.state ?? null,
  };
}
