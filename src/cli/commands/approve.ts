// `approve`: a second person's approval of a plan, an override, a repair, an undo, a postponement, a reversal, falls
// to accept, a moved cell, a loss of the audit or a change of the policy. An approved plan may be applied; the others
// are applied or requested at once.

import { findDataCenter, type Program } from '../../compose.js';
import { approvePostponement } from '../../engine/cutover/postpone.js';
import { approveReversal } from '../../engine/cutover/reverse.js';
import { approveAuditCut } from '../../engine/operate/accept-audit-cut.js';
import { approveAdoption } from '../../engine/operate/adopt-cell.js';
import { approveRepair } from '../../engine/operate/repair.js';
import { approveOverride } from '../../engine/org/approve-override.js';
import { approvePlan } from '../../engine/plan/approve-plan.js';
import { approveFalls } from '../../engine/reconcile/accept-falls.js';
import { approvePolicyChange } from '../../engine/settings/change-policy.js';
import { approveUndo } from '../../engine/undo/request-undo.js';
import { command, quoteArgument } from '../../kernel/advice.js';
import { withPrintableTexts, withWholeTexts } from '../../kernel/printable.js';
import { type ProposalId, parseChangeId, parseCutId, parseProposalId } from '../../kernel/proposal-id.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { approvalDocument, showApproval } from '../views/show-approval.js';
import { proposalDocument, showProposal } from '../views/show-cutover.js';
import { overrideDocument, showOverride } from '../views/show-override.js';
import { fallsDocument, showFalls } from '../views/show-reconcile.js';
import { changeDocument, nextAfterChange, showPolicyChange } from '../views/show-settings.js';
import { reportCut } from './accept-cut.js';
import { adoptionContext, reportAdoption } from './adopt-cell.js';
import { reportRepair } from './repair.js';
import { reportUndo } from './undo.js';

export function runApprove(session: CliSession, id: string): Promise<number> {
  return withProgram(session, { policy: 'warned' }, (program) => {
    const changeId = parseChangeId(id);
    if (changeId !== undefined) return approveOneChange(session, program, changeId);
    const cutId = parseCutId(id);
    if (cutId !== undefined) return approveOneCut(session, program, cutId);
    const proposal = parseProposalId(id);
    if (proposal === undefined) return approveOnePlan(session, program, id);
    if (proposal.kind === 'falls') return approveOneNight(session, program, proposal);
    if (proposal.kind === 'adoption') return approveOneAdoption(session, program, proposal);
    if (proposal.kind === 'undo') return approveOneUndo(session, program, proposal);
    if (proposal.kind === 'repair') return approveOneRepair(session, program, proposal);
    return proposal.kind === 'override'
      ? approveOneOverride(session, program, proposal)
      : approveOneMove(session, program, proposal);
  });
}

async function approveOnePlan(session: CliSession, program: Program, planId: string): Promise<number> {
  const { reason } = session.options;
  const outcome = await approvePlan(program.engine, { planId, reason });
  const applying = command`apply --dc ${outcome.plan.dataCenter} --plan ${planId} --execute`;
  const next = session.commands.show(outcome.awaited ? command('status --watch') : applying);
  session.report(approvalDocument(outcome, next), showApproval(withPrintableTexts(outcome), next, session.width()));
  return 0;
}

async function approveOneOverride(session: CliSession, program: Program, id: ProposalId<'override'>): Promise<number> {
  findDataCenter(program.config, id.dataCenter);
  const report = await approveOverride(program.engine, id, session.options.reason);
  const next = session.commands.show(command`why ${quoteArgument(report.orgId, 'ORG')} --dc ${id.dataCenter}`);
  session.report(overrideDocument(report, next), showOverride(withPrintableTexts(report), next, session.width()));
  return 0;
}

async function approveOneRepair(session: CliSession, program: Program, id: ProposalId<'repair'>): Promise<number> {
  findDataCenter(program.config, id.dataCenter);
  return reportRepair(session, program, await approveRepair(program.engine, id, session.options.reason));
}

async function approveOneUndo(session: CliSession, program: Program, id: ProposalId<'undo'>): Promise<number> {
  findDataCenter(program.config, id.dataCenter);
  return reportUndo(session, await approveUndo(program.engine, id, session.options.reason));
}

/** Of a cell that was moved. */
async function approveOneAdoption(session: CliSession, program: Program, id: ProposalId<'adoption'>): Promise<number> {
  findDataCenter(program.config, id.dataCenter);
  return reportAdoption(session, await approveAdoption(adoptionContext(program), id, session.options.reason));
}

/** Of what control has lost of its audit. */
async function approveOneCut(session: CliSession, { engine }: Program, cutId: bigint): Promise<number> {
  return reportCut(session, await approveAuditCut(engine, cutId, session.options.reason));
}

/** Of the policy: in force at once. */
async function approveOneChange(session: CliSession, { engine }: Program, changeId: bigint): Promise<number> {
  const applied = await approvePolicyChange(engine, changeId, session.options.reason);
  const next = session.commands.show(nextAfterChange(applied));
  session.report({ ...changeDocument(applied), next }, `✔ ${showPolicyChange(withWholeTexts(applied))}\nNext: ${next}`);
  return 0;
}

/** Of falls beyond the limits of a night. */
async function approveOneNight(session: CliSession, program: Program, id: ProposalId<'falls'>): Promise<number> {
  findDataCenter(program.config, id.dataCenter);
  const approved = await approveFalls(program.engine, id, session.options.reason);
  const next = session.commands.show(command`reconcile --dc ${id.dataCenter} --history`);
  session.report(
    { ...fallsDocument(approved), next },
    `✔ ${showFalls(withPrintableTexts(approved))}\nWhat it did: ${next}`,
  );
  return 0;
}

/** Of a cut-over: to another instant, or back. */
async function approveOneMove(
  session: CliSession,
  { config, engine }: Program,
  id: ProposalId<'postponement' | 'reversal'>,
): Promise<number> {
  findDataCenter(config, id.dataCenter);
  const { reason } = session.options;
  const applied =
    id.kind === 'reversal' ? await approveReversal(engine, id, reason) : await approvePostponement(engine, id, reason);
  const next = session.commands.show(command`cutover show --dc ${id.dataCenter}`);
  session.report(
    { ...proposalDocument(applied), next },
    `✔ ${showProposal(withPrintableTexts(applied))}\nNext: ${next}`,
  );
  return 0;
}
