// `scheduler`: decides and executes the next step of every data center. Several may run at once.
import { serveUntilStopped } from '../processes/serve-until-stopped.js';
import { schedulerProcess } from '../processes/start-processes.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';

export function runScheduler(session: CliSession): Promise<number> {
  return withProgram(session, { policy: 'warned' }, (program) =>
    serveUntilStopped(session, [schedulerProcess(session, program)]),
  );
}
