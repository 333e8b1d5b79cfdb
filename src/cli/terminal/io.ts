// The terminal as commands see it: two streams, its width, and signals to stop. Commands use no other part of the
// process.

/** Where a command's output goes and how it is interrupted. */
export interface CliIo {
  /** Writes to standard output, as is. */
  out(text: string): void;
  /** Writes to standard error, as is. */
  err(text: string): void;
  /** Standard output is a terminal that can be redrawn. */
  readonly isTerminal: boolean;
  /** Nobody reads standard output any more, as after `| head -1`: what is written there is lost, which is no error. */
  isClosed(): boolean;
  /** Columns of the terminal now. */
  width(): number;
  /**
   * Calls `stop` at the first SIGINT or SIGTERM; a second SIGINT ends the process with 130. Returns a function that
   * ends the listening.
   */
  onStop(stop: (signal: StopSignal) => void): () => void;
}

export type StopSignal = 'SIGINT' | 'SIGTERM';

/** npm forwards its own Ctrl-C to us: two signals this close together are one, in ms. */
const SAME_SIGNAL_MS = 400;
const DEFAULT_WIDTH = 100;

/** The real terminal. */
export function createProcessIo(): CliIo {
  // `apply --wait | head -1` closes the pipe: the command goes on, and its exit code says how it ended
  const out = createWriter(process.stdout);
  const err = createWriter(process.stderr);
  return {
    out: out.write,
    err: err.write,
    isClosed: out.isClosed,
    isTerminal: process.stdout.isTTY === true,
    width: () => process.stdout.columns ?? DEFAULT_WIDTH,
    onStop: listenForStop,
  };
}

function createWriter(stream: NodeJS.WriteStream): { write(text: string): void; isClosed(): boolean } {
  let closed = false;
  stream.on('error', () => {
    closed = true;
  });
  return { write: (text) => void (closed || stream.write(text)), isClosed: () => closed };
}

function listenForStop(stop: (signal: StopSignal) => void): () => void {
  let first: number | undefined;
  const receive = (signal: StopSignal): void => {
    if (first === undefined) {
      first = performance.now();
      stop(signal);
    } else if (signal === 'SIGINT' && performance.now() - first > SAME_SIGNAL_MS) {
      process.exit(130);
    }
  };
  process.on('SIGINT', receive);
  process.on('SIGTERM', receive);
  return () => {
    process.off('SIGINT', receive);
    process.off('SIGTERM', receive);
  };
}
