// `freeze`, `unfreeze`: stop all our writes in cells by a row in each. Must work while the queue and control are down.

import { type FreezeReport, freeze, type UnfreezeReport, unfreeze } from '../../engine/operate/freeze.js';
import { command } from '../../kernel/advice.js';
import { showName, withPrintableTexts } from '../../kernel/printable.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { pickDataCenters } from '../arguments/choose-data-centers.js';
import { withProgram } from '../processes/with-program.js';
import { chooseExitCode } from '../terminal/exit-code.js';
import { showInstant } from '../terminal/numbers.js';
import type { CliSession } from '../terminal/session.js';
import { describeError, nameError, showCauses } from '../views/show-error.js';
import { showHolder } from './operate.js';

export interface FreezeFlags {
  readonly dc?: readonly string[];
}

// pinned instants are not read first: control may be down
const WITHOUT_CONTROL = { policy: 'unchecked' } as const;

export function runFreeze(session: CliSession, { dc }: FreezeFlags): Promise<number> {
  return withProgram(session, WITHOUT_CONTROL, async ({ config, engine }) => {
    const dataCenters = pickDataCenters(config, dc).map(({ id }) => id);
    const { dataCenters: reports, recorded } = await freeze(engine, { dataCenters, reason: session.options.reason });
    const unfreezing = session.commands.show(command`unfreeze ${dc !== undefined && command`--dc ${dataCenters}`}`);
    // where nothing was frozen, each error shows its own fix
    const next = reports.some(({ state }) => state !== 'failed') ? unfreezing : null;
    session.report(
      { dataCenters: reports.map(toDocument), recorded, next },
      [
        ...withPrintableTexts(reports).flatMap((report) => showFreeze(session, report)),
        ...showRecord(recorded),
        ...(next === null ? [] : [`Next: ${next}`]),
      ].join('\n'),
    );
    showCauses(session, ...reports.flatMap((report) => (report.state === 'failed' ? report.error : [])));
    return chooseExitCode(reports.map((report) => (report.state === 'freezing' ? 4 : exitCodeOfReport(report))));
  });
}

export function runUnfreeze(session: CliSession, { dc }: FreezeFlags): Promise<number> {
  return withProgram(session, WITHOUT_CONTROL, async ({ config, engine }) => {
    const dataCenters = pickDataCenters(config, dc).map(({ id }) => id);
    const { dataCenters: reports, recorded } = await unfreeze(engine, { dataCenters, reason: session.options.reason });
    const next = session.commands.show('status');
    session.report(
      { dataCenters: reports.map(toDocument), recorded, next },
      [
        ...withPrintableTexts(reports).flatMap((report) => showUnfreeze(session, report)),
        ...showRecord(recorded),
        `Next: ${next}`,
      ].join('\n'),
    );
    showCauses(session, ...reports.flatMap((report) => (report.state === 'failed' ? report.error : [])));
    return chooseExitCode(reports.map(exitCodeOfReport));
  });
}

type Report = FreezeReport | UnfreezeReport;

const exitCodeOfReport = (report: Report): number => {
  if (report.state !== 'failed') return 0;
  return isRolloutError(report.error) ? report.error.exitCode : 1;
};

const toDocument = (report: Report): Readonly<Record<string, unknown>> =>
  report.state === 'failed' ? { ...report, error: describeError(report.error) } : { ...report };

function showFreeze(session: CliSession, report: FreezeReport): readonly string[] {
  if (report.state === 'failed') return showFreezeError(session, report);
  const { dataCenter, state, already, since, by, reason, holders } = report;
  const proof =
    state === 'frozen'
      ? 'no batch, no reconciliation and no write of the change feed can commit; sign-ups go on'
      : 'nothing new begins, but something that began before has not ended; run the command again for the proof';
  return [
    `❄ ${dataCenter}: ${state}${already ? ' already' : ''}; ${proof}`,
    `    since ${showInstant(since)} by ${showName(by)}${reason === null ? '' : `: ${reason}`}`,
    ...holders.map(showHolder),
  ];
}

function showUnfreeze(session: CliSession, report: UnfreezeReport): readonly string[] {
  if (report.state === 'failed') return showFreezeError(session, report);
  return [
    report.state === 'lifted'
      ? `▶ ${report.dataCenter}: continues where it was`
      : `· ${report.dataCenter}: was not frozen`,
  ];
}

function showFreezeError(
  session: CliSession,
  { dataCenter, error }: { dataCenter: string; error: unknown },
): readonly string[] {
  const { code, message, advice } = nameError(error);
  return [`✖ ${dataCenter}: failed [${code}] ${message}`, `    next: ${session.commands.showAdvice(advice)}`];
}

const showRecord = (recorded: boolean): readonly string[] =>
  recorded
    ? []
    : [
        'The control database could not be reached, so its audit has no entry. The rows in the cells hold who, when and why.',
      ];
