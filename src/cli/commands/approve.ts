// `approve`: a second person's word on a plan or an override. A plan is only released; an override is applied at once.
import type { Command } from 'commander';
import { findDataCenter, type Program } from '../../compose.js';
import { type OverrideId, parseOverrideId } from '../../domain/plan/override-id.js';
import { approveOverride } from '../../engine/approve-override.js';
import { approvePlan } from '../../engine/approve-plan.js';
import type { CliSession, Execute } from '../cli-session.js';
import { approvalDocument, showApproval } from '../show-approval.js';
import { overrideDocument, showOverride } from '../show-override.js';
import { withProgram } from '../with-program.js';

export function registerApprove(cli: Command, execute: Execute): void {
  cli
    .command('approve')
    .description('approve a plan, or an override, that somebody else made')
    .argument('<id>', 'a plan such as in-7, or an override such as in-o3')
    .action((id: string) =>
      execute((session) =>
        withProgram(session, {}, (program) => {
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
  const next = session.commands.show(`apply --dc ${outcome.plan.dataCenter} --plan ${planId} --execute`);
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
