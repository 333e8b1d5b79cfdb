// Starts the product's worker for a benchmark: in a process of its own when compiled, whose memory can then be read.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startWorker } from '../../jobs/processes/worker.js';
import type { Program } from '../../src/compose.js';
import { systemClock } from '../../src/kernel/clock.js';

/** Resident memory of a worker, in kB. */
export interface WorkerMemory {
  readonly startKb: number;
  readonly peakKb: number;
  readonly endKb: number;
}

export interface BenchWorker {
  /** Call it when the worker is up and idle: growth counts from here. */
  markStart(): Promise<void>;
  /** Undefined where it cannot be measured: inline, or not on Linux. */
  readMemory(): Promise<WorkerMemory | undefined>;
  stop(): Promise<void>;
}

export interface BenchWorkerOptions {
  readonly configPath: string;
  readonly dataCenter: string;
  readonly concurrency: number;
}

const STOP_MS = 8_000;

/** Starts the compiled worker as a child. */
export function forkWorker({ configPath, dataCenter, concurrency }: BenchWorkerOptions): BenchWorker {
  const path = fileURLToPath(new URL('worker-process.js', import.meta.url));
  const child = fork(path, [configPath, dataCenter, String(concurrency)], { stdio: ['ignore', 2, 2, 'ipc'] });
  const pid = child.pid ?? 0;
  // a benchmark that is interrupted must not leave it behind, whatever it is busy with
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  let startKb: number | undefined;
  return {
    markStart: async () => {
      // the kernel's high-water mark begins anew; without that, loading the code would count as growth
      await writeFile(`/proc/${pid}/clear_refs`, '5').catch(() => undefined);
      startKb = await readStatus(pid, 'VmRSS');
    },
    readMemory: async () => {
      const [peakKb, endKb] = await Promise.all([readStatus(pid, 'VmHWM'), readStatus(pid, 'VmRSS')]);
      return startKb === undefined || peakKb === undefined || endKb === undefined
        ? undefined
        : { startKb, peakKb, endKb };
    },
    stop: () => stopChild(child),
  };
}

/** Starts it in this process: for tests, which run sources. */
export async function startInlineWorker(
  program: Program,
  { dataCenter, concurrency }: Omit<BenchWorkerOptions, 'configPath'>,
): Promise<BenchWorker> {
  const queue = await program.connectQueue('own');
  const worker = startWorker(program.worker, { dataCenters: [dataCenter], queue, concurrency });
  return { markStart: async () => undefined, readMemory: async () => undefined, stop: () => worker.stop() };
}

async function readStatus(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'mu').exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  const late = new AbortController();
  await Promise.race([ended, systemClock.sleep(STOP_MS, late.signal)]);
  late.abort();
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}
