// Limits of time that the product promises, on a machine that may be busy: time is counted in short beats, and a beat
// that the machine itself delays counts no more than one on a calm machine.
import { systemClock } from '../../src/kernel/clock.js';
import type { TestCell } from './cell.js';

const SLEEP_MS = 20;
const LONGEST_BEAT_MS = 30;

/** Starts it over a cell; what it returns stops it with the time since then, in ms of a calm machine. */
export function startStopwatch({ sql }: Pick<TestCell, 'sql'>): () => Promise<number> {
  const stopped = new AbortController();
  const beating = (async () => {
    let ms = 0;
    let open = true;
    while (open && !stopped.signal.aborted) {
      const began = performance.now();
      // a suite that failed drops its cell without stopping the watch
      open = await sql('select 1').then(
        () => true,
        () => false,
      );
      await systemClock.sleep(SLEEP_MS, stopped.signal);
      ms += Math.min(performance.now() - began, LONGEST_BEAT_MS);
    }
    return ms;
  })();
  return () => {
    stopped.abort();
    return beating;
  };
}

/**
 * How long the machine takes for next to nothing at present, in ms: a few on a calm one. What must come in time adds to
 * it.
 */
export async function readLag({ sql }: Pick<TestCell, 'sql'>): Promise<number> {
  let longest = 0;
  for (let n = 0; n < 5; n += 1) {
    const began = performance.now();
    await sql('select 1');
    await systemClock.sleep(1);
    longest = Math.max(longest, performance.now() - began);
  }
  return longest;
}
