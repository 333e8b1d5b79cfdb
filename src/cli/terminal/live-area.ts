// Lines at the bottom of a terminal that are redrawn; in a log, printed when they change. Never wraps.
import { cutColoured } from './display-width.js';
import type { CliIo } from './io.js';

export interface LiveArea {
  /** Replaces the lines. `key`: a log prints them again when it changes, else after 5 s. */
  draw(lines: readonly string[], key: string): void;
  /** Removes the lines, so that something else can be printed. */
  clear(): void;
}

/** In a log the same state is repeated this often, in ms. */
const REPEAT_MS = 5_000;

export function createLiveArea(io: CliIo, now: () => number): LiveArea {
  return io.isTerminal ? createRedrawn(io) : createLogged(io, now);
}

function createRedrawn(io: CliIo): LiveArea {
  let height = 0;
  const clear = (): void => {
    if (height > 0) io.out(`\u001b[${height}A\u001b[0J`);
    height = 0;
  };
  return {
    clear,
    draw: (lines) => {
      const up = height > 0 ? `\u001b[${height}A` : '';
      io.out(`${up}${lines.map((line) => `${cutColoured(line, io.width() - 1)}\u001b[K\n`).join('')}\u001b[0J`);
      height = lines.length;
    },
  };
}

function createLogged(io: CliIo, now: () => number): LiveArea {
  let shown = { key: '', at: Number.NEGATIVE_INFINITY };
  return {
    clear: () => undefined,
    draw: (lines, key) => {
      if (key === shown.key && now() - shown.at < REPEAT_MS) return;
      shown = { key, at: now() };
      io.out(lines.map((line) => `${line}\n`).join(''));
    },
  };
}
