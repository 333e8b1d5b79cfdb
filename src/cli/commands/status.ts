// `status`: the stage of every data center, why it is held, and the command that continues it.

import type { Program } from '../../compose.js';
import type { Status } from '../../engine/operate/read-status.js';
import { readStatusWithin } from '../../engine/operate/within-time.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { withProgram } from '../processes/with-program.js';
import { exitCodeOfHealth } from '../terminal/exit-code.js';
import { createLiveArea } from '../terminal/live-area.js';
import type { CliSession } from '../terminal/session.js';
import { showStatusLine } from '../views/show-progress.js';
import { statusDocument } from '../views/show-state.js';
import { showStatus } from '../views/show-status.js';

export interface StatusFlags {
  readonly watch?: boolean;
  readonly line?: boolean;
  /** Seconds until it answers, whatever is down. */
  readonly within: number;
}

const WATCH_MS = 1_000;

/** Of the time for the answer: what reading the policy may take of it, and what is left for showing it, in ms. */
const CHECK_SHARE = 0.4;
const SHOW_MS = 500;
const CLOSE_MS = 100;

export function runStatus(session: CliSession, flags: StatusFlags): Promise<number> {
  const withinMs = flags.within * 1_000 - SHOW_MS;
  const limits = { checkMs: withinMs * CHECK_SHARE, closeMs: CLOSE_MS };
  return withProgram(session, { policy: 'warned', leftBehind: 'shown', ...limits }, async (program, _, checkedMs) => {
    const render = (status: Status): string => renderStatus(session, withPrintableTexts(status), flags);
    if (flags.watch) return watchStatus(session, program, render, withinMs);
    const status = await readStatusWithin(program.engine, withinMs - checkedMs);
    session.report(statusDocument(status, session.commands), render(status), flags.line ? 'lines' : 'fitted');
    return session.options.exitCode ? exitCodeOfHealth(status) : 0;
  });
}

function renderStatus(session: CliSession, status: Status, flags: StatusFlags): string {
  const { commands, paint } = session;
  if (!flags.line) return showStatus(status, { commands, paint, width: session.width() - (flags.watch ? 1 : 0) });
  return status.dataCenters.map((dc) => showStatusLine(dc, commands)).join('\n');
}

async function watchStatus(
  session: CliSession,
  program: Program,
  render: (status: Status) => string,
  withinMs: number,
): Promise<number> {
  const stopping = new AbortController();
  const unlisten = session.io.onStop(() => stopping.abort());
  const area = createLiveArea(session, () => performance.now());
  try {
    while (!stopping.signal.aborted && !session.io.isClosed()) {
      const status = await readStatusWithin(program.engine, withinMs);
      // with --json: one document after another
      if (session.options.json) session.report(statusDocument(status, session.commands), '');
      else area.draw(render(status).split('\n'), `${status.at.getTime()}`);
      await program.engine.clock.sleep(WATCH_MS, stopping.signal);
    }
    return 0;
  } finally {
    unlisten();
  }
}
