// `worker`: carries out batches. Needs its cells' URLs and the queue's; never touches the control database.
import type { RolloutConfig } from '../../domain/config/rollout-config.js';
import { pickDataCenters } from '../arguments/choose-data-centers.js';
import { serveUntilStopped } from '../processes/serve-until-stopped.js';
import { workerProcesses } from '../processes/start-processes.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';

export interface WorkerFlags {
  readonly dc?: readonly string[];
  readonly concurrency?: number;
}

export function runWorker(session: CliSession, { dc, concurrency }: WorkerFlags): Promise<number> {
  const jobs = (config: RolloutConfig): number => concurrency ?? config.rollout.lanes;
  // one connection beside the jobs for signs of life, one for looking when no bell rings, one for the change feed
  const options = { cellConnections: (config: RolloutConfig) => jobs(config) + 3, drift: 'unchecked' } as const;
  return withProgram(session, options, async (program) => {
    const dataCenters = pickDataCenters(program.config, dc).map(({ id }) => id);
    // on the embedded servers one database is all there is
    const queue = program.embedded === undefined ? 'own' : 'any';
    program.queueUrl(queue);
    const served = { dataCenters, queue, concurrency: jobs(program.config) } as const;
    return serveUntilStopped(session, workerProcesses(session, program, served));
  });
}
