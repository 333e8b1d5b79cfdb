// `cutover`: the instant from which sign-ups start on credits. Show it, move or reverse it with two people, latch it
// manually.

import { findDataCenter } from '../../compose.js';
import { executeCutover, previewExecution } from '../../engine/cutover/execute-cutover.js';
import { proposePostponement } from '../../engine/cutover/postpone.js';
import { withdrawCutoverProposal } from '../../engine/cutover/proposals.js';
import { readCutovers } from '../../engine/cutover/read-cutovers.js';
import { proposeReversal } from '../../engine/cutover/reverse.js';
import { command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { showProposalId } from '../../kernel/proposal-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { pickDataCenters } from '../arguments/choose-data-centers.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { cutoverDocument, proposalDocument, showCutover, showExecution, showProposal } from '../views/show-cutover.js';

export interface CutoverFlags {
  readonly dc?: readonly string[];
}
export interface ProposeCutoverFlags {
  readonly dc: string;
  readonly to?: string;
  readonly revision?: number;
  readonly withdraw?: boolean;
}
export interface ExecuteCutoverFlags {
  readonly dc: string;
  readonly execute?: boolean;
  readonly revision?: number;
}

/** The audit must hold why sign-ups were moved. */
const CUTOVER_VERB = 'A command that changes a cut-over';

export function runShowCutover(session: CliSession, { dc }: CutoverFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async ({ config, engine }) => {
    const reports = await readCutovers(
      engine,
      pickDataCenters(config, dc).map(({ id }) => id),
    );
    session.report(
      { dataCenters: reports.map(cutoverDocument) },
      withPrintableTexts(reports).map(showCutover).join('\n'),
    );
    return 0;
  });
}

const PROPOSALS = {
  postponement: {
    propose: proposePostponement,
    subject: 'A postponement',
    note: 'Nothing is moved until a second person approves it.',
  },
  reversal: {
    propose: proposeReversal,
    subject: 'A reversal',
    note: 'Nothing is changed until a second person approves it. From then on sign-ups start on legacy again.',
  },
} as const;

export function runProposeCutover(
  session: CliSession,
  kind: keyof typeof PROPOSALS,
  { dc, to, withdraw, revision }: ProposeCutoverFlags,
): Promise<number> {
  const { propose, subject, note } = PROPOSALS[kind];
  if ((to === undefined) !== (withdraw === true))
    throw new RolloutError('invalid_argument', {
      message: `${subject} takes either --to or --withdraw.`,
      next: 'Give one of them.',
    });
  const reason = getReason(session, CUTOVER_VERB);
  return withProgram(session, { policy: 'warned' }, async ({ config, engine }) => {
    const { id: dataCenter } = findDataCenter(config, dc);
    if (to === undefined) {
      const withdrawn = await withdrawCutoverProposal(engine, { kind, dataCenter, reason, revision });
      const next = session.commands.show(command`cutover show --dc ${dataCenter}`);
      session.report(
        { ...proposalDocument(withdrawn), next },
        `✔ ${showProposal(withPrintableTexts(withdrawn))}\nNext: ${next}`,
      );
      return 0;
    }
    const proposed = await propose(engine, { dataCenter, to, reason, revision });
    const next = session.commands.show(command`approve ${showProposalId(proposed)}`);
    session.report(
      { ...proposalDocument(proposed), next },
      `· ${showProposal(withPrintableTexts(proposed))}\n${note}\nNext: ${next}`,
    );
    return 0;
  });
}

export function runExecuteCutover(
  session: CliSession,
  { dc, execute, revision }: ExecuteCutoverFlags,
): Promise<number> {
  const reason = getReason(session, CUTOVER_VERB);
  return withProgram(session, { policy: 'warned' }, async ({ config, engine }) => {
    const { id: dataCenter } = findDataCenter(config, dc);
    if (!execute) return preview(session, dataCenter, await previewExecution(engine, dataCenter));
    const report = await executeCutover(engine, { dataCenter, reason, revision });
    const again = command`cutover execute --dc ${dataCenter} --execute --reason TEXT`;
    const next = session.commands.show(report.outcome === 'busy' ? again : command`cutover show --dc ${dataCenter}`);
    session.report({ ...report, next }, `${showExecution(withPrintableTexts(report))}\nNext: ${next}`);
    return report.outcome === 'busy' ? 4 : 0;
  });
}

function preview(
  session: CliSession,
  dataCenter: string,
  { state, cutoverLocal, gate, revision }: Awaited<ReturnType<typeof previewExecution>>,
): number {
  const done = gate.latchedAt !== null;
  const verb = command`cutover execute --dc ${dataCenter} --execute --revision ${revision} --reason TEXT`;
  const next = done ? null : session.commands.show(verb);
  const what = done
    ? 'the cut-over is final (latched) already; nothing would change'
    : 'the cut-over would become final (latched), and its sweep, the check of every earlier org, would follow';
  const { effectiveAt, latchedAt } = gate;
  session.report(
    { dataCenter, revision, state, cutoverLocal, effectiveAt, latchedAt, pending: !done, next },
    `${dataCenter}: ${what} (instant ${cutoverLocal ?? 'none'}).\nNothing was changed.${next === null ? '' : ` To do it: ${next}`}`,
  );
  return !done && session.options.exitCode ? 2 : 0;
}
