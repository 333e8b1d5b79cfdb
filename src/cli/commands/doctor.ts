// `doctor`: checks everything that a rollout depends on, and prints what is wrong and how to fix it. Changes nothing.
import { runDoctorChecks } from '../../engine/doctor/doctor.js';
import { pickDataCenters } from '../arguments/choose-data-centers.js';
import { withProgram } from '../processes/with-program.js';
import { chooseExitCode } from '../terminal/exit-code.js';
import type { CliSession } from '../terminal/session.js';
import { showCauses } from '../views/show-error.js';
import { findingsDocument, showFindings } from '../views/show-findings.js';

export function runDoctor(session: CliSession, dc: readonly string[] | undefined): Promise<number> {
  return withProgram(session, { policy: 'reported', leftBehind: 'shown' }, async (program, policyDifferences) => {
    const dataCenters = pickDataCenters(program.config, dc);
    const findings = await runDoctorChecks(program.engine, {
      config: program.config,
      card: () => program.loadRateCard(),
      dataCenters,
      policyDifferences,
      queueCheck: () => program.proveQueue(),
      transports: program.transports,
      meters: program.meters,
      webhooks: program.webhooks.targets,
      onSlow: (subject, check) => session.printError(`… ${subject}: still checking ${check}`),
    });
    session.report(findingsDocument(findings), showFindings(findings, session));
    showCauses(session, ...findings.flatMap(({ cause }) => cause ?? []));
    return chooseExitCode(findings.map(({ level }) => (level === 'error' ? 1 : 0)));
  });
}
