// `reconcile`: shows what a reconciliation would do; with --execute requests one, or proposes one that accepts falls;
// with --history lists nightly runs.

import { findDataCenter, type Program } from '../../compose.js';
import { readStatus } from '../../engine/operate/read-status.js';
import { type FallsProposal, proposeFalls, showFallsId, withdrawFalls } from '../../engine/reconcile/accept-falls.js';
import { listNights } from '../../engine/reconcile/list-nights.js';
import { previewDrift } from '../../engine/reconcile/preview-drift.js';
import { requestReconcile } from '../../engine/reconcile/request-reconciliation.js';
import { type CommandText, command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { getReason } from '../arguments/get-reason.js';
import { raiseLimit } from '../arguments/parse-options.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { withCounter } from '../terminal/with-counter.js';
import { nightsCsv, nightsDocument, showNights } from '../views/show-nights.js';
import { fallsDocument, previewDocument, showFalls, showPreview } from '../views/show-reconcile.js';
import { showMissing } from '../views/show-status.js';

export interface ReconcileFlags {
  readonly dc?: string;
  readonly execute?: boolean;
  readonly acceptFalls?: boolean;
  readonly withdraw?: boolean;
  readonly history?: boolean;
  readonly csv?: boolean;
  readonly limit: number;
  readonly revision?: number;
}

export function runReconcile(session: CliSession, flags: ReconcileFlags): Promise<number> {
  assertFits(flags);
  return withProgram(session, {}, async (program) => {
    if (flags.history) return showHistory(session, program, flags);
    const dataCenter = findDataCenter(program.config, flags.dc ?? '').id;
    const chosen = { ...flags, dataCenter };
    if (flags.withdraw) return withdraw(session, program, chosen);
    if (!flags.execute) return preview(session, program, chosen);
    return flags.acceptFalls ? propose(session, program, chosen) : request(session, program, chosen);
  });
}

function assertFits({ dc, execute, acceptFalls, withdraw, history, csv }: ReconcileFlags): void {
  const wrong = [
    { is: !history && dc === undefined, message: 'No data center was named.', next: 'Add: --dc ID' },
    { is: csv && !history, message: '--csv needs --history.', next: 'Add: --history' },
    {
      is: history && (execute || acceptFalls || withdraw),
      message: '--history changes nothing.',
      next: 'Leave --execute, --accept-falls and --withdraw out.',
    },
    {
      is: withdraw && (execute || acceptFalls),
      message: '--withdraw ends a proposal and does nothing else.',
      next: 'Leave --execute and --accept-falls out.',
    },
  ].find(({ is }) => is);
  if (wrong !== undefined) throw new RolloutError('invalid_argument', { message: wrong.message, next: wrong.next });
}

interface Chosen extends ReconcileFlags {
  readonly dataCenter: string;
}

const fallsOf = ({ acceptFalls }: ReconcileFlags) => (acceptFalls ? 'accepted' : 'within_limits');

async function preview(session: CliSession, { engine, config }: Program, chosen: Chosen): Promise<number> {
  const { dataCenter } = chosen;
  const { maxChanged = null, maxLapsed = null } = config.reconcile;
  const caps = { maxChanged, maxLapsed, falls: fallsOf(chosen) } as const;
  const found = await withCounter(session, `Comparing ${dataCenter}`, (count) =>
    previewDrift(engine, { dataCenter, caps, limit: chosen.limit }, count),
  );
  const next = session.commands.show(
    command`reconcile --dc ${dataCenter} --execute ${chosen.acceptFalls && command('--accept-falls --reason TEXT')}`,
  );
  session.report(
    previewDocument(found, next),
    showPreview(withPrintableTexts(found), next, session.commands, session.width()),
  );
  return 0;
}

/** Falls beyond the limits of a night: for a second person to approve. */
async function propose(session: CliSession, { engine }: Program, { dataCenter }: Chosen): Promise<number> {
  const reason = getReason(session, 'Accepting falls beyond the limits of a night');
  const proposed = await proposeFalls(engine, { dataCenter, reason });
  const [title, then] =
    proposed.state === 'approved'
      ? ['Follow it', command('status')]
      : ['Let a second person look at the dry run, and then run', command`approve ${showFallsId(proposed)}`];
  return reportFalls(session, proposed, title, then);
}

async function withdraw(session: CliSession, { engine }: Program, { dataCenter }: Chosen): Promise<number> {
  const reason = getReason(session, 'Withdrawing a proposal');
  return reportFalls(
    session,
    await withdrawFalls(engine, { dataCenter, reason }),
    'Next',
    command`reconcile --dc ${dataCenter}`,
  );
}

function reportFalls(session: CliSession, falls: FallsProposal, title: string, then: CommandText): number {
  const next = session.commands.show(then);
  session.report(
    { executed: true, ...fallsDocument(falls), next },
    `✔ ${showFalls(withPrintableTexts(falls))}\n${title}: ${next}`,
  );
  return 0;
}

async function request(session: CliSession, { engine }: Program, chosen: Chosen): Promise<number> {
  const { dataCenter } = chosen;
  const { reason } = session.options;
  const requested = await requestReconcile(engine, { dataCenter, reason, revision: chosen.revision });
  const next = session.commands.show(command`reconcile --dc ${dataCenter} --history`);
  const status = await readStatus(engine);
  session.report(
    { executed: true, ...requested, schedulersAlive: status.schedulersAlive, next },
    [
      `◷ ${dataCenter}: a reconciliation is requested`,
      ...showMissing(status, [dataCenter], session.commands),
      `Follow it: ${session.commands.show('status')}`,
      `What it did: ${next}`,
    ].join('\n'),
  );
  return 0;
}

async function showHistory(session: CliSession, { engine, config }: Program, flags: ReconcileFlags): Promise<number> {
  const chosen = flags.dc === undefined ? config.dataCenters : [findDataCenter(config, flags.dc)];
  const list = await listNights(engine, { dataCenters: chosen.map(({ id }) => id), limit: flags.limit });
  const { dc, csv, limit } = flags;
  const older = session.commands.show(
    command`reconcile --history ${dc !== undefined && command`--dc ${dc}`} ${csv && command('--csv')} --limit ${raiseLimit(limit)}`,
  );
  if (flags.csv && !session.options.json) {
    session.io.out(nightsCsv(session.asShown(list)));
    if (list.more) session.warn(`There are older nightly runs. To see more: ${older}`);
  } else session.report(nightsDocument(list), showNights(withPrintableTexts(list), older, session.width()));
  return 0;
}
