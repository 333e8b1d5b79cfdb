// Ends a pause at its time: the scheduler resumes the data center, and the audit says why.
import { appendAudit } from '../../stores/control/audit.js';
import { type DataCenterRow, transitionDataCenter } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { ofRun } from './advance-stage.js';

/** False: another scheduler or an operator was faster; the pause that is there then is another one. */
export function endPause(
  { control }: Pick<EngineContext, 'control'>,
  row: DataCenterRow,
  reason: string,
): Promise<boolean> {
  return control.inTransaction(async (tx) => {
    if (!(await transitionDataCenter(tx, row, { intent: 'run' }))) return false;
    const details = { cause: 'pause_ended', until: row.pausedUntil?.toISOString(), paused_by: row.pausedBy };
    await appendAudit(tx, { action: 'resume', dataCenter: row.id, reason, details, ...ofRun(row) });
    return true;
  });
}
