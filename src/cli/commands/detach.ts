// `detach`: drops what hangs on the product's table, so that its owner can alter it; `init` attaches again.
import type { Command } from 'commander';
import { findDataCenter } from '../../compose.js';
import { detachCell } from '../../engine/setup/detach-cell.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession, Execute } from '../terminal/session.js';

export function registerDetachCommand(cli: Command, execute: Execute): void {
  cli
    .command('detach')
    .description("drop what hangs on the product's table so that it can be altered; then run init")
    .requiredOption('--dc <id>', 'the data center')
    .action(({ dc }: { readonly dc: string }) => execute((session) => runDetach(session, dc)));
}

function runDetach(session: CliSession, dc: string): Promise<number> {
  return withProgram(session, {}, async (program) => {
    const { id, source } = findDataCenter(program.config, dc);
    const { changeFeed, signUpTrigger } = await detachCell(program.engine, id, session.options.reason);
    const next = session.commands.show(
      `init --dc ${id}${changeFeed ? ' --change-feed' : ''}${signUpTrigger ? ' --sign-up-trigger' : ''}`,
    );
    session.report(
      { dataCenter: id, detached: true, source, next },
      `✔ ${id}: nothing of ours hangs on ${source} any more; allotments stay\nNext: alter it, then ${next}`,
    );
    return 0;
  });
}
