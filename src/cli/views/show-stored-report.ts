// `plans show` for people and for programs: the plan, who approved it, and its result. The orgs that its run left out
// are listed only on request.

import type { PlanOutcome, PlanReport } from '../../domain/plan/plan-report.js';
import type { ApprovalRow, LoadedReport, StaleOrg } from '../../engine/plan/load-stored-report.js';
import { showName } from '../../kernel/printable.js';
import { showInstant, showOrgs } from '../terminal/numbers.js';
import type { Paint } from '../terminal/paint.js';
import { indent, layOutTable, right } from '../terminal/table.js';
import { listChanges, showChanges } from './show-org-changes.js';
import { describeSkipped, listOutcome, outcomeDocument } from './show-outcome.js';
import { planDocument, showPlan } from './show-plan.js';
import { showApprovalState } from './show-plans.js';

export function showStoredReport(stored: LoadedReport, paint: Paint, width: number): string {
  const { report, madeAt, approvals, outcome, stale } = stored;
  return [
    showPlan(report, width, paint),
    '',
    `  Made ${showInstant(madeAt, report.zone)} by ${showName(report.author)}`,
    `  Approval: ${showApprovalOf(approvals[0])}`,
    ...(outcome === null ? ['  Not applied'] : showOutcome(outcome, report, width)),
    ...(stale === null ? [] : showStale(stale, width)),
  ].join('\n');
}

function showApprovalOf(approval: ApprovalRow | undefined): string {
  if (approval === undefined) return 'none';
  const by = approval.voidedBy === null ? '' : `by ${showName(approval.voidedBy)}: `;
  const why = approval.voidReason === null ? '' : ` (${by}${approval.voidReason})`;
  return `${showApprovalState(approval)}${why}, given by ${approval.approver === null ? 'its guard-rails' : showName(approval.approver)} ${showInstant(approval.approvedAt)}`;
}

const OUTCOME = [{ title: 'PREDICTED AGAINST ACTUAL' }, right('PREDICTED'), right('ACTUAL'), right('ERROR')];

function showOutcome(outcome: PlanOutcome, { counts, zone }: PlanReport, width: number): readonly string[] {
  const table = layOutTable(OUTCOME, listOutcome(outcome, counts.quarantined), width - 2);
  return [`  Run ${outcome.runId}: ${outcome.state}`, '', ...indent(table), ...indent(describeSkipped(outcome, zone))];
}

const STALE = [{ title: 'STALE ORG' }, { title: 'WHY' }, { title: 'SINCE' }, { title: 'WHAT CHANGED' }];

function showStale({ orgs, listed }: NonNullable<LoadedReport['stale']>, width: number): readonly string[] {
  if (orgs === 0) return ['', '  No org was stale.'];
  const table = layOutTable(STALE, listed.map(toStaleRow), width - 2);
  const left = orgs - listed.length;
  return ['', ...indent(table), ...(left === 0 ? [] : [`  … ${showOrgs(left)} more: --json has all`])];
}

const toStaleRow = ({ orgId, reason, planned, found, settled }: StaleOrg): readonly string[] => [
  orgId,
  reason,
  settled ?? 'left out',
  showChanges(listChanges(planned ?? {}, found ?? {})),
];

/** `files`: the paths of the report that was written. */
export function storedReportDocument(
  { report, madeAt, approvals, outcome, stale }: LoadedReport,
  files: readonly string[],
): Readonly<Record<string, unknown>> {
  return {
    ...planDocument(report),
    madeAt,
    approvals,
    outcome: outcomeDocument(outcome),
    staleOrgs: stale?.listed ?? null,
    files,
  };
}
