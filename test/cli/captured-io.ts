// A terminal for tests: keeps what a command prints, and can be stopped as by Ctrl-C.

import { runCli } from '../../src/cli/run-cli.js';
import type { CliIo, StopSignal } from '../../src/cli/terminal/io.js';

export interface CapturedIo extends CliIo {
  output(): string;
  errors(): string;
  /** As a signal would. */
  interrupt(signal: StopSignal): void;
}

export interface CapturedTerminal {
  readonly isTerminal?: boolean;
  readonly width?: number;
  readonly height?: number;
  /** The line that standard input has; left out: none. */
  readonly line?: string;
}

/** No line is broken, unless a test is about that. */
const WIDE = 10_000;

export function captureIo(terminal: CapturedTerminal = {}): CapturedIo {
  const texts = { out: '', err: '' };
  const listeners = new Set<(signal: StopSignal) => void>();
  return {
    isTerminal: terminal.isTerminal ?? false,
    isClosed: () => false,
    lostBy: () => undefined,
    readLine: async () => terminal.line,
    width: () => terminal.width ?? WIDE,
    height: () => terminal.height ?? 100,
    out: (text) => {
      texts.out += text;
    },
    err: (text) => {
      texts.err += text;
    },
    onStop: (stop) => {
      listeners.add(stop);
      return () => listeners.delete(stop);
    },
    output: () => texts.out,
    errors: () => texts.err,
    interrupt: (signal) => {
      for (const listener of listeners) listener(signal);
    },
  };
}

export interface RanCommand {
  readonly code: number;
  readonly out: string;
  /** Standard error, without the line that a command begins with. */
  readonly err: string;
  /** That line: which configuration and which databases it uses; undefined: it says nothing of them. */
  readonly origin: string | undefined;
}

const ORIGIN = /^Using (.*)\n/u;

/** Runs one command line to its end. */
export async function runCommand(...args: readonly string[]): Promise<RanCommand> {
  const io = captureIo();
  const code = await runCli(args, io);
  const errors = io.errors();
  return { code, out: io.output(), err: errors.replace(ORIGIN, ''), origin: ORIGIN.exec(errors)?.[1] };
}
