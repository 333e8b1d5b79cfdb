// `wait`: joins rollouts that are under way, as `apply --wait` does from the beginning. Reads only.

import type { Program } from '../../compose.js';
import { type DataCenterStatus, readStatus, type Status } from '../../engine/operate/read-status.js';
import { command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { chooseDataCenters, type DataCenterChoice } from '../arguments/choose-data-centers.js';
import { listenForInterruption, signalExitCode, watchRollout } from '../processes/watch-rollout.js';
import { withProgram } from '../processes/with-program.js';
import { chooseExitCode, exitCodeOfStatus, NOTHING_TO_DO } from '../terminal/exit-code.js';
import type { CliSession } from '../terminal/session.js';
import { listStale } from '../views/show-stale.js';
import { showHold, statusDocument } from '../views/show-state.js';
import { showSummary } from '../views/show-summary.js';

export function runWait(session: CliSession, choice: DataCenterChoice): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const chosen = chooseDataCenters(program.config, choice).map(({ id }) => id);
    const status = await readStatus(program.engine);
    const never = chosen.filter((id) => isUntouched(status.dataCenters.find((dc) => dc.id === id)));
    for (const id of never) session.print(`· ${id}: nothing to wait for: no rollout was requested there`);
    const followed = chosen.filter((id) => !never.includes(id));
    if (followed.length > 0) {
      const code = await waitForEnd(session, program, followed);
      // a signal ended the command itself: no data center is what it says
      return never.length === 0 || code > 100 ? code : chooseExitCode([code, NOTHING_TO_DO]);
    }
    if (session.options.json) session.report({ status: statusDocument(status, session.commands) }, '');
    return NOTHING_TO_DO;
  });
}

/** No rollout of it was ever requested. */
const isUntouched = (dc: DataCenterStatus | undefined): boolean =>
  dc === undefined || (dc.stage === 'pending' && dc.requestedAt === null && dc.lastRun === null);

/** Follows until each has ended, or is held and needs a person. `own`: what the document of the command has besides. */
export async function waitForEnd(
  session: CliSession,
  program: Program,
  dataCenters: readonly string[],
  own: Readonly<Record<string, unknown>> = {},
): Promise<number> {
  const { commands, paint, options } = session;
  const interruption = listenForInterruption(session);
  const watched = { dataCenters, whenPaused: 'returns', interruption } as const;
  const outcome = await watchRollout(session, program, watched).finally(interruption.close);
  if (outcome.kind === 'stopped') {
    const again = commands.show(command`wait --dc ${dataCenters}`);
    session.print(`The rollout continues as long as a scheduler and workers run. Wait for it again: ${again}`);
    return signalExitCode(outcome.signal);
  }
  if (outcome.kind === 'held') {
    const at = outcome.status.dataCenters.find(({ id }) => id === outcome.dataCenter) ?? {
      zone: 'UTC',
      freeze: null,
      pause: null,
    };
    session.print(
      `Held: ${outcome.dataCenter}: ${showHold(withPrintableTexts(outcome.hold), withPrintableTexts(at), commands)}`,
    );
  } else
    session.print(
      `\n${showSummary(withPrintableTexts(outcome.status), dataCenters, { paint, width: session.width() })}`,
    );
  printWayOut(session, outcome.status, dataCenters);
  if (options.json) session.report({ ...own, status: statusDocument(outcome.status, commands) }, '');
  return exitCodeOfStatus(outcome.status, dataCenters);
}

/** What to do where one has failed, or has left orgs out. */
function printWayOut({ print, commands }: CliSession, status: Status, dataCenters: readonly string[]): void {
  for (const { id, stage, failure, next } of status.dataCenters)
    if (dataCenters.includes(id) && stage === 'failed')
      print(`✖ ${id}: failed${failure === null ? '' : ` (${failure})`}. Next: ${commands.showRelease(next)}`);
  for (const dc of status.dataCenters)
    if (dataCenters.includes(dc.id)) for (const line of listStale(dc, commands)) print(`! ${dc.id}: ${line}`);
}
