// `npm run bench`: how fast the product is beside three other ways to do the same job. Exit 0 whatever the numbers are.
// Owns the servers; the work is done in a child, so that Ctrl-C leaves neither servers nor files.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isRolloutError } from '../../src/kernel/rollout-error.js';
import { findLoad } from './machine.js';
import { type BenchOptions, parseBenchOptions, USAGE } from './options.js';
import type { RunMessage } from './run-process.js';
import { type BenchServer, startBenchServer } from './server.js';

/** Returns the exit code. */
async function bench(options: BenchOptions): Promise<number> {
  const load = findLoad();
  if (load !== undefined) process.stderr.write(`${load}\n`);
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const redis = options.contenders.includes('job-per-org-redis') ? 'wanted' : 'unwanted';
  const server = await startBenchServer({ redis });
  // two builds cannot share a cluster: its roles are of one of them
  const other = options.compared.length > 0 ? await startBenchServer({ redis: 'unwanted' }) : undefined;
  try {
    if (stopping.signal.aborted) return 130;
    const code = await runInChild({ options, server: toSent(server), other: other && toSent(other) }, stopping.signal);
    if (load !== undefined) process.stdout.write(`\n${load}\n`);
    return code;
  } finally {
    await server.close();
    await other?.close();
  }
}

const toSent = ({ adminUrl, redisUrl, folder }: BenchServer): RunMessage['server'] => ({ adminUrl, redisUrl, folder });

async function runInChild(message: RunMessage, stopping: AbortSignal): Promise<number> {
  const path = fileURLToPath(new URL('run-process.js', import.meta.url));
  // a process group of its own: Ctrl-C reaches us alone, and ending the group ends the product's worker too
  const child = fork(path, { detached: true });
  stopping.addEventListener('abort', () => endGroup(child), { once: true });
  const ended = once(child, 'exit');
  child.send(message);
  const [code] = await ended;
  return stopping.aborted ? 130 : (code ?? 1);
}

function endGroup({ pid }: ChildProcess): void {
  if (pid !== undefined) process.kill(-pid, 'SIGKILL');
}

// the reader of our output may be gone, as with `| head`: the servers must still be stopped
process.stdout.on('error', () => undefined);
try {
  if (process.argv.includes('--help')) process.stdout.write(`${USAGE}\n`);
  else process.exitCode = await bench(parseBenchOptions(process.argv.slice(2)));
} catch (error) {
  if (!isRolloutError(error)) throw error;
  process.stderr.write(`error [${error.code}] ${error.message}\n  next: ${error.next}\n`);
  process.exitCode = error.exitCode;
}
