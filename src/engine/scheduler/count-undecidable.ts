// How many orgs the newest run of a cell could not decide. Counts only; as fencer, which cannot read orgs.
import type { Undecidable } from '../../domain/calendar/undecidable.js';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { countQuarantine } from '../../stores/cell/batch/progress.js';
import { findNewestRun } from '../../stores/cell/batch/quarantine.js';
import { classifyFailure } from '../../stores/postgres-failure.js';
import type { EngineContext } from '../context.js';

/** Never throws: a cell that cannot be read is an answer too. */
export async function countUndecidable(
  { cells }: Pick<EngineContext, 'cells'>,
  dataCenter: string,
): Promise<Undecidable> {
  try {
    return await cells.get(dataCenter).inTransaction('fencer', async (tx): Promise<Undecidable> => {
      const runId = await findNewestRun(tx);
      if (runId === undefined) return { kind: 'no_run' };
      const reasons = await countQuarantine(tx, runId);
      return { kind: 'counted', orgs: reasons.reduce((sum, { orgs }) => sum + orgs, 0) };
    });
  } catch (error) {
    if (isRolloutError(error)) return { kind: 'unreadable', code: error.code };
    const { kind, sqlstate } = classifyFailure(error);
    return { kind: 'unreadable', code: kind === 'other' ? (sqlstate ?? kind) : kind };
  }
}
