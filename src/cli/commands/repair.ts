// `repair`: shows what would be put back of the allotments that break the rule; with --execute puts it back, or
// proposes it to a second person where a paid org would fall.

import { findDataCenter, type Program } from '../../compose.js';
import { readStatus } from '../../engine/operate/read-status.js';
import { executeRepair, previewRepair, type RepairReport } from '../../engine/operate/repair.js';
import { type CommandText, command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import { NOTHING_TO_DO } from '../terminal/exit-code.js';
import type { CliSession } from '../terminal/session.js';
import { showRepair } from '../views/show-repair.js';

export interface RepairFlags {
  readonly dc: string;
  readonly revision?: number;
  readonly execute?: boolean;
}

export function runRepair(session: CliSession, { dc, execute, revision }: RepairFlags): Promise<number> {
  return withProgram(session, { policy: 'warned' }, async (program) => {
    const { id: dataCenter } = findDataCenter(program.config, dc);
    const report = execute
      ? await executeRepair(program.engine, { dataCenter, revision, reason: getReason(session, 'A repair') })
      : await previewRepair(program.engine, dataCenter);
    return reportRepair(session, program, report);
  });
}

/** Shows it with the next step; 8: there was nothing to put back. */
export async function reportRepair(session: CliSession, program: Program, report: RepairReport): Promise<number> {
  const next = session.commands.show(await findNext(program, report));
  session.report({ ...report, next }, showRepair(withPrintableTexts(report), next, session.width()));
  return report.state === 'nothing' ? NOTHING_TO_DO : 0;
}

async function findNext(
  { engine }: Program,
  { state, dataCenter, repairId, revision }: RepairReport,
): Promise<CommandText> {
  if (state === 'proposed') return command`approve ${repairId ?? 'ID'}`;
  if (state === 'dry_run')
    return command`repair --dc ${dataCenter} --execute --revision ${revision ?? 0} --reason TEXT`;
  const { dataCenters } = await readStatus(engine);
  const dc = dataCenters.find(({ id }) => id === dataCenter);
  if (dc?.stage !== 'failed') return command`verify --dc ${dataCenter}`;
  return dc.undoFailed ? command`undo --dc ${dataCenter}` : command`retry --dc ${dataCenter}`;
}
