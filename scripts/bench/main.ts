// `npm run bench`: how fast the product is beside three other ways to do the same job. Exit 0 whatever the numbers are.
import { isRolloutError } from '../../src/kernel/rollout-error.js';
import { describeMachine, findLoad } from './machine.js';
import { type BenchOptions, parseBenchOptions, USAGE } from './options.js';
import { runBench } from './run-bench.js';
import { type BenchServer, startBenchServer } from './server.js';

const show = (line: string): void => void process.stdout.write(`${line}\n`);
const say = (line: string): void => void process.stderr.write(`  ${line}\n`);

/** Ends the benchmark at once on Ctrl-C, without leaving its servers or files. Aborted: what fails from now on is no news. */
function stopOnSignal(starting: Promise<BenchServer>): AbortSignal {
  const stopped = new AbortController();
  const stop = (): void => {
    stopped.abort();
    void starting.then((server) => server.close()).finally(() => process.exit(130));
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  process.on('unhandledRejection', (error) => {
    if (!stopped.signal.aborted) throw error;
  });
  return stopped.signal;
}

async function bench(options: BenchOptions): Promise<void> {
  const load = findLoad();
  if (load !== undefined) say(load);
  const redis = options.contenders.includes('job-per-org-redis') ? 'wanted' : 'unwanted';
  const starting = startBenchServer({ redis });
  const stopped = stopOnSignal(starting);
  const server = await starting;
  try {
    for (const line of await describeMachine(server)) show(line);
    const lines = await runBench({ server, options, worker: 'process', say });
    for (const line of ['', ...lines, ...(load === undefined ? [] : ['', load])]) show(line);
  } catch (error) {
    if (!stopped.aborted) throw error;
  } finally {
    await server.close();
  }
}

try {
  if (process.argv.includes('--help')) show(USAGE);
  else await bench(parseBenchOptions(process.argv.slice(2)));
} catch (error) {
  if (!isRolloutError(error)) throw error;
  process.stderr.write(`error [${error.code}] ${error.message}\n  next: ${error.next}\n`);
  process.exitCode = error.exitCode;
}
