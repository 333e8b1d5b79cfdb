// `scheduler`: decides and takes the next step of every data center. Several may run at once.
import type { Command } from 'commander';
import { serveUntilStopped } from '../processes/serve-until-stopped.js';
import { schedulerProcess } from '../processes/start-processes.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession, Execute } from '../terminal/session.js';

export function registerSchedulerCommand(cli: Command, execute: Execute): void {
  cli
    .command('scheduler')
    .description('run a scheduler: it takes the next step of every data center')
    .action(() => execute(runScheduler));
}

function runScheduler(session: CliSession): Promise<number> {
  return withProgram(session, {}, (program) => serveUntilStopped(session, [schedulerProcess(session, program)]));
}
