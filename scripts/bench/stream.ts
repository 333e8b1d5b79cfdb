// Memory of the built command line while it plans a cell and streams every org to a folder, plain and packed. Reads
// /proc, so Linux only. Measures from outside: the process that is measured is the one that people run.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { projectFolder } from '../../src/compose.js';
import { systemClock } from '../../src/kernel/clock.js';
import { type BenchBed, DATA_CENTER } from './bed.js';
import { formatCount, formatMs } from './numbers.js';
import { formatGoal } from './report.js';

export const STREAM_FORMS = ['plain', 'gzip'] as const;
export type StreamForm = (typeof STREAM_FORMS)[number];

export interface StreamMeasure {
  readonly form: StreamForm;
  readonly orgs: number;
  readonly ms: number;
  /** Size of the list of orgs. */
  readonly bytes: number;
  /** Resident memory when the program is loaded and its first file is begun, and the most it ever had. */
  readonly startKb: number;
  readonly peakKb: number;
}

const MAIN = join(projectFolder, 'dist', 'src', 'cli', 'main.js');
const POLL_INTERVAL_MS = 20;

/** One `plan --dc … --out …` of the bed's cell, in a process of its own. */
export async function measureStream(bed: BenchBed, form: StreamForm): Promise<StreamMeasure> {
  const parent = join(bed.server.folder, 'stream');
  const out = join(parent, 'report');
  await rm(parent, { recursive: true, force: true });
  await mkdir(parent);
  const config = join(bed.server.folder, 'rollout.config.yaml');
  const args = [
    'plan',
    '--dc',
    DATA_CENTER.id,
    '--out',
    out,
    '--config',
    config,
    ...(form === 'gzip' ? ['--gzip'] : []),
  ];
  const began = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  const memory = await watchMemory(child, parent);
  const list = await stat(join(out, form === 'gzip' ? 'orgs.csv.gz' : 'orgs.csv'));
  return { form, orgs: bed.orgs, ms: performance.now() - began, bytes: list.size, ...memory };
}

/** Until it ends. The report is begun when its hidden folder is there, which is after everything is loaded. */
async function watchMemory(child: ChildProcess, parent: string): Promise<Pick<StreamMeasure, 'startKb' | 'peakKb'>> {
  const ended = once(child, 'exit');
  let startKb: number | undefined;
  let peakKb = 0;
  while (child.exitCode === null && child.signalCode === null) {
    const { rss, peak } = await readMemory(child.pid);
    if (startKb === undefined && (await readdir(parent)).length > 0) startKb = rss;
    peakKb = Math.max(peakKb, peak);
    await Promise.race([ended, systemClock.sleep(POLL_INTERVAL_MS)]);
  }
  if (child.exitCode !== 0) throw new Error(`plan --out ended with ${child.exitCode ?? child.signalCode}`);
  if (startKb === undefined) throw new Error('its memory cannot be read: this is not Linux');
  return { startKb, peakKb };
}

/** In kB; zeros once the process is gone. */
async function readMemory(pid: number | undefined): Promise<{ readonly rss: number; readonly peak: number }> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'mu').exec(text)?.[1] ?? 0);
  return { rss: read('VmRSS'), peak: read('VmHWM') };
}

/** A line for each measure, with the goal beside it. */
export function reportStream(measures: readonly StreamMeasure[]): readonly string[] {
  const mb = (kb: number): number => kb / 1_024;
  return measures.map(({ form, orgs, ms, bytes, startKb, peakKb }) => {
    const growth = formatGoal({
      what: `${form}: CLI RSS, peak above start`,
      value: mb(peakKb - startKb),
      limit: 30,
      side: 'at most',
      unit: ' MB',
    });
    return `${growth}; start ${mb(startKb).toFixed(0)} MB, peak ${mb(peakKb).toFixed(0)} MB; ${formatCount(orgs)} orgs, ${formatCount(bytes)} bytes in ${formatMs(ms)}`;
  });
}
