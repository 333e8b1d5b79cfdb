// A worker or a scheduler as a process of its own, so that it can be killed, stopped and continued.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { bundleProcess } from './bundle-process.js';
import type { FakeClock } from './faketime.js';
import type { FleetUrls } from './open-context.js';
import { waitFor } from './wait.js';

export interface FleetProcessSpec {
  readonly role: 'worker' | 'scheduler';
  readonly concurrency: number;
  readonly pollMs: number | undefined;
  readonly queueUrl: string;
  readonly urls: FleetUrls;
}

export interface FleetProcess {
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for the end; its exit code, null after a signal. */
  terminate(): Promise<number | null>;
  /** Everything that it wrote, standard error included. */
  output(): string;
  /** What it takes for the present instant. */
  readClock(): Promise<Date>;
  stop(): Promise<void>;
}

const FIXTURE = fileURLToPath(new URL('./fixtures/fleet-process.ts', import.meta.url));
const MAX_CHUNKS = 10_000; // of output that is kept

/** Resolves when it serves. `clock`: its own, instead of the machine's. */
export async function spawnFleetProcess(spec: FleetProcessSpec, clock?: FakeClock): Promise<FleetProcess> {
  const [program = '', ...args] = [...(clock?.prefix ?? []), process.execPath, await bundleProcess(FIXTURE)];
  // URLs with passwords go in by standard input: arguments are seen by everybody
  // the channel closes with this process, and the child ends with it
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe', 'ipc'] });
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error('a process without pipes');
  const printed: string[] = [];
  stderr.on('data', (chunk) => {
    if (printed.length < MAX_CHUNKS) printed.push(String(chunk));
  });
  stdin.end(JSON.stringify(spec));
  const ended = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    stdout.on('data', (chunk) => {
      printed.push(String(chunk));
      if (String(chunk).includes('ready')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`the ${spec.role} ended at once (${code}): ${printed.join('')}`)));
  });
  const tidied = ended.then(() => clock?.removeClockOf(child.pid ?? 0));
  return describeProcess(child, tidied, printed);
}

function describeProcess(child: ChildProcess, ended: Promise<unknown>, printed: readonly string[]): FleetProcess {
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await ended;
    }
    return child.exitCode;
  };
  return {
    pid: child.pid ?? 0,
    signal: (name) => child.kill(name),
    kill: async () => {
      await end('SIGKILL');
    },
    terminate: () => end('SIGTERM'),
    output: () => printed.join(''),
    readClock: async () => {
      const known = listClocks(printed).length;
      child.kill('SIGUSR2');
      return waitFor('its clock', () => listClocks(printed)[known]);
    },
    stop: async () => {
      await end('SIGKILL');
    },
  };
}

const listClocks = (printed: readonly string[]): readonly Date[] =>
  [...printed.join('').matchAll(/^clock (\S+)$/gmu)].map(([, at = '']) => new Date(at));
