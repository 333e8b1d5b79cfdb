// `detach`: removes our views and triggers from the product's table, so that its owner can alter it; `init` attaches
// them again.

import { findDataCenter } from '../../compose.js';
import { detachCell } from '../../engine/setup/detach-cell.js';
import { command } from '../../kernel/advice.js';
import { toPrintable } from '../../kernel/printable.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';

export function runDetach(session: CliSession, dc: string): Promise<number> {
  return withProgram(session, {}, async (program) => {
    const { id, source } = findDataCenter(program.config, dc);
    const { changeFeed, signUpTrigger } = await detachCell(program.engine, id, session.options.reason);
    const next = session.commands.show(
      command`init --dc ${id} ${changeFeed && command('--change-feed')} ${signUpTrigger && command('--sign-up-trigger')}`,
    );
    session.report(
      { dataCenter: id, detached: true, source, next },
      `✔ ${id}: ${toPrintable(source)} has no views or triggers of ours any more; the allotments stay\nNext: alter the table, then run ${next}`,
    );
    return 0;
  });
}
