// `doctor`: looks at everything a rollout stands on, says what is wrong and the fix. Changes nothing.
import type { Command } from 'commander';
import { runChecks } from '../../engine/doctor/doctor.js';
import { pickDataCenters } from '../arguments/choose-data-centers.js';
import { withProgram } from '../processes/with-program.js';
import { chooseExitCode } from '../terminal/exit-code.js';
import type { CliSession, Execute } from '../terminal/session.js';
import { showFindings } from '../views/show-findings.js';

export function registerDoctorCommand(cli: Command, execute: Execute): void {
  cli
    .command('doctor')
    .description('check connections, versions, privileges, sources, zones, clocks and the queue; say the fix')
    .option('--dc <ids...>', 'only these data centers')
    .action(({ dc }: { readonly dc?: readonly string[] }) => execute((session) => runDoctor(session, dc)));
}

function runDoctor(session: CliSession, dc: readonly string[] | undefined): Promise<number> {
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
