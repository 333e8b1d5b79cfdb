// `adopt-cell`: shows what a cell that was moved has of the work that control knows; with --execute proposes to adopt
// it, which a second person approves.

import { findDataCenter, type Program } from '../../compose.js';
import {
  type AdoptionContext,
  type AdoptionReport,
  previewAdoption,
  proposeAdoption,
  withdrawAdoption,
} from '../../engine/operate/adopt-cell.js';
import { type CommandText, command } from '../../kernel/advice.js';
import { withPrintableTexts } from '../../kernel/printable.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { getReason } from '../arguments/get-reason.js';
import { withProgram } from '../processes/with-program.js';
import { NOTHING_TO_DO } from '../terminal/exit-code.js';
import type { CliSession } from '../terminal/session.js';
import { showAdoption } from '../views/show-adoption.js';

export interface AdoptCellFlags {
  readonly dc: string;
  readonly revision?: number;
  readonly execute?: boolean;
  readonly withdraw?: boolean;
}

export function runAdoptCell(
  session: CliSession,
  { dc, execute, withdraw, revision }: AdoptCellFlags,
): Promise<number> {
  if (execute && withdraw)
    throw new RolloutError('invalid_argument', {
      message: '--withdraw ends a proposal and does nothing else.',
      next: 'Leave --execute out.',
    });
  return withProgram(session, { policy: 'warned', leftBehind: 'shown' }, async (program) => {
    const { id: dataCenter } = findDataCenter(program.config, dc);
    const context = adoptionContext(program);
    if (withdraw) return reportWithdrawn(session, context, { dataCenter, revision });
    const report = execute
      ? await proposeAdoption(context, { dataCenter, revision, reason: getReason(session, 'Adopting a cell') })
      : await previewAdoption(context, dataCenter);
    return reportAdoption(session, report);
  });
}

/** Its cells are opened wherever they are. */
export const adoptionContext = ({ engine, movedCells }: Program): AdoptionContext => ({ ...engine, cells: movedCells });

async function reportWithdrawn(
  session: CliSession,
  context: AdoptionContext,
  seen: { readonly dataCenter: string; readonly revision: number | undefined },
): Promise<number> {
  const reason = getReason(session, 'Withdrawing a proposal');
  const withdrawn = await withdrawAdoption(context, { ...seen, reason });
  const next = session.commands.show(command`adopt-cell --dc ${seen.dataCenter}`);
  session.report({ ...withdrawn, next }, `✔ ${withdrawn.adoption}: the proposal is withdrawn\nNext: ${next}`);
  return 0;
}

/** 8: its cell is where it was. */
export function reportAdoption(session: CliSession, report: AdoptionReport): number {
  const next = session.commands.show(nextOf(report));
  session.report({ ...report, next }, showAdoption(withPrintableTexts(report), next));
  return report.state === 'in_place' ? NOTHING_TO_DO : 0;
}

function nextOf({ state, dataCenter, revision, adoption }: AdoptionReport): CommandText {
  if (state === 'dry_run') return command`adopt-cell --dc ${dataCenter} --execute --revision ${revision} --reason TEXT`;
  if (state === 'proposed') return command`approve ${adoption ?? 'ID'}`;
  return state === 'adopted' ? command`init --dc ${dataCenter}, then verify --dc ${dataCenter}` : command('status');
}
