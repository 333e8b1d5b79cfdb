// Lines at the bottom of a terminal that are redrawn; in a log, printed when they change. Each as it fits, so that a
// terminal never breaks one by itself.
import { cutColoured } from './display-width.js';
import type { CliSession } from './session.js';

export interface LiveArea {
  /** Replaces the lines. `key`: a log prints them again when it changes, else after 5 s. */
  draw(lines: readonly string[], key: string): void;
  /** Removes the lines, so that something else can be printed. */
  clear(): void;
}

/** In a log the same state is repeated this often, in ms. */
const REPEAT_MS = 5_000;

/** What of a session a live area needs. */
type Screen = Pick<CliSession, 'io' | 'toLines'>;

export function createLiveArea(screen: Screen, now: () => number): LiveArea {
  return screen.io.isTerminal ? createRedrawn(screen) : createLogged(screen, now);
}

/** Of lines that do not fit on the terminal the end is shown, where the next step is. */
function keepEnd(lines: readonly string[], height: number): readonly string[] {
  const room = Math.max(2, height - 1);
  if (lines.length <= room) return lines;
  const kept = lines.slice(1 - room);
  return [`… ${lines.length - kept.length} lines before these do not fit on this terminal`, ...kept];
}

function createRedrawn({ io, toLines }: Screen): LiveArea {
  let height = 0;
  const clear = (): void => {
    if (height > 0) io.out(`\u001b[${height}A\u001b[0J`);
    height = 0;
  };
  return {
    clear,
    draw: (wanted) => {
      // the last column stays free: what is erased after it would be its character
      const width = io.width() - 1;
      const lines = keepEnd(toLines(wanted.join('\n'), width), io.height());
      const up = height > 0 ? `\u001b[${height}A` : '';
      io.out(`${up}${lines.map((line) => `${cutColoured(line, width)}\u001b[K\n`).join('')}\u001b[0J`);
      height = lines.length;
    },
  };
}

function createLogged({ io, toLines }: Screen, now: () => number): LiveArea {
  let shown = { key: '', at: Number.NEGATIVE_INFINITY };
  return {
    clear: () => undefined,
    draw: (lines, key) => {
      if (key === shown.key && now() - shown.at < REPEAT_MS) return;
      shown = { key, at: now() };
      io.out(`${toLines(lines.join('\n')).join('\n')}\n`);
    },
  };
}
