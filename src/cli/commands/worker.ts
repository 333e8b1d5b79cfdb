// `worker`: executes batches. Needs the URLs of its cells and of the queue; never uses the control database.
import type { ListenAddress } from '../../compose-listener.js';
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { pickDataCenters } from '../arguments/choose-data-centers.js';
import { serveUntilStopped } from '../processes/serve-until-stopped.js';
import { listenerProcess, workerProcesses } from '../processes/start-processes.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';

export interface WorkerFlags {
  readonly dc?: readonly string[];
  readonly concurrency?: number;
  readonly listen?: ListenAddress;
}

export function runWorker(session: CliSession, { dc, concurrency, listen }: WorkerFlags): Promise<number> {
  const jobs = (config: RolloutConfig): number => concurrency ?? config.rollout.lanes;
  // beside the jobs: one connection for signs of life, one for polling when no wake-up comes, one for the change feed
  const options = { cellConnections: (config: RolloutConfig) => jobs(config) + 3, policy: 'unchecked' } as const;
  return withProgram(session, options, async (program) => {
    const dataCenters = pickDataCenters(program.config, dc).map(({ id }) => id);
    // the embedded server has no queue but the control database
    const queue = program.embedded === undefined ? 'own' : 'any';
    program.queueUrl(queue);
    const served = { dataCenters, queue, concurrency: jobs(program.config) } as const;
    const listening = { process: 'worker', dataCenters, ...(listen !== undefined && { listen }) } as const;
    return serveUntilStopped(session, [
      ...listenerProcess(session, program, listening),
      ...workerProcesses(session, program, served),
    ]);
  });
}
