// `cutover`: from which instant sign-ups start on credits. Show it, move it or take it back by two people, latch it by hand.
import type { Command } from 'commander';
import { findDataCenter } from '../../compose.js';
import { showPostponementId } from '../../domain/cutover/postponement-id.js';
import { showReversalId } from '../../domain/cutover/reversal-id.js';
import { executeCutover, previewExecution } from '../../engine/execute-cutover.js';
import { proposePostponement, withdrawPostponement } from '../../engine/propose-postponement.js';
import { proposeReversal, withdrawReversal } from '../../engine/propose-reversal.js';
import { readCutovers } from '../../engine/read-cutovers.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { pickDataCenters } from '../choose-data-centers.js';
import type { CliSession, Execute } from '../cli-session.js';
import {
  cutoverDocument,
  postponementDocument,
  reversalDocument,
  showCutover,
  showExecution,
  showPostponement,
  showReversal,
} from '../show-cutover.js';
import { withProgram } from '../with-program.js';

interface ShowFlags {
  readonly dc?: readonly string[];
}
interface PostponeFlags {
  readonly dc: string;
  readonly to?: string;
  readonly withdraw?: boolean;
}
interface ExecuteFlags {
  readonly dc: string;
  readonly execute?: boolean;
}

export function registerCutover(cli: Command, execute: Execute): void {
  // without an action of its own, so that an option is never the parent's and the child's at once
  const cutover = cli
    .command('cutover')
    .description('from when sign-ups start on credits: show, postpone, execute, reverse');
  cutover
    .command('show', { isDefault: true })
    .description('the instant of every data center, what its gate says, and what was proposed')
    .option('--dc <ids...>', 'only these data centers')
    .action((flags: ShowFlags) => execute((session) => runShow(session, flags)));
  cutover
    .command('postpone')
    .description("propose another instant; a second person's approval moves it")
    .requiredOption('--dc <id>', 'the data center')
    .option('--to <when>', 'a local date or time in its zone')
    .option('--withdraw', 'take the open proposal back instead')
    .action((flags: PostponeFlags) => execute((session) => runPostpone(session, flags)));
  cutover
    .command('execute')
    .description('latch it by hand, at or after its instant; says what it would do unless --execute')
    .requiredOption('--dc <id>', 'the data center')
    .option('--execute', 'do it')
    .action((flags: ExecuteFlags) => execute((session) => runExecute(session, flags)));
  cutover
    .command('reverse')
    .description("propose to take back one that has happened; a second person's approval does it")
    .requiredOption('--dc <id>', 'the data center')
    .option('--to <when>', 'the next instant, a local date or time in its zone')
    .option('--withdraw', 'take the open proposal back instead')
    .action((flags: PostponeFlags) => execute((session) => runReverse(session, flags)));
}

function runShow(session: CliSession, { dc }: ShowFlags): Promise<number> {
  return withProgram(session, {}, async ({ config, engine }) => {
    const reports = await readCutovers(
      engine,
      pickDataCenters(config, dc).map(({ id }) => id),
    );
    session.report({ dataCenters: reports.map(cutoverDocument) }, reports.map(showCutover).join('\n'));
    return 0;
  });
}

function runPostpone(session: CliSession, { dc, to, withdraw }: PostponeFlags): Promise<number> {
  if ((to === undefined) !== (withdraw === true))
    throw new RolloutError('invalid_argument', {
      message: 'A postponement takes either --to or --withdraw.',
      next: 'Give one of them.',
    });
  const reason = getReason(session);
  return withProgram(session, {}, async ({ config, engine }) => {
    const { id: dataCenter } = findDataCenter(config, dc);
    if (to === undefined) {
      const withdrawn = await withdrawPostponement(engine, { dataCenter, reason });
      const next = session.commands.show(`cutover show --dc ${dataCenter}`);
      session.report(postponementDocument(withdrawn, next), `✔ ${showPostponement(withdrawn)}\nNext: ${next}`);
      return 0;
    }
    const proposed = await proposePostponement(engine, { dataCenter, to, reason });
    const next = session.commands.show(`approve ${showPostponementId(proposed)}`);
    const note = 'Nothing has moved. It does when a second person approves it.';
    session.report(postponementDocument(proposed, next), `· ${showPostponement(proposed)}\n${note}\nNext: ${next}`);
    return 0;
  });
}

function runReverse(session: CliSession, { dc, to, withdraw }: PostponeFlags): Promise<number> {
  if ((to === undefined) !== (withdraw === true))
    throw new RolloutError('invalid_argument', {
      message: 'A reversal takes either --to or --withdraw.',
      next: 'Give one of them.',
    });
  const reason = getReason(session);
  return withProgram(session, {}, async ({ config, engine }) => {
    const { id: dataCenter } = findDataCenter(config, dc);
    if (to === undefined) {
      const withdrawn = await withdrawReversal(engine, { dataCenter, reason });
      const next = session.commands.show(`cutover show --dc ${dataCenter}`);
      session.report(reversalDocument(withdrawn, next), `✔ ${showReversal(withdrawn)}\nNext: ${next}`);
      return 0;
    }
    const proposed = await proposeReversal(engine, { dataCenter, to, reason });
    const next = session.commands.show(`approve ${showReversalId(proposed)}`);
    const note = 'Nothing has changed. Sign-ups are legacy again from the moment a second person approves it.';
    session.report(reversalDocument(proposed, next), `· ${showReversal(proposed)}\n${note}\nNext: ${next}`);
    return 0;
  });
}

function runExecute(session: CliSession, { dc, execute }: ExecuteFlags): Promise<number> {
  const reason = getReason(session);
  return withProgram(session, {}, async ({ config, engine }) => {
    const { id: dataCenter } = findDataCenter(config, dc);
    if (!execute) return preview(session, dataCenter, await previewExecution(engine, dataCenter));
    const report = await executeCutover(engine, { dataCenter, reason });
    const again = `cutover execute --dc ${dataCenter} --execute --reason TEXT`;
    const next = session.commands.show(report.outcome === 'busy' ? again : `cutover show --dc ${dataCenter}`);
    session.report({ ...report, next }, `${showExecution(report)}\nNext: ${next}`);
    return report.outcome === 'busy' ? 4 : 0;
  });
}

function preview(
  session: CliSession,
  dataCenter: string,
  { state, cutoverLocal, gate }: Awaited<ReturnType<typeof previewExecution>>,
): number {
  const next = session.commands.show(`cutover execute --dc ${dataCenter} --execute --reason TEXT`);
  const done = gate.latchedAt !== null;
  const what = done
    ? 'it is latched already; nothing would change'
    : 'its gate would be latched for good, and the sweep would follow';
  const { effectiveAt, latchedAt } = gate;
  session.report(
    { dataCenter, state, cutoverLocal, effectiveAt, latchedAt, pending: !done, next },
    `${dataCenter}: ${what} (instant ${cutoverLocal ?? 'none'}).\nNothing was changed.${done ? '' : ` To do it: ${next}`}`,
  );
  return !done && session.options.exitCode ? 2 : 0;
}

/** What moves sign-ups must be found with its reason later. */
function getReason({ options }: CliSession): string {
  const reason = options.reason?.trim() ?? '';
  if (reason !== '') return reason;
  throw new RolloutError('invalid_argument', {
    message: 'A verb that touches a cut-over needs a reason.',
    next: 'Add: --reason TEXT',
  });
}
