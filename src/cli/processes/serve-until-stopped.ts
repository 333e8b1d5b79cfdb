// Runs processes until a signal: waits for what they need, starts them, lets the current batches end, closes.
import type { RunningProcess } from '../../compose.js';
import { systemClock } from '../../kernel/clock.js';
import { withTimeout } from '../../kernel/retry.js';
import type { CliSession } from '../terminal/session.js';

export interface ServedProcess {
  /** Resolves to the started process, or to undefined when `signal` aborted first. */
  start(signal: AbortSignal): Promise<RunningProcess | undefined>;
}

const STOP_MS = 5_500;
const FOREVER_MS = 2 ** 31 - 1;

/** Returns 0 after a clean stop. `whileServing` runs beside the processes and ends with the signal. */
export async function serveUntilStopped(
  session: CliSession,
  processes: readonly ServedProcess[],
  whileServing: (signal: AbortSignal) => Promise<void> = async () => undefined,
): Promise<number> {
  const stopping = new AbortController();
  const unlisten = session.io.onStop(() => {
    session.print('Stopping: the current batches end first. Press Ctrl-C again to stop at once.');
    stopping.abort();
  });
  const running: RunningProcess[] = [];
  const start = async (process: ServedProcess): Promise<void> => {
    const started = await process.start(stopping.signal);
    if (started !== undefined) running.push(started);
    while (!stopping.signal.aborted) await systemClock.sleep(FOREVER_MS, stopping.signal);
  };
  try {
    await Promise.all([...processes.map(start), whileServing(stopping.signal)]);
    return 0;
  } finally {
    stopping.abort();
    await withTimeout(systemClock, STOP_MS, Promise.allSettled(running.map((process) => process.stop())));
    unlisten();
  }
}
