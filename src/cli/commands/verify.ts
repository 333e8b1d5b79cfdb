// `verify`: the stored allotments against an independent statement of the rule, and against the source now; and the
// proof of the cut-over. Reads only.

import { type VerifyReport, verifyDataCenter } from '../../engine/operate/verify-data-center.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { chooseDataCenters, type DataCenterChoice } from '../arguments/choose-data-centers.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { withCounter } from '../terminal/with-counter.js';
import { showVerification } from '../views/show-verification.js';

export function runVerify(session: CliSession, choice: DataCenterChoice): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const reports: VerifyReport[] = [];
    for (const { id } of chooseDataCenters(program.config, choice)) {
      const report = await withCounter(session, `Verifying ${id}`, (count) =>
        verifyDataCenter(program.engine, id, count),
      );
      session.print(showVerification(withPrintableTexts(report), session.commands));
      reports.push(report);
    }
    if (session.options.json) session.report({ dataCenters: reports }, '');
    const fails = ({ mismatches, cutover }: VerifyReport): boolean => mismatches > 0 || cutover.verdict === 'broken';
    return reports.some(fails) ? 5 : 0;
  });
}
