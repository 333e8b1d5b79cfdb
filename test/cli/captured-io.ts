// A terminal for tests: keeps what a command prints, and can be stopped as by Ctrl-C.

import { runCli } from '../../src/cli/run-cli.js';
import type { CliIo, StopSignal } from '../../src/cli/terminal/io.js';

export interface CapturedIo extends CliIo {
  output(): string;
  errors(): string;
  /** As a signal would. */
  interrupt(signal: StopSignal): void;
}

export function captureIo(terminal: { readonly isTerminal?: boolean; readonly width?: number } = {}): CapturedIo {
  const texts = { out: '', err: '' };
  const listeners = new Set<(signal: StopSignal) => void>();
  return {
    isTerminal: terminal.isTerminal ?? false,
    isClosed: () => false,
    width: () => terminal.width ?? 100,
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
  readonly err: string;
}

/** Runs one command line to its end. */
export async function runCommand(...args: readonly string[]): Promise<RanCommand> {
  const io = captureIo();
  const code = await runCli(args, io);
  return { code, out: io.output(), err: io.errors() };
}
