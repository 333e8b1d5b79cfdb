// `usage`: what the orgs of a data center use, or one of them; and floors that are proposed from it. Names of orgs go
// to this screen only.
import { findDataCenter } from '../../compose.js';
import { describeCosts } from '../../domain/usage/call-costs.js';
import { renderApiDetails } from '../../domain/usage/render-api-details.js';
import { proposeFromUsage } from '../../engine/usage/propose-from-usage.js';
import { readDetails } from '../../engine/usage/read-details.js';
import { readUsage } from '../../engine/usage/read-usage.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { writePrivateFile } from '../../platform/private-file.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import { NOTHING_TO_DO } from '../terminal/exit-code.js';
import type { CliSession } from '../terminal/session.js';
import { showDetails } from '../views/show-details.js';
import { showProposals, showUsage } from '../views/show-usage.js';

export interface UsageFlags {
  readonly dc: string;
  readonly limit: number;
  readonly page?: string;
}

export interface ProposeUsageFlags {
  readonly dc: string;
  readonly limit: number;
  readonly execute?: boolean;
}

export function runUsage(session: CliSession, orgId: string | undefined, flags: UsageFlags): Promise<number> {
  const { dc, limit, page } = flags;
  if (orgId === undefined && page !== undefined)
    throw new RolloutError('invalid_argument', {
      message: '--page is the page of one org.',
      next: 'Name the org, or leave --page out.',
    });
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const { id: dataCenter } = findDataCenter(program.config, dc);
    if (orgId === undefined) {
      const report = await readUsage(program.engine, { dataCenter, limit });
      session.report(
        { ...report },
        showUsage(withPrintableTexts(report), { commands: session.commands, width: session.width() }),
      );
      return 0;
    }
    const details = await readDetails(program.engine, { dataCenter, orgId });
    if (page !== undefined) {
      const { costs } = await program.loadRateCard();
      await writePage(page, renderApiDetails(details, { prices: describeCosts(costs) }));
    }
    const text = showDetails(withPrintableTexts(details), session.width());
    session.report({ ...details, page: page ?? null }, page === undefined ? text : `${text}\n\nWritten: ${page}`);
    return 0;
  });
}

/** Only its owner can read it: it names an org. */
async function writePage(path: string, page: string): Promise<void> {
  try {
    await writePrivateFile(path, page);
  } catch (error) {
    throw new RolloutError('invalid_argument', {
      message: `The page cannot be written to ${path}.`,
      next: 'Name a file in a folder that you may write into.',
      cause: error,
    });
  }
}

export function runProposeUsage(session: CliSession, { dc, limit, execute }: ProposeUsageFlags): Promise<number> {
  return withProgram(session, {}, async (program) => {
    const { id: dataCenter } = findDataCenter(program.config, dc);
    const reason = execute === true ? getReason(session, 'A proposal from usage') : null;
    const { guardRails: rails } = program.config.rollout;
    const report = await proposeFromUsage(program.engine, { dataCenter, rails, limit }, reason);
    session.report(
      { ...report },
      showProposals(withPrintableTexts(report), { commands: session.commands, width: session.width() }),
    );
    return report.proposals.length === 0 ? NOTHING_TO_DO : 0;
  });
}
