// A worker of the product in a process of its own, as `credit-rollout worker` would be: its cells and the queue,
// nothing else. Ends when its parent closes its channel or exits. Arguments: configuration, data center, jobs at once.
import { setFlagsFromString } from 'node:v8';

// Ctrl-C reaches the whole group: the parent decides when we end
process.on('SIGINT', () => undefined);
// before anything is loaded, since the parent may go meanwhile
const released = new Promise<void>((resolve) => process.once('disconnect', resolve));

setFlagsFromString('--semi-space-growth-factor=1'); // as src/cli/main.ts does
const [{ startWorker }, { compose }] = await Promise.all([
  import('../../jobs/processes/worker.js'),
  import('../../src/compose.js'),
]);

/** Longest that an orderly stop may take, in ms: servers may be gone before us. */
const STOP_MS = 6_000;

const [configPath, dataCenter = '', concurrency = '1'] = process.argv.slice(2);
// a connection for each job at once, and two beside: the heartbeat and the poll without a wake-up
const program = await compose({ configPath, cellConnections: () => Number(concurrency) + 2 });
const worker = startWorker(program.worker, {
  dataCenters: [dataCenter],
  queue: await program.connectQueue('own'),
  concurrency: Number(concurrency),
});
await released;
setTimeout(() => process.exit(1), STOP_MS).unref();
await worker.stop();
await program.close();
process.exit(0);
