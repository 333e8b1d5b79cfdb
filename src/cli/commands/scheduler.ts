// `scheduler`: decides and executes the next step of every data center. Several may run at once.
import type { ListenAddress } from '../../compose-listener.js';
import { serveUntilStopped } from '../processes/serve-until-stopped.js';
import { listenerProcess, schedulerProcess } from '../processes/start-processes.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';

export interface ListenFlag {
  readonly listen?: ListenAddress;
}

export function runScheduler(session: CliSession, flags: ListenFlag): Promise<number> {
  return withProgram(session, { policy: 'warned' }, (program) =>
    serveUntilStopped(session, [
      ...listenerProcess(session, program, { process: 'scheduler', dataCenters: [], ...flags }),
      schedulerProcess(session, program),
    ]),
  );
}
