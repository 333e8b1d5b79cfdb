// The terminal as commands see it: two streams, its width, and signals to stop. Commands use no other part of the
// process.
import { fstatSync, writeSync } from 'node:fs';
import { readEnvironment } from '../../platform/environment.js';

/** Where a command's output goes and how it is interrupted. */
export interface CliIo {
  /** Writes to standard output, as is. */
  out(text: string): void;
  /** Writes to standard error, as is. */
  err(text: string): void;
  /** The one line of standard input, without its end; undefined: there is none, there are more, or it is longer. */
  readLine(maxBytes: number): Promise<string | undefined>;
  /** Standard output is a terminal that can be redrawn. */
  readonly isTerminal: boolean;
  /** Nobody reads standard output any more, as after `| head -1`: what is written there is lost, which is no error. */
  isClosed(): boolean;
  /** Why some of what was written to standard output is in no file, such as ENOSPC; undefined: it all is. */
  lostBy(): string | undefined;
  /** Columns that a line may take now. */
  width(): number;
  /** Lines of the terminal now. */
  height(): number;
  /**
   * Calls `stop` at the first SIGINT or SIGTERM; a second SIGINT ends the process with 130. Returns a function that
   * ends the listening.
   */
  onStop(stop: (signal: StopSignal) => void): () => void;
}

export type StopSignal = 'SIGINT' | 'SIGTERM';

/** npm forwards its own Ctrl-C to us: two signals this close together are one, in ms. */
const SAME_SIGNAL_MS = 400;
/** Where the output is no terminal, or one that does not say. */
const DEFAULT_WIDTH = 80;
const DEFAULT_HEIGHT = 24;
/** A narrower terminal breaks the lines by itself. */
const LEAST_WIDTH = 40;

/** The real terminal. */
export function createProcessIo(): CliIo {
  // `apply --wait | head -1` closes the pipe: the command goes on, and its exit code says how it ended
  const out = createWriter(process.stdout, 1);
  const err = createWriter(process.stderr, 2);
  return {
    out: out.write,
    err: err.write,
    readLine: (maxBytes) => {
      if (process.stdin.isTTY) err.write('Type one line, then Enter:\n');
      return readOneLine(process.stdin, maxBytes);
    },
    isClosed: out.isClosed,
    lostBy: out.lostBy,
    isTerminal: process.stdout.isTTY === true,
    width: () => chooseWidth(process.stdout.columns, readEnvironment('COLUMNS')),
    height: () => process.stdout.rows || DEFAULT_HEIGHT,
    onStop: listenForStop,
  };
}

/** That of the terminal; in a pipe or a file that of COLUMNS, else 80. */
export function chooseWidth(ofTerminal: number | undefined, columns: string | undefined): number {
  if (ofTerminal !== undefined && ofTerminal > 0) return Math.max(LEAST_WIDTH, ofTerminal);
  const asked = /^\d{1,4}$/u.test(columns ?? '') ? Number(columns) : DEFAULT_WIDTH;
  return Math.max(LEAST_WIDTH, asked);
}

/** A terminal and a pipe that stays open have a line before they end. */
export async function readOneLine(input: AsyncIterable<Buffer>, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) {
    chunks.push(chunk);
    if (chunk.includes('\n') || Buffer.concat(chunks).length > maxBytes + 2) break;
  }
  const text = Buffer.concat(chunks).toString();
  const line = /^([^\n]*?)\r?\n?$/u.exec(text)?.[1];
  return text === '' || line === undefined || Buffer.byteLength(line) > maxBytes ? undefined : line;
}

interface Writer {
  write(text: string): void;
  isClosed(): boolean;
  lostBy(): string | undefined;
}

/** After the first failure nothing more is written: what came later would stand in the place of what is missing. */
function createWriter(stream: NodeJS.WriteStream, fd: 1 | 2): Writer {
  let failure: string | undefined;
  const fail = (error: Error & { readonly code?: unknown }): void => {
    failure ??= String(error.code ?? error.name);
  };
  stream.on('error', fail);
  const send = (text: string): unknown => (isOfFile(fd, stream) ? writeWhole(fd, text) : stream.write(text));
  return {
    write: (text) => {
      if (failure !== undefined) return;
      try {
        send(text);
      } catch (error) {
        fail(error as Error);
      }
    },
    isClosed: () => failure !== undefined,
    lostBy: () => (failure === 'EPIPE' ? undefined : failure),
  };
}

function isOfFile(fd: number, { isTTY }: NodeJS.WriteStream): boolean {
  const stat = fstatSync(fd);
  return !isTTY && (stat.isFile() || stat.isCharacterDevice());
}

/** A disk that is nearly full takes a part of a text, which Node's own stream takes for the whole. */
function writeWhole(fd: number, text: string): void {
  let left = Buffer.from(text);
  while (left.length > 0) left = left.subarray(writeSync(fd, left));
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
