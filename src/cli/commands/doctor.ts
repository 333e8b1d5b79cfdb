// `doctor`: looks at everything a rollout stands on, says what is wrong and the fix. Changes nothing.
import { runChecks } from '../../engine/doctor/doctor.js';
import { pickDataCenters } from '../arguments/choose-data-centers.js';
import { withProgram } from '../processes/with-program.js';
import { chooseExitCode } from '../terminal/exit-code.js';
import type { CliSession } from '../terminal/session.js';
import { showFindings } from '../views/show-findings.js';

export function runDoctor(session: CliSession, dc: readonly string[] | undefined): Promise<number> {
  return withProgram(session, {}, async (program) => {
    const dataCenters = pickDataCenters(program.config, dc);
    const findings = await runChecks(program.engine, {
      config: program.config,
      card: () => program.loadRateCard(),
      dataCenters,
      queueCheck: () => program.checkQueue(),
    });
    session.report({ findings }, showFindings(findings, session));
    return chooseExitCode(findings.map(({ level }) => (level === 'error' ? 1 : 0)));
  });
}
