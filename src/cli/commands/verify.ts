// `verify`: the stored allotments against an independent statement of the rule, and against the source now; and the
// proof of the cut-over. Reads only.

import { type VerifyReport, verifyDataCenter } from '../../engine/operate/verify-data-center.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { chooseDataCenters, type DataCenterChoice } from '../arguments/choose-data-centers.js';
import { withProgram } from '../processes/with-program.js';
import { chooseExitCode, NOTHING_TO_DO, ORGS_LEFT_OUT } from '../terminal/exit-code.js';
import type { CliSession } from '../terminal/session.js';
import { withCounter } from '../terminal/with-counter.js';
import { showVerification } from '../views/show-verification.js';

export interface VerifyFlags extends DataCenterChoice {
  readonly limit: number;
}

export function runVerify(session: CliSession, { limit, ...choice }: VerifyFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const reports: VerifyReport[] = [];
    for (const { id, zone } of chooseDataCenters(program.config, choice)) {
      const report = await withCounter(session, `Verifying ${id}`, (onProgress) =>
        verifyDataCenter(program.engine, id, { limit, onProgress }),
      );
      session.print(showVerification(withPrintableTexts(report), zone, session.commands));
      reports.push(report);
    }
    if (session.options.json) session.report({ dataCenters: reports }, '');
    return chooseExitCode(reports.map(exitCodeOfReport));
  });
}

function exitCodeOfReport({ mismatches, unaccounted, unreadable, nothingToVerify, cutover }: VerifyReport): number {
  if (mismatches + unaccounted > 0 || cutover.verdict === 'broken') return 5;
  if (nothingToVerify) return NOTHING_TO_DO;
  return unreadable > 0 ? ORGS_LEFT_OUT : 0;
}
