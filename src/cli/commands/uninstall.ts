// `uninstall`: shows the SQL that removes everything of ours from a cell; with --execute runs it, and control forgets
// the data center.

import { findDataCenter } from '../../compose.js';
import { previewUninstall, type UninstallRequest, uninstallCell } from '../../engine/setup/uninstall-cell.js';
import { command } from '../../kernel/advice.js';
import { ERRORS } from '../../kernel/error-codes.js';
import { toPastedSql } from '../../kernel/pasted-sql.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import { NOTHING_TO_DO } from '../terminal/exit-code.js';
import type { CliSession } from '../terminal/session.js';
import { showUninstalled, showUninstallPreview } from '../views/show-uninstall.js';

export interface UninstallFlags {
  readonly dc: string;
  readonly signUpsStopped?: boolean;
  readonly revision?: number;
  readonly execute?: boolean;
}

export function runUninstall(session: CliSession, flags: UninstallFlags): Promise<number> {
  const { dc, execute, signUpsStopped, revision } = flags;
  return withProgram(session, { policy: 'warned' }, async ({ config, engine }) => {
    const { id: dataCenter } = findDataCenter(config, dc);
    const request: UninstallRequest = { dataCenter, signUps: signUpsStopped ? 'stopped' : 'as seen' };
    if (execute) {
      const report = await uninstallCell(engine, { ...request, revision, reason: getReason(session, 'Uninstalling') });
      session.report(
        { executed: true, ...report },
        showUninstalled(withPrintableTexts({ ...report, left: report.left.map(toPastedSql) }), session.commands),
      );
      return 0;
    }
    const preview = await previewUninstall(engine, request);
    const refusals = preview.refusals.map(({ found, next }) => ({ found, next: session.commands.showAdvice(next) }));
    const statements = preview.statements.map(toPastedSql);
    const grants = preview.grants.map(toPastedSql);
    const options = [
      ...(signUpsStopped ? [command('--sign-ups-stopped')] : []),
      command('--execute'),
      ...(preview.revision === null ? [] : [command`--revision ${preview.revision}`]),
    ];
    const next = session.commands.show(command`uninstall --dc ${dataCenter} ${options} --reason TEXT`);
    session.report(
      { executed: false, ...preview, refusals, next },
      showUninstallPreview(withPrintableTexts({ ...preview, statements, grants, refusals }), next),
    );
    if (refusals.length > 0) return ERRORS.removal_refused.exit;
    return preview.statements.length === 0 ? NOTHING_TO_DO : 0;
  });
}
