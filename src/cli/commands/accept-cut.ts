// `audit --verify --accept-cut`: proposes to accept what control has lost of its audit, or withdraws the proposal.
// `approve` accepts it.

import { findDataCenter } from '../../compose.js';
import { type CutProposal, proposeAuditCut, withdrawAuditCut } from '../../engine/operate/accept-audit-cut.js';
import { type CommandText, command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { showCutId } from '../../kernel/proposal-id.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { cutDocument, showCutProposal } from '../views/show-audit-cut.js';

/** `dc`: only what the cell of this data center keeps. */
export function runProposeCut(session: CliSession, dc: string | undefined): Promise<number> {
  const reason = getReason(session, 'Accepting a loss of the audit');
  return withProgram(session, { policy: 'warned' }, async ({ engine, config }) => {
    const dataCenter = dc === undefined ? undefined : findDataCenter(config, dc).id;
    return reportCut(session, await proposeAuditCut(engine, reason, dataCenter));
  });
}

export function runWithdrawCut(session: CliSession): Promise<number> {
  const reason = getReason(session, 'Withdrawing a proposal');
  return withProgram(session, { policy: 'warned' }, async ({ engine }) =>
    reportCut(session, await withdrawAuditCut(engine, reason)),
  );
}

export function reportCut(session: CliSession, cut: CutProposal): number {
  const next = session.commands.show(nextOf(cut));
  const note =
    cut.state === 'proposed'
      ? 'Nothing is accepted until a second person approves it.'
      : cut.alone
        ? 'Accepted now: on the embedded servers one person may propose and approve, and the audit says so.'
        : undefined;
  session.report(
    { ...cutDocument(cut), next },
    [
      `${cut.state === 'proposed' ? '·' : '✔'} ${showCutProposal(withPrintableTexts(cut))}`,
      ...(note === undefined ? [] : [note]),
      `Next: ${next}`,
    ].join('\n'),
  );
  return 0;
}

const nextOf = ({ state, cutId }: CutProposal): CommandText =>
  state === 'proposed' ? command`approve ${showCutId(cutId)}` : command('audit --verify');
