// `approve`: a second person's word on a plan, an override, a postponement or a reversal. A plan is only released; the others are
// applied at once.
import type { Command } from 'commander';
import { findDataCenter, type Program } from '../../compose.js';
import { type PostponementId, parsePostponementId } from '../../domain/cutover/postponement-id.js';
import { parseReversalId, type ReversalId } from '../../domain/cutover/reversal-id.js';
import { type OverrideId, parseOverrideId } from '../../domain/plan/override-id.js';
import { approveOverride } from '../../engine/approve-override.js';
import { approvePlan } from '../../engine/approve-plan.js';
import { approvePostponement } from '../../engine/approve-postponement.js';
import { approveReversal } from '../../engine/approve-reversal.js';
import type { CliSession, Execute } from '../cli-session.js';
import { approvalDocument, showApproval } from '../show-approval.js';
import { postponementDocument, reversalDocument, showPostponement, showReversal } from '../show-cutover.js';
import { overrideDocument, showOverride } from '../show-override.js';
import { withProgram } from '../with-program.js';

export function registerApprove(cli: Command, execute: Execute): void {
  cli
    .command('approve')
    .description('approve a plan, an override, a postponement or a reversal that somebody else made')
    .argument(
      '<id>',
      'a plan such as in-7, an override such as in-o3, a postponement such as in-c3, or a reversal such as in-r2',
    )
    .action((id: string) =>
      execute((session) =>
        withProgram(session, {}, (program) => {
          const postponement = parsePostponementId(id);
          if (postponement !== undefined) return approveOnePostponement(session, program, postponement);
          const reversal = parseReversalId(id);
          if (reversal !== undefined) return approveOneReversal(session, program, reversal);
          const override = parseOverrideId(id);
          return override === undefined
            ? approveOnePlan(session, program, id)
            : approveOneOverride(session, program, override);
        }),
      ),
    );
}

async function approveOnePlan(session: CliSession, program: Program, planId: string): Promise<number> {
  const { reason } = session.options;
  const outcome = await approvePlan(program.engine, { planId, reason });
  const applying = `apply --dc ${outcome.plan.dataCenter} --plan ${planId} --execute`;
  const next = session.commands.show(outcome.awaited ? 'status --watch' : applying);
  session.report(approvalDocument(outcome, next), showApproval(outcome, next));
  return 0;
}

async function approveOneOverride(session: CliSession, program: Program, id: OverrideId): Promise<number> {
  findDataCenter(program.config, id.dataCenter);
  const report = await approveOverride(program.engine, id, session.options.reason);
  const next = session.commands.show(`why ${report.orgId} --dc ${id.dataCenter}`);
  session.report(overrideDocument(report, next), showOverride(report, next));
  return 0;
}

async function approveOnePostponement(session: CliSession, program: Program, id: PostponementId): Promise<number> {
  findDataCenter(program.config, id.dataCenter);
  const moved = await approvePostponement(program.engine, id, session.options.reason);
  const next = session.commands.show(`cutover show --dc ${id.dataCenter}`);
  session.report(postponementDocument(moved, next), `✔ ${showPostponement(moved)}\nNext: ${next}`);
  return 0;
}

async function approveOneReversal(session: CliSession, program: Program, id: ReversalId): Promise<number> {
  findDataCenter(program.config, id.dataCenter);
  const reversed = await approveReversal(program.engine, id, session.options.reason);
  const next = session.commands.show(`cutover show --dc ${id.dataCenter}`);
  session.report(reversalDocument(reversed, next), `✔ ${showReversal(reversed)}\nNext: ${next}`);
  return 0;
}
