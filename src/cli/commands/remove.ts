// `remove`: takes a data center out of the fleet; without --execute it shows what that means.

import { previewRemoval, type RemovalRequest, removeFromFleet } from '../../engine/setup/remove-data-center.js';
import { command } from '../../kernel/advice.js';
import { ERRORS } from '../../kernel/error-codes.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import type { CliSession } from '../terminal/session.js';
import { showRemovalPreview, showRemoved } from '../views/show-removal.js';

export interface RemoveFlags {
  readonly dc: string;
  readonly cellLost?: boolean;
  readonly revision?: number;
  readonly execute?: boolean;
}

/** Also one that the configuration does not name any more. */
export function runRemove(session: CliSession, { dc, cellLost, execute, revision }: RemoveFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async ({ engine }) => {
    const request: RemovalRequest = { dataCenter: dc, cell: cellLost ? 'lost' : 'asked', revision };
    if (execute) {
      const removed = await removeFromFleet(engine, { ...request, reason: getReason(session, 'Taking it out') });
      session.report({ executed: true, ...removed }, showRemoved(withPrintableTexts(removed), session.commands));
      return 0;
    }
    const preview = await previewRemoval(engine, request);
    const refusals = preview.refusals.map(({ found, next }) => ({ found, next: session.commands.showAdvice(next) }));
    const next = session.commands.show(
      command`remove --dc ${dc} ${cellLost && command('--cell-lost')} --execute --revision ${preview.revision} --reason TEXT`,
    );
    session.report(
      { executed: false, ...preview, refusals, next },
      showRemovalPreview(withPrintableTexts({ ...preview, refusals }), next),
    );
    return refusals.length > 0 ? ERRORS.removal_refused.exit : 0;
  });
}
