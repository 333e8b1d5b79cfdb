// The commands that run until they are stopped.
import type { Command } from 'commander';
import { parseCount, parseListen } from '../arguments/parse-options.js';
import type { Execute } from '../terminal/session.js';
import { registerMeter } from './meter-commands.js';
import type { ListenFlag } from './scheduler.js';
import type { WorkerFlags } from './worker.js';

const MAX_CONCURRENCY = 64;
const LISTEN = 'also answer /livez, /readyz and /metrics there, for example 127.0.0.1:9464';

export function registerProcesses(cli: Command, execute: Execute): void {
  cli
    .command('worker')
    .description('run a worker, which executes batches')
    .option('--dc <ids...>', 'only these data centers; default: all of the configuration')
    .option('--concurrency <n>', 'jobs at once per data center; default: rollout.lanes', parseCount(MAX_CONCURRENCY))
    .option('--listen <address>', LISTEN, parseListen)
    .action((flags: WorkerFlags) =>
      execute(async (session) => (await import('./worker.js')).runWorker(session, flags)),
    );
  registerMeter(cli, execute);
  cli
    .command('scheduler')
    .description('run a scheduler, which takes the next step of every data center')
    .option('--listen <address>', LISTEN, parseListen)
    .action((flags: ListenFlag) =>
      execute(async (session) => (await import('./scheduler.js')).runScheduler(session, flags)),
    );
  cli
    .command('up')
    .description('run a scheduler and a worker in one process; without a configuration, the embedded servers too')
    .option('--listen <address>', LISTEN, parseListen)
    .action((flags: ListenFlag) => execute(async (session) => (await import('./up.js')).runUp(session, flags)));
  cli
    .command('demo', { hidden: true })
    .description('the whole rollout of three sample data centers on the embedded servers')
    .action(() => execute(async (session) => (await import('./demo.js')).runDemo(session)));
}
