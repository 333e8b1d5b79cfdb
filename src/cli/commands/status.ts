// `status`: the stage of every data center, why it is held, and the command that continues it.

import type { Program } from '../../compose.js';
import { readStatus, type Status } from '../../engine/operate/read-status.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { withProgram } from '../processes/with-program.js';
import { createLiveArea } from '../terminal/live-area.js';
import type { CliSession } from '../terminal/session.js';
import { showStatusLine } from '../views/show-progress.js';
import { statusDocument } from '../views/show-state.js';
import { showStatus } from '../views/show-status.js';

export interface StatusFlags {
  readonly watch?: boolean;
  readonly line?: boolean;
}

const WATCH_MS = 1_000;

export function runStatus(session: CliSession, flags: StatusFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const render = (status: Status): string => renderStatus(session, program, withPrintableTexts(status), flags);
    if (flags.watch) return watchStatus(session, program, render);
    const status = await readStatus(program.engine);
    session.report(statusDocument(status, session.commands), render(status));
    return 0;
  });
}

function renderStatus({ commands, paint }: CliSession, program: Program, status: Status, flags: StatusFlags): string {
  const { lanes } = program.config.rollout;
  if (!flags.line) return showStatus(status, { commands, paint, lanes });
  return status.dataCenters.map((dc) => showStatusLine(dc, lanes, commands)).join('\n');
}

async function watchStatus(session: CliSession, program: Program, render: (status: Status) => string): Promise<number> {
  const stopping = new AbortController();
  const unlisten = session.io.onStop(() => stopping.abort());
  const area = createLiveArea(session.io, () => performance.now());
  try {
    while (!stopping.signal.aborted && !session.io.isClosed()) {
      const status = await readStatus(program.engine);
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
